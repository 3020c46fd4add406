export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type Fields = Readonly<Record<string, Json>>;

export const hex = (value: bigint): string => `0x${value.toString(16)}`;
