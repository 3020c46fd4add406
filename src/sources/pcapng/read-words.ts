/**
 * The words of a comment (src/exporters/pcapng/words.ts) as values, read from left to right in the order in which
 * hop-comments.ts writes them: so a word is found where it is expected, without a table of all. Words behind those that are
 * known are skipped: a later version may add some. A value of the wrong form throws Unreadable.
 */
import { decodeWord } from '../../exporters/pcapng/words.ts';

/** Thrown for a comment that is not as skbspan writes it; it never leaves this room. */
export class Unreadable extends Error {}

const ZERO = 48;
const EQUALS = 61;
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

class CommentWords {
  readonly #comment: string;
  /** Where the next word begins. */
  #at: number;

  constructor(comment: string, at: number) {
    this.#comment = comment;
    this.#at = at;
  }

  /** Whether `key` is the next word. */
  has(key: string): boolean {
    return (
      this.#comment.charCodeAt(this.#at + key.length) === EQUALS &&
      this.#comment.startsWith(key, this.#at)
    );
  }

  /** Goes to the value of `key`, which is the next word or, with unknown ones between, a later one. */
  #enter(key: string): void {
    if (!this.has(key)) {
      const found = this.#comment.indexOf(` ${key}=`, Math.max(0, this.#at - 1));
      if (found < 0) throw new Unreadable(`no ${key}`);
      this.#at = found + 1;
    }
    this.#at += key.length + 1;
  }

  /** The value's text as it stands. */
  raw(key: string): string {
    this.#enter(key);
    const from = this.#at;
    const end = this.#comment.indexOf(' ', from);
    this.#at = end < 0 ? this.#comment.length : end + 1;
    return end < 0 ? this.#comment.slice(from) : this.#comment.slice(from, end);
  }

  /** All words from `first` to `last` as they stand, with the space behind them. */
  span(first: string, last: string): string {
    this.#enter(first);
    const from = this.#at - first.length - 1;
    this.#at = from;
    this.raw(last);
    return this.#comment.slice(from, this.#at);
  }

  /** Goes on behind `span` if that comes next, and then `next`. */
  skip(span: string, next: string): boolean {
    const end = this.#at + span.length;
    if (!this.#comment.startsWith(span, this.#at) || !this.#comment.startsWith(next, end)) {
      return false;
    }
    this.#at = end;
    return true;
  }

  text(key: string): string {
    return decodeWord(this.raw(key));
  }

  optionalText(key: string): string | undefined {
    return this.has(key) ? this.text(key) : undefined;
  }

  /** Decimal or hex, with or without the unit `ns`. */
  number(key: string): number {
    this.#enter(key);
    const from = this.#at;
    const isHex = this.#isHex(from);
    const value = isHex ? this.#hexDigits(from + 2) : this.#decimalDigits(from);
    let at = this.#at;
    if (at > from && !isHex && this.#isUnit(at)) at += 2;
    if (at > from && this.#isEnd(at)) {
      this.#at = at + 1;
      return value;
    }
    // Longer than what is quick, a fraction, or nonsense.
    this.#at = from - key.length - 1;
    return readNumber(this.raw(key));
  }

  /** Two numbers with a slash between them. */
  pair(key: string): readonly [number, number] {
    this.#enter(key);
    const from = this.#at;
    const first = this.#decimalDigits(from);
    const slash = this.#at;
    if (slash > from && this.#comment.charCodeAt(slash) === SLASH) {
      const second = this.#decimalDigits(slash + 1);
      const at = this.#at;
      if (at > slash + 1 && this.#isEnd(at)) {
        this.#at = at + 1;
        return [first, second];
      }
    }
    this.#at = from - key.length - 1;
    const [left = '', right = ''] = this.parts(key, 2);
    return [readNumber(left), readNumber(right)];
  }

  #isHex(at: number): boolean {
    return this.#comment.charCodeAt(at) === ZERO && this.#comment.charCodeAt(at + 1) === LETTER_X;
  }

  #isUnit(at: number): boolean {
    return (
      this.#comment.charCodeAt(at) === LETTER_N && this.#comment.charCodeAt(at + 1) === LETTER_S
    );
  }

  #isEnd(at: number): boolean {
    return at === this.#comment.length || this.#comment.charCodeAt(at) === SPACE;
  }

  /** The number whose digits begin at `from`; goes behind them, and not at all if there are none. */
  #decimalDigits(from: number): number {
    let value = 0;
    let at = from;
    for (; at < from + DECIMAL_DIGITS; at++) {
      const digit = this.#comment.charCodeAt(at) - ZERO;
      // Not a number behind the end.
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
    }
    this.#at = at;
    return value;
  }

  /** The same for hex, of which 0x has been seen: without digits behind that it goes back in front of it. */
  #hexDigits(from: number): number {
    let value = 0;
    let at = from;
    for (; at < from + HEX_DIGITS; at++) {
      const code = this.#comment.charCodeAt(at);
      const digit = code <= NINE ? code - ZERO : code - LETTER_A + 10;
      if (!(digit >= 0 && digit <= 15) || (code > NINE && digit < 10)) break;
      value = value * 16 + digit;
    }
    this.#at = at > from ? at : from - 2;
    return value;
  }

  optionalNumber(key: string): number | undefined {
    return this.has(key) ? this.number(key) : undefined;
  }

  /** A whole number from 0 to 2^53. */
  count(key: string): number {
    const value = this.number(key);
    if (!Number.isSafeInteger(value) || value < 0) throw new Unreadable(`${key}=${value}`);
    return value;
  }

  bigint(key: string): bigint {
    this.#enter(key);
    const from = this.#at;
    if (this.#isHex(from)) {
      const small = this.#hexDigits(from + 2);
      const at = this.#at;
      if (at > from && this.#isEnd(at)) {
        this.#at = at + 1;
        return small === 0 ? 0n : BigInt(small);
      }
    }
    this.#at = from - key.length - 1;
    const value = this.raw(key);
    if (!/^(?:0x[0-9a-f]{1,64}|-?\d{1,80})$/.test(value)) throw new Unreadable(`${key}=${value}`);
    return BigInt(value);
  }

  /** One of `names`. */
  name<Name extends string>(key: string, names: readonly Name[]): Name {
    const value = this.raw(key);
    const found = names.find((name) => name === value);
    if (found === undefined) throw new Unreadable(`${key}=${value}`);
    return found;
  }

  /** Values with slashes between them. */
  parts(key: string, count: number): readonly string[] {
    const parts = this.raw(key).split('/');
    if (parts.length !== count) throw new Unreadable(`${key}: ${parts.length} parts`);
    return parts;
  }
}

export type Words = CommentWords;

/** The words from `at` on; without it all but the first, which is the comment's kind. */
export const parseWords = (comment: string, at = comment.indexOf(' ') + 1): Words =>
  new CommentWords(comment, at);

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
