/** A field of a protobuf message: a varint as number (below 2^53), bytes as they are; fixed-size ones are skipped. */
export interface Field {
  readonly number: number;
  readonly value: number | Uint8Array;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** The fields of a message in order; stops at the first byte that makes no sense. */
export function* readFields(message: Uint8Array): Generator<Field, void, undefined> {
  let at = 0;
  const varint = (): number => {
    let value = 0;
    for (let factor = 1; ; factor *= 128) {
      const byte = message[at++];
      if (byte === undefined || factor > 2 ** 63) return Number.NaN;
      value += (byte & 0x7f) * factor;
      if (byte < 0x80) return value;
    }
  };
  while (at < message.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const type = tag % 8;
    if (type === VARINT) {
      const value = varint();
      if (Number.isNaN(value)) return;
      yield { number, value };
    } else if (type === BYTES) {
      const length = varint();
      if (!(at + length <= message.length)) return;
      yield { number, value: message.subarray(at, at + length) };
      at += length;
    } else if (type === FIXED64) at += 8;
    else if (type === FIXED32) at += 4;
    else return;
  }
}
