/**
 * The words of a comment (src/exporters/pcapng/words.ts) as values, out of the file's bytes, read from left to right in the
 * order in which hop-comments.ts writes them: so a word is found where it is expected, without a table of all. Words behind
 * those that are known are skipped: a later version may add some. A value of the wrong form throws Unreadable.
 */
import type { WordKey } from '../../exporters/pcapng/word-keys.ts';
import { decodeWord } from '../../exporters/pcapng/words.ts';
import { createByteCache, isSame } from './byte-cache.ts';

/** Thrown for a comment that is not as skbspan writes it; it never leaves this room. */
export class Unreadable extends Error {}

const ZERO = 48;
const SPACE = 32;
const SLASH = 47;
const NINE = 57;
const LETTER_A = 97;
const LETTER_N = 110;
const LETTER_S = 115;
const LETTER_X = 120;
/** This many always fit a number exactly. */
const DECIMAL_DIGITS = 15;
const HEX_DIGITS = 13;
/** Of a u64 that does not. */
const U64_DIGITS = 16;

/** One string for all words that are the same, not a piece of each comment, which would stay in memory with it. */
const texts = createByteCache(decodeWord);

const whole = new BigUint64Array(1);
const halves = new Uint32Array(whole.buffer);

class CommentWords {
  #bytes: Buffer = Buffer.alloc(0);
  /** Behind the last word: at the space before the next one, or at the end. */
  #at = 0;
  #end = 0;

  /** Begins anew at `at`, where the space before the first word is, or at the end. */
  read(bytes: Buffer, at: number, end: number): void {
    this.#bytes = bytes;
    this.#at = at;
    this.#end = end;
  }

  /** Where the words are. */
  get bytes(): Buffer {
    return this.#bytes;
  }

  #isAt(key: WordKey, at: number): boolean {
    const { bytes, length } = key;
    if (at + length > this.#end) return false;
    for (let index = 0; index < length; index++) {
      if (this.#bytes[at + index] !== bytes[index]) return false;
    }
    return true;
  }

  /** Whether `key` is the next word. */
  has(key: WordKey): boolean {
    return this.#isAt(key, this.#at);
  }

  /** Goes to the value of `key`, which is the next word or, with unknown ones between, a later one. */
  #enter(key: WordKey): void {
    let at = this.#at;
    while (!this.#isAt(key, at)) {
      if (++at >= this.#end) throw new Unreadable('a word is missing');
    }
    this.#at = at + key.length;
  }

  #wordEnd(from: number): number {
    let at = from;
    while (at < this.#end && this.#bytes[at] !== SPACE) at++;
    return at;
  }

  /** Goes to the end of the value that begins here; returns where it began. */
  #pass(): number {
    const from = this.#at;
    this.#at = this.#wordEnd(from);
    return from;
  }

  /** The value's text as it stands. */
  raw(key: WordKey): string {
    this.#enter(key);
    const from = this.#pass();
    return this.#bytes.toString('utf8', from, this.#at);
  }

  text(key: WordKey): string {
    this.#enter(key);
    const from = this.#pass();
    return texts.get(this.#bytes, from, this.#at);
  }

  /** The same for what hardly comes again. */
  rareText(key: WordKey): string {
    return decodeWord(this.raw(key));
  }

  optionalText(key: WordKey): string | undefined {
    return this.has(key) ? this.text(key) : undefined;
  }

  /** Goes to `first`; returns where that word begins. */
  find(first: WordKey): number {
    this.#enter(first);
    this.#at -= first.length;
    return this.#at;
  }

  /** Goes behind the word `key`; returns where that is. */
  behind(key: WordKey): number {
    this.#enter(key);
    this.#pass();
    return this.#at;
  }

  /** Goes on behind `span` if that comes next; all of its words are whole. */
  skip(span: Uint8Array): boolean {
    const to = this.#at + span.length;
    if (to > this.#end || !isSame(span, this.#bytes, this.#at, to) || !this.#isEnd(to)) {
      return false;
    }
    this.#at = to;
    return true;
  }

  /** Decimal or hex, with or without the unit `ns`. */
  number(key: WordKey): number {
    this.#enter(key);
    const from = this.#at;
    const isHex = this.#isHex(from);
    const value = isHex ? this.#hexDigits(from + 2, HEX_DIGITS) : this.#decimalDigits(from);
    const at = this.#at;
    if (at > from) {
      if (this.#isEnd(at)) return value;
      if (!isHex && this.#isUnit(at) && this.#isEnd(at + 2)) {
        this.#at = at + 2;
        return value;
      }
    }
    // Longer than what is quick, a fraction, or nonsense.
    this.#at = from;
    this.#pass();
    return readNumber(this.#bytes.toString('utf8', from, this.#at));
  }

  /** Two numbers with a slash between them. */
  pair(key: WordKey): readonly [number, number] {
    this.#enter(key);
    const from = this.#at;
    const first = this.#decimalDigits(from);
    const slash = this.#at;
    if (slash > from && this.#bytes[slash] === SLASH) {
      const second = this.#decimalDigits(slash + 1);
      if (this.#at > slash + 1 && this.#isEnd(this.#at)) return [first, second];
    }
    this.#at = from - key.length;
    const [left = '', right = ''] = this.parts(key, 2);
    return [readNumber(left), readNumber(right)];
  }

  #isHex(at: number): boolean {
    return this.#bytes[at] === ZERO && this.#bytes[at + 1] === LETTER_X;
  }

  #isUnit(at: number): boolean {
    return this.#bytes[at] === LETTER_N && this.#bytes[at + 1] === LETTER_S;
  }

  #isEnd(at: number): boolean {
    return at === this.#end || (at < this.#end && this.#bytes[at] === SPACE);
  }

  /** The number whose digits begin at `from`; goes behind them, and not at all if there are none. */
  #decimalDigits(from: number): number {
    let value = 0;
    let at = from;
    const most = Math.min(this.#end, from + DECIMAL_DIGITS);
    for (; at < most; at++) {
      const digit = (this.#bytes[at] ?? 0) - ZERO;
      if (digit < 0 || digit > 9) break;
      value = value * 10 + digit;
    }
    this.#at = at;
    return value;
  }

  #hexDigit(at: number): number {
    const code = at < this.#end ? (this.#bytes[at] ?? 0) : 0;
    if (code <= NINE) return code - ZERO;
    const digit = code - LETTER_A + 10;
    return digit >= 10 && digit <= 15 ? digit : -1;
  }

  /** The same for hex, of which 0x has been seen: without digits behind that it goes back in front of it. */
  #hexDigits(from: number, most: number): number {
    let value = 0;
    let at = from;
    for (; at < from + most; at++) {
      const digit = this.#hexDigit(at);
      if (digit < 0) break;
      value = value * 16 + digit;
    }
    this.#at = at > from ? at : from - 2;
    return value;
  }

