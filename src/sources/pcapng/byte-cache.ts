/**
 * Values by the bytes that name them: the same span of bytes gives the same object, without a string made of it first. A
 * place for each hash and no more: whoever comes second to a place takes it, so that memory is bounded and the one who was
 * there is made anew.
 */
export interface ByteCache<Value> {
  /** What `make` returned for these bytes; it gets them as text. */
  get(bytes: Buffer, from: number, to: number): Value;
}

interface Entry<Value> {
  readonly bytes: Uint8Array;
  readonly value: Value;
}

/** A power of two. */
const PLACES = 8192;
/** Longer ones hardly come again. */
const LENGTH_MAX = 512;

export function createByteCache<Value>(make: (text: string) => Value): ByteCache<Value> {
  const places = Array<Entry<Value> | undefined>(PLACES).fill(undefined);
  return {
    get(bytes, from, to) {
      if (to - from > LENGTH_MAX) return make(bytes.toString('utf8', from, to));
      let hash = to - from;
      for (let at = from; at < to; at++) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
      const place = (hash ^ (hash >>> 15)) & (PLACES - 1);
      const known = places[place];
      if (known !== undefined && isSame(known.bytes, bytes, from, to)) return known.value;
      const value = make(bytes.toString('utf8', from, to));
      places[place] = { bytes: Uint8Array.from(bytes.subarray(from, to)), value };
      return value;
    },
  };
}

/** Whether `wanted` stands from `from` to `to`. */
export function isSame(wanted: Uint8Array, bytes: Uint8Array, from: number, to: number): boolean {
  const { length } = wanted;
  if (to - from !== length) return false;
  for (let at = 0; at < length; at++) if (bytes[from + at] !== wanted[at]) return false;
  return true;
}
