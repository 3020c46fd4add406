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

export const hex = (value: bigint): string => `0x${value.toString(16)}`;
