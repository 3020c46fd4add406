/** Reading YAML files that people write: every mistake with its place, all of them in one message. */
import { readFileSync } from 'node:fs';
import { LineCounter, parseDocument } from 'yaml';
import type { z } from 'zod';
import { UsageError } from '../errors.ts';

type Environment = Readonly<Record<string, string | undefined>>;

/** `${NAME}` and `${NAME:-default}` in the text, `$$` for a dollar. An unset name without a default is empty. */
export const substitute = (text: string, environment: Environment): string =>
  text.replace(
    /\$\$|\$\{(\w+)(?::-([^}]*))?\}/g,
    (whole, name: string | undefined, otherwise: string | undefined) => {
      if (whole === '$$' || name === undefined) return '$';
      return environment[name] ?? otherwise ?? '';
    },
  );

const pathOf = (path: readonly PropertyKey[]): string =>
  path.length === 0 ? '' : `${path.map(String).join('.')}: `;

/** One line per mistake; unknown keys each on their own. */
function describe(issue: z.core.$ZodIssue): string[] {
  if (issue.code === 'unrecognized_keys') {
    return issue.keys.map((key) => `${pathOf([...issue.path, key])}there is no such key`);
  }
  return [`${pathOf(issue.path)}${issue.message}`];
}

/** Throws UsageError with all mistakes of the text. `name` is what messages call it. */
export function parseYaml<T>(
  name: string,
  text: string,
  schema: z.ZodType<T>,
  environment: Environment = {},
): T {
  const lineCounter = new LineCounter();
  const document = parseDocument(substitute(text, environment), { lineCounter });
  const [first] = document.errors;
  if (first !== undefined) {
    throw new UsageError(`${name} is no YAML: ${first.message}`);
  }
  const result = schema.safeParse(document.toJS() ?? {});
  if (result.success) return result.data;
  const mistakes = result.error.issues.flatMap(describe);
  throw new UsageError(`${name} is wrong:\n  ${mistakes.join('\n  ')}`, {
    advice: 'Every key with its default and meaning: config/default.yaml.',
  });
}

/** The same of a file. Throws UsageError if it cannot be read. */
export function readYaml<T>(path: string, schema: z.ZodType<T>, environment: Environment = {}): T {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new UsageError(`${path} cannot be read: ${reason}`, { cause });
  }
  return parseYaml(path, text, schema, environment);
}
