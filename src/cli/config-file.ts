/** `--config FILE`: options from a file; what stands on the command line wins. */
import type { Command } from 'commander';
import { readYaml } from '../config/document.ts';
import { type ConfigKey, traceConfigSchema } from '../config/trace-config.ts';

/** The positional words have a key too. */
const wordsKey = 'pcap_filter';

/** The keys of a command's configuration file: its options, written with underscores. */
export const configKeys = (command: Command): ConfigKey[] => [
  { key: wordsKey, takes: 'value' },
  ...command.options
    .filter(({ long }) => long !== '--config' && long !== '--help')
    // `--no-x` beside `--x` says no more than x: false.
    .filter(({ long }, _, all) => !all.some((one) => long === one.long?.replace(/^--/, '--no-')))
    .map((option) => ({
      key: (option.long ?? '').replace(/^--(?:no-)?/, '').replaceAll('-', '_'),
      takes: option.required
        ? ('value' as const)
        : option.optional
          ? ('optional' as const)
          : ('switch' as const),
    })),
];

const flagName = (key: string): string =>
  key.replaceAll(/_(\w)/g, (_, letter: string) => letter.toUpperCase());

/** Flags and words of the command line over those of the file. Throws UsageError with all mistakes of the file. */
export function withConfigFile<T extends object>(
  command: Command,
  file: string,
  flags: T,
): { readonly flags: T; readonly words: readonly string[] } {
  const values = readYaml(file, traceConfigSchema(configKeys(command)), process.env);
  const merged = { ...flags } as Record<string, unknown>;
  for (const [key, value] of Object.entries(values)) {
    const name = flagName(key);
    if (key === wordsKey || command.getOptionValueSource(name) === 'cli') continue;
    merged[name] = value;
  }
  const filter = values[wordsKey];
  const words = command.args.length > 0 || typeof filter !== 'string' ? command.args : [filter];
  return { flags: merged as T, words };
}
