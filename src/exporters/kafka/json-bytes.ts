const SLAB_BYTES = 1024 * 1024;
/** UTF-8 bytes of a UTF-16 unit, at most. */
const BYTES_PER_UNIT = 3;

let slab = Buffer.alloc(0);
let used = 0;

/** Text as UTF-8. It shares its memory with others, which lives as long as one of them: a Buffer for each takes half as long again. */
export function toBytes(text: string): Buffer {
  const most = text.length * BYTES_PER_UNIT;
  if (most > SLAB_BYTES) return Buffer.from(text);
  if (used + most > slab.length) {
    slab = Buffer.allocUnsafeSlow(SLAB_BYTES);
    used = 0;
  }
  const length = slab.write(text, used);
  const bytes = slab.subarray(used, used + length);
  used += length;
  return bytes;
}
