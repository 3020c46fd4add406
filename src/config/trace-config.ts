/** The configuration file of `skbspan trace`: a key for each of its options, so that neither knows more than the other. */
import { z } from 'zod';

/** What an option takes: nothing, a value, or a value that may be left out. */
export interface ConfigKey {
  readonly key: string;
  readonly takes: 'switch' | 'value' | 'optional';
}

/** As a flag would have it: text, or true for one without a value. Absent: not asked for. */
export type ConfigValues = Readonly<Record<string, string | boolean>>;

const scalar = z.union([z.string(), z.number()], {
  error: 'want text or a number',
});
const list = z.array(scalar, { error: 'want text, a number or a list of them' });

const valueOf: Readonly<Record<ConfigKey['takes'], z.ZodType>> = {
  switch: z.boolean({ error: 'want true or false' }),
  value: z.union([scalar, list], { error: 'want text, a number or a list of them' }),
  optional: z.union([scalar, z.boolean()], { error: 'want true, false or a value' }),
};

const textOf = (value: unknown): string =>
  Array.isArray(value) ? value.map(textOf).join(',') : `${value as string | number}`;

/** Accepts these keys and no others; null is "as if it were not there". */
export function traceConfigSchema(keys: readonly ConfigKey[]): z.ZodType<ConfigValues> {
  const shape = Object.fromEntries(
    keys.map(({ key, takes }) => [key, valueOf[takes].nullable().optional()] as const),
  );
  return z.strictObject(shape).transform((values) => {
    const asked: Record<string, string | boolean> = {};
    for (const [key, value] of Object.entries(values as Record<string, unknown>)) {
      if (value === null || value === undefined) continue;
      const takes = keys.find((one) => one.key === key)?.takes;
      if (value === false && takes === 'optional') continue;
      asked[key] = typeof value === 'boolean' ? value : textOf(value);
    }
    return asked;
  });
}
