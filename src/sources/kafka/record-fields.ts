/** Reads fields of a JSON record strictly; what is missing or of another type is no record of ours. */

/** What was read makes no sense; the message says where. */
export class NotOurs extends Error {}

export type Fields = Readonly<Record<string, unknown>>;

export function object(value: unknown, at: string): Fields {
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new NotOurs(`${at} is no object`);
  return value as Fields;
}

export function list<T>(fields: Fields, name: string, read: (each: Fields) => T): T[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new NotOurs(`${name} is no array`);
  return value.map((each) => read(object(each, name)));
}

/** undefined for null. */
export function optional<T>(
  fields: Fields,
  name: string,
  read: (value: Fields) => T,
): T | undefined {
  const value = fields[name];
  return value === null ? undefined : read(object(value, name));
}

export function text(fields: Fields, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new NotOurs(`${name} is no text`);
  return value;
}

/** Empty where an older version did not write it. */
export const textIf = (fields: Fields, name: string): string =>
  fields[name] === undefined ? '' : text(fields, name);

/** Likewise. */
export const listIf = <T>(fields: Fields, name: string, read: (each: Fields) => T): T[] =>
  fields[name] === undefined ? [] : list(fields, name, read);

export function number(fields: Fields, name: string): number {
  const value = fields[name];
  if (typeof value !== 'number') throw new NotOurs(`${name} is no number`);
  return value;
}

export const textOr = (fields: Fields, name: string): string | undefined =>
  fields[name] === null ? undefined : text(fields, name);

export const numberOr = (fields: Fields, name: string): number | undefined =>
  fields[name] === null ? undefined : number(fields, name);

/** A u64 as text, decimal or `0x...`. */
export function big(fields: Fields, name: string): bigint {
  const value = text(fields, name);
  if (!/^(?:\d+|0x[\da-f]+)$/.test(value)) throw new NotOurs(`${name} is no number`);
  return BigInt(value);
}

/** One of a type's names; a newer skbspan may know more of them. */
export function word<Name extends string>(
  fields: Fields,
  name: string,
  names: readonly Name[],
): Name {
  const value = text(fields, name);
  const found = names.find((each) => each === value);
  if (found === undefined) throw new NotOurs(`${name} '${value}' is unknown`);
  return found;
}
