/** Text form of network addresses. */

/** Dotted decimal. Reads 4 bytes. */
export const ipv4Text = (bytes: Uint8Array, at: number): string =>
  `${bytes[at] ?? 0}.${bytes[at + 1] ?? 0}.${bytes[at + 2] ?? 0}.${bytes[at + 3] ?? 0}`;

/** As RFC 5952 wants it: lower case, the longest run of zero groups (the first of equals, two at least) as `::`. Reads 16 bytes. */
export function ipv6Text(bytes: Uint8Array, at: number): string {
  const groups: number[] = [];
  for (let index = 0; index < 16; index += 2)
    groups.push(((bytes[at + index] ?? 0) << 8) | (bytes[at + index + 1] ?? 0));
  if (groups.slice(0, 5).every((group) => group === 0) && groups[5] === 0xffff)
    return `::ffff:${ipv4Text(bytes, at + 12)}`;

  let bestStart = -1;
  let bestLength = 1;
  let start = 0;
  for (let index = 0; index <= 8; index++) {
    if (index < 8 && groups[index] === 0) continue;
    if (index - start > bestLength) {
      bestStart = start;
      bestLength = index - start;
    }
    start = index + 1;
  }
  const hex = (from: number, to: number): string =>
    groups
      .slice(from, to)
      .map((group) => group.toString(16))
      .join(':');
  return bestStart < 0 ? hex(0, 8) : `${hex(0, bestStart)}::${hex(bestStart + bestLength, 8)}`;
}

/** Reads 6 bytes. */
export const macText = (bytes: Uint8Array, at: number): string =>
  Array.from({ length: 6 }, (_, index) =>
    (bytes[at + index] ?? 0).toString(16).padStart(2, '0'),
  ).join(':');
