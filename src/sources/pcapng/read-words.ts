/** The words of a comment (src/exporters/pcapng/words.ts) as values. Strict: a value of the wrong form throws Unreadable. */
import { decodeWord } from '../../exporters/pcapng/words.ts';

/** Thrown for a comment that is not as skbspan writes it; it never leaves this room. */
export class Unreadable extends Error {}

class CommentWords {
  readonly kind: string;
  readonly #values = new Map<string, string>();

  constructor(comment: string) {
    let at = comment.indexOf(' ');
    this.kind = at < 0 ? comment : comment.slice(0, at);
    while (at >= 0) {
      const equals = comment.indexOf('=', at);
      if (equals < 0) break;
      const end = comment.indexOf(' ', equals);
      this.#values.set(
        comment.slice(at + 1, equals),
        end < 0 ? comment.slice(equals + 1) : comment.slice(equals + 1, end),
      );
      at = end;
    }
  }

  has(key: string): boolean {
    return this.#values.has(key);
  }

  raw(key: string): string {
    const value = this.#values.get(key);
    if (value === undefined) throw new Unreadable(`no ${key}`);
    return value;
  }

  text(key: string): string {
    return decodeWord(this.raw(key));
  }

  optionalText(key: string): string | undefined {
    return this.has(key) ? this.text(key) : undefined;
  }

  /** Decimal or hex, with or without the unit `ns`. */
  number(key: string): number {
    return readNumber(this.raw(key));
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

/** Of a key that comes several times the last value: see eachWord. */
export type Words = CommentWords;

export const parseWords = (comment: string): Words => new CommentWords(comment);

/** Calls `visit` for each word of a comment, also for those whose key comes again. */
export function eachWord(comment: string, visit: (key: string, value: string) => void): void {
  for (const word of comment.split(' ').slice(1)) {
    const equals = word.indexOf('=');
    if (equals > 0) visit(word.slice(0, equals), word.slice(equals + 1));
  }
}

const ZERO = 48;

export function readNumber(text: string): number {
  // The quick way: up to fifteen digits, perhaps `ns` behind them.
  let value = 0;
  let at = 0;
  for (; at < text.length && at < 15; at++) {
    const digit = text.charCodeAt(at) - ZERO;
    if (digit < 0 || digit > 9) break;
    value = value * 10 + digit;
  }
  if (at > 0 && (at === text.length || (at === text.length - 2 && text.endsWith('ns')))) {
    return value;
  }
  if (!/^(?:0x[0-9a-f]+|-?\d+(?:\.\d+)?(?:e[+-]?\d+)?(?:ns)?)$/.test(text)) {
    throw new Unreadable(text);
  }
  return Number(text.replace(/ns$/, ''));
}
