/** Texts that come again: their bytes (bytes.ts) are made once. */
import { put, putNull, type JsonBytes, type Write } from './bytes.ts';
import { piece, type Piece } from './pieces.ts';
import { quoted } from './text.ts';

/** Names of functions and the like: few, and each of them often. */
const NAMES_MOST = 8_192;
const names = new Map<string, Piece>();

/** As `putQuoted`, but remembered. */
export function putName(out: JsonBytes, text: string): void {
  let known = names.get(text);
  if (known === undefined) {
    known = piece(quoted(text));
    if (names.size >= NAMES_MOST) names.clear();
    names.set(text, known);
  }
  put(out, known);
}

export function putNameOrNull(out: JsonBytes, text: string | undefined): void {
  if (text === undefined) putNull(out);
  else putName(out, text);
}

/** Writes objects that many others share: the text is made once for each of them. */
export function remembered<T extends object>(textOf: (value: T) => string): Write<T> {
  const known = new WeakMap<T, Piece>();
  let last: T | undefined;
  let lastPiece: Piece | undefined;
  return (out, value) => {
    if (value !== last || lastPiece === undefined) {
      lastPiece = known.get(value);
      if (lastPiece === undefined) {
        lastPiece = piece(textOf(value));
        known.set(value, lastPiece);
      }
      last = value;
    }
    put(out, lastPiece);
  };
}
