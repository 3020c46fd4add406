/**
 * JSON as UTF-8, put piece by piece where it stays. A record that is put together as a string is a tree of some hundred nodes,
 * which V8 walks to write it and its garbage collector walks again. What comes again (names of members and functions, devices,
 * tasks) is bytes already, and what always stands together is one piece: what a piece takes is mostly not its bytes.
 */
import { piece, SHORT_PIECE, WORD, type Piece } from './pieces.ts';
import { emptySlab, leaveSlab, takeSlab, type Slab } from './slabs.ts';
import { quoted } from './text.ts';

/** One record is under way at a time: `begin`, any number of `put...`, `end`. */
export interface JsonBytes {
  slab: Slab;
  /** The slab's. */
  bytes: Buffer;
  view: DataView;
  /** Where in it the record begins. */
  start: number;
  /** Where the next piece goes. */
  at: number;
}

/** UTF-8 bytes of a UTF-16 unit, at most. */
const BYTES_PER_UNIT = 3;
const SHORT_TEXT = 40;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TILDE = 0x7e;

/** Takes memory with its first record. */
export function createJsonBytes(): JsonBytes {
  const slab = emptySlab();
  return { slab, bytes: slab.bytes, view: slab.view, start: 0, at: 0 };
}

/** The record under way moves to another slab. */
function grow(out: JsonBytes, bytes: number): void {
  const before = out.slab;
  const had = before.bytes.subarray(out.start, out.at);
  const slab = takeSlab(2 * (had.length + bytes));
  slab.bytes.set(had);
  out.slab = slab;
  out.bytes = slab.bytes;
  out.view = slab.view;
  out.start = 0;
  out.at = had.length;
  leaveSlab(before);
}

/** Room for so many bytes at `at`. */
export function room(out: JsonBytes, bytes: number): void {
  if (out.at + bytes > out.slab.size) grow(out, bytes);
}

export function begin(out: JsonBytes): void {
  out.start = out.at;
}

/** What was put since `begin`. It shares its memory with other records; giveBack (slabs.ts) when nobody reads it any more. */
export function end(out: JsonBytes): Buffer {
  out.slab.users++;
  return out.bytes.subarray(out.start, out.at);
}

export function put(out: JsonBytes, { length, bytes, words }: Piece): void {
  room(out, length + WORD);
  const { at, view } = out;
  out.at = at + length;
  if (length > SHORT_PIECE) {
    out.bytes.set(bytes, at);
    return;
  }
  // What the last word has too much is overwritten by what comes next.
  for (let index = 0; index < words.length; index++)
    view.setFloat64(at + index * WORD, words[index] ?? 0, true);
}

/** Bytes of the record under way once more: `length` of them, `from` bytes after its beginning. */
export function putAgain(out: JsonBytes, from: number, length: number): void {
  room(out, length);
  const begins = out.start + from;
  out.bytes.copyWithin(out.at, begins, begins + length);
  out.at += length;
}

/** Any text, as it is. */
export function putText(out: JsonBytes, text: string): void {
  const most = text.length * BYTES_PER_UNIT;
  room(out, most);
  out.at += out.bytes.write(text, out.at);
}

/** A text as JSON. */
export function putQuoted(out: JsonBytes, text: string): void {
  const { length } = text;
  if (length > SHORT_TEXT) {
    putText(out, quoted(text));
    return;
  }
  room(out, length + 2);
  const { at, bytes } = out;
  bytes[at] = QUOTE;
  for (let index = 0; index < length; index++) {
    const unit = text.charCodeAt(index);
    if (unit < SPACE || unit > TILDE || unit === QUOTE || unit === BACKSLASH) {
      putText(out, quoted(text));
      return;
    }
    bytes[at + 1 + index] = unit;
  }
  bytes[at + 1 + length] = QUOTE;
  out.at = at + length + 2;
}

const NULL = piece('null');

export function putNull(out: JsonBytes): void {
  put(out, NULL);
}

export function putQuotedOrNull(out: JsonBytes, text: string | undefined): void {
  if (text === undefined) put(out, NULL);
  else putQuoted(out, text);
}

export type Write<T> = (out: JsonBytes, value: T) => void;

/** Of a list. */
export const COMMA = 0x2c;
export const OPEN = 0x5b;
export const CLOSE = 0x5d;

export function putByte(out: JsonBytes, byte: number): void {
  room(out, 1);
  out.bytes[out.at++] = byte;
}

export function putList<T>(out: JsonBytes, all: readonly T[], write: Write<T>): void {
  putByte(out, OPEN);
  let first = true;
  for (const each of all) {
    if (!first) putByte(out, COMMA);
    first = false;
    write(out, each);
  }
  putByte(out, CLOSE);
}
