/**
 * JSON as UTF-8, put piece by piece where it stays. A record that is put together as a string is a tree of some hundred nodes,
 * which V8 walks to write it and its garbage collector walks again. What comes again (names of members and functions, devices,
 * tasks) is bytes already.
 */
import { emptySlab, leaveSlab, takeSlab, type Slab } from './slabs.ts';
import { quoted } from './text.ts';

/** Bytes of a text that is put again and again, in words of eight, so that few steps copy them. */
export interface Piece {
  readonly length: number;
  /** The last one is filled up with zeros. */
  readonly words: Float64Array;
}

/** One record is under way at a time: `begin`, any number of `put...`, `end`. */
export interface JsonBytes {
  slab: Slab;
  /** Where in it the record begins. */
  start: number;
  /** Where the next piece goes. */
  at: number;
}

/** UTF-8 bytes of a UTF-16 unit, at most. */
const BYTES_PER_UNIT = 3;
const SHORT_TEXT = 40;
const WORD = 8;
/** Of a number below 2^31, in groups of four. */
const DIGITS_MOST = 12;
const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const SPACE = 0x20;
const TILDE = 0x7e;

/** Takes memory with its first record. */
export const createJsonBytes = (): JsonBytes => ({ slab: emptySlab(), start: 0, at: 0 });

/** The record under way moves to another slab. */
function grow(out: JsonBytes, bytes: number): void {
  const before = out.slab;
  const had = before.bytes.subarray(out.start, out.at);
  out.slab = takeSlab(2 * (had.length + bytes));
  out.slab.bytes.set(had);
  out.start = 0;
  out.at = had.length;
  leaveSlab(before);
}

function room(out: JsonBytes, bytes: number): void {
  if (out.at + bytes > out.slab.bytes.length) grow(out, bytes);
}

export function begin(out: JsonBytes): void {
  out.start = out.at;
}

/** What was put since `begin`. It shares its memory with other records; giveBack (slabs.ts) when nobody reads it any more. */
export function end(out: JsonBytes): Buffer {
  out.slab.users++;
  return out.slab.bytes.subarray(out.start, out.at);
}

/**
 * Words are doubles, since V8 copies those without making objects. None of them is a NaN, whose bits it may change: the last of
 * eight bytes would be 0x7f or 0xff, of which JSON text here has none (text.ts escapes the one, UTF-8 never has the other).
 */
export function piece(text: string): Piece {
  const bytes = Buffer.from(text);
  const words = new Float64Array(Math.ceil(bytes.length / WORD));
  const view = new DataView(new ArrayBuffer(words.length * WORD));
  for (const [index, byte] of bytes.entries()) view.setUint8(index, byte);
  for (const index of words.keys()) words[index] = view.getFloat64(index * WORD, true);
  return { length: bytes.length, words };
}

/** The names of an object's members, each with what stands before it: `{"first":`, `,"second":`. */
export const members = <const Name extends string>(
  ...names: readonly Name[]
): Readonly<Record<Name, Piece>> =>
  Object.fromEntries(
    names.map((name, index) => [name, piece(`${index === 0 ? '{' : ','}"${name}":`)]),
  ) as Record<Name, Piece>;

export function put(out: JsonBytes, { length, words }: Piece): void {
  room(out, length + WORD);
  const { at } = out;
  const { view } = out.slab;
  // What the last word has too much is overwritten by what comes next.
  for (let index = 0; index < words.length; index++)
    view.setFloat64(at + index * WORD, words[index] ?? 0, true);
  out.at = at + length;
}

/** Any text, as it is. */
export function putText(out: JsonBytes, text: string): void {
  const most = text.length * BYTES_PER_UNIT;
  room(out, most);
  out.at += out.slab.bytes.write(text, out.at);
}

/** A text as JSON. */
export function putQuoted(out: JsonBytes, text: string): void {
  const { length } = text;
  if (length > SHORT_TEXT) {
    putText(out, quoted(text));
    return;
  }
  room(out, length + 2);
  const { at } = out;
  const { bytes } = out.slab;
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

const GROUP = 10_000;
/** The four digits of each number below 10 000, the first one in the lowest byte. */
const fourDigits = Int32Array.from({ length: GROUP }, (_, value) => {
  const digit = (of: number): number => 0x30 + (Math.trunc(value / of) % 10);
  return digit(1000) | (digit(100) << 8) | (digit(10) << 16) | (digit(1) << 24);
});

/** Any finite number; JSON has no others. */
export function putNumber(out: JsonBytes, value: number): void {
  if (value < 0 || (value | 0) !== value) {
    putText(out, `${value}`);
    return;
  }
  room(out, DIGITS_MOST);
  if (value < GROUP) {
    const digits = value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : 4;
    out.slab.view.setInt32(out.at, (fourDigits[value] ?? 0) >>> (8 * (4 - digits)), true);
    out.at += digits;
    return;
  }
  const high = (value / GROUP) | 0;
  putNumber(out, high);
  out.slab.view.setInt32(out.at, fourDigits[value - high * GROUP] ?? 0, true);
  out.at += 4;
}

const NULL = piece('null');
const COMMA = piece(',');
const OPEN = piece('[');
const CLOSE = piece(']');

export function putNull(out: JsonBytes): void {
  put(out, NULL);
}

export function putNumberOrNull(out: JsonBytes, value: number | undefined): void {
  if (value === undefined) put(out, NULL);
  else putNumber(out, value);
}

export function putQuotedOrNull(out: JsonBytes, text: string | undefined): void {
  if (text === undefined) put(out, NULL);
  else putQuoted(out, text);
}

/** `"0x1f"` */
export function putHex(out: JsonBytes, value: bigint): void {
  putQuoted(out, `0x${value.toString(16)}`);
}

export type Write<T> = (out: JsonBytes, value: T) => void;

export function putList<T>(out: JsonBytes, all: readonly T[], write: Write<T>): void {
  put(out, OPEN);
  let first = true;
  for (const each of all) {
    if (!first) put(out, COMMA);
    first = false;
    write(out, each);
  }
  put(out, CLOSE);
}

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
  if (text === undefined) put(out, NULL);
  else putName(out, text);
}

/** Writes objects that many others share: the text is made once for each of them. */
export function remembered<T extends object>(textOf: (value: T) => string): Write<T> {
  const known = new WeakMap<T, Piece>();
  let last: T | undefined;
  let lastPiece = NULL;
  return (out, value) => {
    if (value !== last) {
      let made = known.get(value);
      if (made === undefined) {
        made = piece(textOf(value));
        known.set(value, made);
      }
      last = value;
      lastPiece = made;
    }
    put(out, lastPiece);
  };
}
