/*
 * How long a server asks to wait. It says so in the trailer `grpc-status-details-bin`, a google.rpc.Status:
 *
 *   Status     3 repeated Any details
 *   Any        1 string type_url ("type.googleapis.com/google.rpc.RetryInfo"), 2 bytes value
 *   RetryInfo  1 Duration retry_delay
 *   Duration   1 int64 seconds, 2 int32 nanos
 */

/** A field of a protobuf message: a varint as number (below 2^53), bytes as they are; fixed-size ones are skipped. */
interface Field {
  readonly number: number;
  readonly value: number | Uint8Array;
}

const VARINT = 0;
const FIXED64 = 1;
const BYTES = 2;
const FIXED32 = 5;

/** The fields of a message in order; stops at the first byte that makes no sense. */
function* readFields(message: Uint8Array): Generator<Field, void, undefined> {
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

const bytesOf = (message: Uint8Array, number: number): readonly Uint8Array[] =>
  [...readFields(message)].flatMap((field) =>
    field.number === number && field.value instanceof Uint8Array ? [field.value] : [],
  );

const numberOf = (message: Uint8Array, number: number): number => {
  const values = [...readFields(message)].map((field) =>
    field.number === number && typeof field.value === 'number' ? field.value : 0,
  );
  return Math.max(0, ...values);
};

/** Milliseconds of the RetryInfo in a `grpc-status-details-bin` trailer; undefined if there is none. */
export function readRetryDelayMs(statusDetails: Uint8Array): number | undefined {
  for (const any of bytesOf(statusDetails, 3)) {
    const [typeUrl] = bytesOf(any, 1);
    const [retryInfo] = bytesOf(any, 2);
    if (typeUrl === undefined || !Buffer.from(typeUrl).toString().endsWith('google.rpc.RetryInfo'))
      continue;
    const [delay] = retryInfo === undefined ? [] : bytesOf(retryInfo, 1);
    if (delay === undefined) return 0;
    return numberOf(delay, 1) * 1000 + Math.ceil(numberOf(delay, 2) / 1e6);
  }
  return undefined;
}
