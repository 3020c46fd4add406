import { isIPv4, isIPv6 } from 'node:net';

/** The 4 or 16 bytes of an address in text form; undefined if it is none, or one that belongs to many machines. */
export function addressBytes(text: string): Uint8Array | undefined {
  if (isIPv4(text)) {
    const bytes = Uint8Array.from(text.split('.'), Number);
    return bytes[0] === 127 || bytes[0] === 0 ? undefined : bytes;
  }
  if (!isIPv6(text) || text.includes('.') || text.includes('%')) return undefined;
  const [head = '', tail] = text.split('::');
  const groups = (part: string): number[] =>
    part === '' ? [] : part.split(':').map((group) => Number.parseInt(group, 16));
  const before = groups(head);
  const after = tail === undefined ? [] : groups(tail);
  const all = [...before, ...Array<number>(8 - before.length - after.length).fill(0), ...after];
  // fe80::/10 and ::1 are there on every machine.
  const isLocal =
    ((all[0] ?? 0) & 0xffc0) === 0xfe80 || all.slice(0, 7).every((group) => group === 0);
  return isLocal ? undefined : Uint8Array.from(all.flatMap((group) => [group >> 8, group & 0xff]));
}
