import type { Command } from 'commander';
import { createOptionCheck } from './option-check.ts';

/** What commander found, unchecked; the names are pwru's. */
export interface OutputFileFlags {
  readonly outputFile?: string;
  readonly outputFileMaxSize?: string;
  readonly outputFileMaxBackups?: string;
  readonly outputFileMaxAge?: string;
  readonly outputFileCompress?: boolean;
}

export interface OutputFileOptions {
  readonly path: string;
  /** A file does not grow beyond; undefined: it may. */
  readonly maxBytes: number | undefined;
  /** How many older files are kept; undefined: all. */
  readonly maxBackups: number | undefined;
  /** How old they may be; undefined: any. */
  readonly maxAgeMs: number | undefined;
  /** Older files are packed by gzip. */
  readonly compress: boolean;
}

const dayMs = 24 * 3600 * 1000;

const whole = (text: string): number | undefined =>
  /^[1-9]\d{0,6}$/.test(text) ? Number(text) : undefined;

/** Checks all of it; what is wrong is added to `problems`, one line each. */
export function parseOutputFile(
  flags: OutputFileFlags,
  problems: string[],
): OutputFileOptions | undefined {
  const checked = createOptionCheck(problems);
  const megabytes = checked(
    '--output-file-max-size',
    flags.outputFileMaxSize,
    whole,
    'a number of megabytes',
  );
  const maxBackups = checked(
    '--output-file-max-backups',
    flags.outputFileMaxBackups,
    whole,
    'a number of files',
  );
  const days = checked('--output-file-max-age', flags.outputFileMaxAge, whole, 'a number of days');
  const path = flags.outputFile;
  if (path === undefined) {
    for (const [option, value] of [
      ['--output-file-max-size', flags.outputFileMaxSize],
      ['--output-file-max-backups', flags.outputFileMaxBackups],
      ['--output-file-max-age', flags.outputFileMaxAge],
      ['--output-file-compress', flags.outputFileCompress],
    ] as const) {
      if (value !== undefined) problems.push(`${option} needs --output-file`);
    }
    return undefined;
  }
  if (path === '') problems.push('--output-file: the value is empty');
  return {
    path,
    maxBytes: (megabytes ?? 100) * 1_000_000,
    maxBackups,
    maxAgeMs: days === undefined ? undefined : days * dayMs,
    compress: flags.outputFileCompress === true,
  };
}

export function addOutputFileOptions(command: Command): Command {
  return command
    .option('--output-file <file>', 'standard output into a file, which is begun anew when full')
    .option('--output-file-max-size <mb>', 'when it is full (default: 100)')
    .option('--output-file-max-backups <n>', 'how many full files are kept (default: all)')
    .option('--output-file-max-age <days>', 'how old they may be (default: any age)')
    .option('--output-file-compress', 'full files are packed by gzip');
}