  optionalNumber(key: WordKey): number | undefined {
    return this.has(key) ? this.number(key) : undefined;
  }

  /** A whole number from 0 to 2^53. */
  count(key: WordKey): number {
    const value = this.number(key);
    if (!Number.isSafeInteger(value) || value < 0) throw new Unreadable(String(value));
    return value;
  }

  bigint(key: WordKey): bigint {
    this.#enter(key);
    const from = this.#at;
    if (this.#isHex(from)) {
      const small = this.#hexDigits(from + 2, HEX_DIGITS);
      if (this.#at > from && this.#isEnd(this.#at)) return small === 0 ? 0n : BigInt(small);
      const big = this.#wideHex(from + 2);
      if (big !== undefined) return big;
    }
    this.#at = from;
    this.#pass();
    const value = this.#bytes.toString('utf8', from, this.#at);
    if (!/^(?:0x[0-9a-f]{1,64}|-?\d{1,80})$/.test(value)) throw new Unreadable(value);
    return BigInt(value);
  }

  /** Exactly sixteen hex digits; undefined: something else. */
  #wideHex(from: number): bigint | undefined {
    const to = from + U64_DIGITS;
    if (to > this.#end || !this.#isEnd(to)) return undefined;
    const high = this.#hexDigits(from, U64_DIGITS / 2);
    if (this.#at !== from + U64_DIGITS / 2) return undefined;
    const low = this.#hexDigits(this.#at, U64_DIGITS / 2);
    if (this.#at !== to) return undefined;
    halves[0] = low;
    halves[1] = high;
    return whole[0];
  }

  /** One of `names`. */
  name<Name extends string>(key: WordKey, names: readonly Name[]): Name {
    const value = this.text(key);
    const found = names.find((name) => name === value);
    if (found === undefined) throw new Unreadable(value);
    return found;
  }

  /** Values with slashes between them. */
  parts(key: WordKey, count: number): readonly string[] {
    const parts = this.raw(key).split('/');
    if (parts.length !== count) throw new Unreadable(`${parts.length} parts`);
    return parts;
  }
}

export type Words = CommentWords;

/** Words of nothing: to be given some by `read`. */
export const createWords = (): Words => new CommentWords();

/** The words of a comment; its kind, before the first space, is not among them. */
export function parseWords(comment: string): Words {
  const words = new CommentWords();
  const bytes = Buffer.from(comment);
  const space = bytes.indexOf(SPACE);
  words.read(bytes, space < 0 ? bytes.length : space, bytes.length);
  return words;
}

/** Calls `visit` for each word of a comment, also for those whose key comes again. */
export function eachWord(comment: string, visit: (key: string, value: string) => void): void {
  for (const word of comment.split(' ').slice(1)) {
    const equals = word.indexOf('=');
    if (equals > 0) visit(word.slice(0, equals), word.slice(equals + 1));
  }
}

const numberForm = /^(?:0x[0-9a-f]+|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:ns)?)$/;

export function readNumber(text: string): number {
  if (!numberForm.test(text)) throw new Unreadable(text);
  return Number(text.endsWith('ns') ? text.slice(0, -2) : text);
}
