/** Texts that are put again and again, as bytes (bytes.ts). */

export const WORD = 8;
/** Up to so many bytes words are faster than a call, as measured: 2 ns for a word, 15 to 20 for a call, whatever the length. */
export const SHORT_PIECE = 64;

/** Bytes of a text that is put again and again. */
export interface Piece {
  readonly length: number;
  readonly bytes: Uint8Array;
  /** Of a short one the same in words of eight, so that few steps copy them; the last one is filled up with zeros. */
  readonly words: Float64Array;
}

/**
 * Words are doubles, since V8 copies those without making objects. None of them is a NaN, whose bits it may change: the last of
 * eight bytes would be 0x7f or 0xff, of which JSON text here has none (text.ts escapes the one, UTF-8 never has the other).
 */
export function piece(text: string): Piece {
  const bytes = new TextEncoder().encode(text);
  const words = new Float64Array(bytes.length > SHORT_PIECE ? 0 : Math.ceil(bytes.length / WORD));
  const view = new DataView(new ArrayBuffer(words.length * WORD));
  if (words.length > 0) for (const [index, byte] of bytes.entries()) view.setUint8(index, byte);
  for (const index of words.keys()) words[index] = view.getFloat64(index * WORD, true);
  return { length: bytes.length, bytes, words };
}

/** The names of an object's members, each with what stands before it: `{"first":`, `,"second":`. */
export const members = <const Name extends string>(
  ...names: readonly Name[]
): Readonly<Record<Name, Piece>> =>
  Object.fromEntries(
    names.map((name, index) => [name, piece(`${index === 0 ? '{' : ','}"${name}":`)]),
  ) as Record<Name, Piece>;

/** The same of members that are not an object's first. */
export const moreMembers = <const Name extends string>(
  ...names: readonly Name[]
): Readonly<Record<Name, Piece>> =>
  Object.fromEntries(names.map((name) => [name, piece(`,"${name}":`)])) as Record<Name, Piece>;
