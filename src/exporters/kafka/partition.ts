const u8 = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;

/** The hash of Kafka's own clients (murmur2, seed 0x9747b28c), as a signed 32-bit number: all producers agree on a key's partition. */
export function murmur2(bytes: Uint8Array): number {
  const words = bytes.length & ~3;
  let hash = 0x9747_b28c ^ bytes.length;
  for (let at = 0; at < words; at += 4) {
    // Little endian, by hand: a view of so few bytes takes longer to make than to read.
    const read =
      u8(bytes, at) |
      (u8(bytes, at + 1) << 8) |
      (u8(bytes, at + 2) << 16) |
      (u8(bytes, at + 3) << 24);
    let word = Math.imul(read, 0x5bd1_e995);
    word = Math.imul(word ^ (word >>> 24), 0x5bd1_e995);
    hash = Math.imul(hash, 0x5bd1_e995) ^ word;
  }
  const left = bytes.length - words;
  if (left > 0) {
    for (let at = left - 1; at >= 0; at--) hash ^= u8(bytes, words + at) << (8 * at);
    hash = Math.imul(hash, 0x5bd1_e995);
  }
  hash = Math.imul(hash ^ (hash >>> 13), 0x5bd1_e995);
  return hash ^ (hash >>> 15);
}

/** The partition of a key, as Kafka's Java client chooses it. */
export const partitionOf = (key: Uint8Array, partitions: number): number =>
  (murmur2(key) & 0x7fff_ffff) % partitions;
