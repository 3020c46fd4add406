/**
 * Pieces of JSON text. Records are put together as text, member by member, since making objects for JSON.stringify takes twice
 * as long: what comes again in every call (names, tasks, devices) is text already.
 */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type Fields = Readonly<Record<string, Json>>;

/** Nothing in it needs an escape. */
const plain = /^[ !#-[\]-~]*$/;
const C1 = /[\u007f-\u009f]/g;

/**
 * A value as JSON. JSON.stringify escapes C0 controls only; DEL and C1 are escaped too, since a terminal that shows the text
 * would obey them.
 */
export const textOf = (value: Json): string =>
  JSON.stringify(value).replace(C1, (character) => `\\u00${character.charCodeAt(0).toString(16)}`);

export const quoted = (text: string): string => (plain.test(text) ? `"${text}"` : textOf(text));

/**
 * V8 keeps a string that was put together as a tree, and walks it whenever a text with it in is written; asking for a character
 * makes it one piece. What is used again should be one.
 */
export function flat(text: string): string {
  text.charCodeAt(0);
  return text;
}

/** Names of functions and the like: few, and each of them often. */
const NAMES_MOST = 8_192;
const names = new Map<string, string>();

/** As `quoted`, but remembered. */
export function name(text: string): string {
  let known = names.get(text);
  if (known === undefined) {
    known = flat(quoted(text));
    if (names.size >= NAMES_MOST) names.clear();
    names.set(text, known);
  }
  return known;
}

export const nameOrNull = (text: string | undefined): string =>
  text === undefined ? 'null' : name(text);

export const quotedOrNull = (text: string | undefined): string =>
  text === undefined ? 'null' : quoted(text);

/** Finite ones; JSON has no others. */
export const numberOrNull = (value: number | undefined): string =>
  value === undefined ? 'null' : `${value}`;

export const hex = (value: bigint): string => `0x${value.toString(16)}`;

export function list<T>(all: readonly T[], write: (each: T) => string): string {
  let text = '';
  for (const each of all) text += text === '' ? write(each) : `,${write(each)}`;
  return `[${text}]`;
}

/** `write` of objects that many others share: once for each of them. */
export function remembered<T extends object>(write: (value: T) => string): (value: T) => string {
  const texts = new WeakMap<T, string>();
  let last: T | undefined;
  let lastText = '';
  return (value) => {
    if (value === last) return lastText;
    let text = texts.get(value);
    if (text === undefined) {
      text = flat(write(value));
      texts.set(value, text);
    }
    last = value;
    lastText = text;
    return text;
  };
}
