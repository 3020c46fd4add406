/** Presets: named sets of functions, one YAML file each. Those of skbspan lie in config/presets/. */
import { existsSync, readdirSync } from 'node:fs';
import { homedir } from 'node:os';
import { join } from 'node:path';
import { z } from 'zod';
import { UsageError } from '../errors.ts';
import { readYaml } from './document.ts';

const isRegex = (source: string): boolean => {
  try {
    new RegExp(`^(?:${source})$`);
    return true;
  } catch {
    return false;
  }
};

const presetSchema = z.strictObject({
  /** One line that says what it is for. */
  about: z.string(),
  /** Regular expressions; a function is in it if one of them matches its whole name. */
  functions: z.array(z.string().refine(isRegex, { error: 'this is no regular expression' })).min(1),
});

const ownFolder = new URL('../../config/presets/', import.meta.url).pathname;
const userFolder = (): string =>
  join(process.env['XDG_CONFIG_HOME'] ?? join(homedir(), '.config'), 'skbspan/presets');

const namesIn = (folder: string): string[] =>
  existsSync(folder)
    ? readdirSync(folder)
        .filter((file) => file.endsWith('.yaml'))
        .map((file) => file.slice(0, -'.yaml'.length))
    : [];

/** Names of all presets, the user's included. */
export const presetNames = (folders = [ownFolder, userFolder()]): string[] =>
  [...new Set(folders.flatMap(namesIn))].sort();

function pathOf(name: string, folders: readonly string[]): string {
  // What looks like a file is one.
  if (name.includes('/') || name.endsWith('.yaml')) return name;
  // The user's own come first: they may improve on ours.
  const found = [...folders].reverse().find((folder) => namesIn(folder).includes(name));
  if (found !== undefined) return join(found, `${name}.yaml`);
  throw new UsageError(`there is no preset '${name}'`, {
    advice: `There are ${presetNames([...folders]).join(', ')}; or give the path of a file.`,
  });
}

/** The functions of presets, by name or file, as one regular expression over whole names. Throws UsageError. */
export const presetFunctions = (
  names: readonly string[],
  folders: readonly string[] = [ownFolder, userFolder()],
): string =>
  names
    .flatMap((name) => readYaml(pathOf(name, folders), presetSchema).functions)
    .map((source) => `(?:${source})`)
    .join('|');
