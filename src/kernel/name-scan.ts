/*
 * The kernel's lists of functions (kallsyms, available_filter_functions) are megabytes long, and of some 100,000 names in them
 * we want two thousand at start-up. So no line becomes a string before its name is known to be wanted: one pass over the bytes
 * hashes each name, and only where a wanted one has the same hash is the name looked at.
 */

/** How a line of a list is made: `name`, or something before it, or something after it. */
export interface LineShape {
  /** Bytes before the name. */
  readonly nameAt: number;
  /** The byte that ends the name if something follows it. */
  readonly separator: number;
  /** Looks at a line before its name is read; the line begins at `start`. Default: all lines. */
  readonly isWanted?: (text: Uint8Array, start: number) => boolean;
}

export interface FoundLine {
  readonly name: string;
  /** Offset of the line's first byte. */
  readonly start: number;
  /** What follows the separator; empty: nothing. */
  readonly rest: string;
}

const newline = 0x0a;
const space = 0x20;
const hashBits = 16;
const hashSeed = 0x811c9dc5;
const hashPrime = 0x01000193;
const fold = (hash: number): number => (hash ^ (hash >>> hashBits)) & ((1 << hashBits) - 1);

const hashOf = (name: string): number => {
  let hash = hashSeed;
  for (let i = 0; i < name.length; i++) hash = Math.imul(hash ^ name.charCodeAt(i), hashPrime);
  return fold(hash);
};

/** Calls `onFound` for each line whose name is one of `wanted`, in the order of the text. Names are latin1. */
export const scanNames = (
  text: Uint8Array,
  { nameAt, separator, isWanted }: LineShape,
  wanted: ReadonlySet<string>,
  onFound: (line: FoundLine) => void,
): void => {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const seen = new Uint8Array(1 << hashBits);
  for (const name of wanted) seen[hashOf(name)] = 1;
  const { length } = text;
  for (let start = 0; start < length;) {
    let at = start + nameAt;
    if (isWanted !== undefined && !isWanted(text, start)) {
      // By hand: a call of indexOf for each line takes longer than looking at its bytes. A line without the space before
      // its name may be too short to have one.
      if (text[at - 1] !== space) at = start;
      while (at < length && text[at] !== newline) at++;
      start = at + 1;
      continue;
    }
    let hash = hashSeed;
    let byte = text[at] ?? newline;
    while (byte !== newline && byte !== separator) {
      hash = Math.imul(hash ^ byte, hashPrime);
      byte = text[++at] ?? newline;
    }
    const nameEnd = at;
    while (at < length && text[at] !== newline) at++;
    if (seen[fold(hash)] === 1) {
      const name = bytes.toString('latin1', start + nameAt, nameEnd);
      if (wanted.has(name)) {
        onFound({ name, start, rest: bytes.toString('latin1', Math.min(nameEnd + 1, at), at) });
      }
    }
    start = at + 1;
  }
};
