import type { Command } from 'commander';
import type { Rotation } from '../exporters/pcapng/file-output.ts';
import { type PcapngMode, pcapngModes } from '../exporters/pcapng/words.ts';
import { parseDuration } from './durations.ts';

export interface PcapngFlags {
  readonly pcapng?: string;
  readonly pcapngMode?: string;
  readonly pcapngRotate?: string;
}

export interface PcapngOptions {
  /** `-`: standard output. */
  readonly file: string;
  readonly mode: PcapngMode;
  readonly rotation: Rotation | undefined;
}

const units: Readonly<Record<string, number>> = { '': 1, k: 1e3, M: 1e6, G: 1e9 };

/** `100M`, `1G`, `500k`, or a plain number; `B` may follow. undefined: nothing of the kind, or zero. */
export function parseSize(text: string): number | undefined {
  const match = /^(\d+(?:\.\d+)?)([kMG]?)B?$/.exec(text);
  const size = match === null ? 0 : Math.round(Number(match[1]) * (units[match[2] ?? ''] ?? 0));
  return size > 0 ? size : undefined;
}

const parseCount = (text: string): number | undefined =>
  /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;

const limits: Readonly<
  Record<
    string,
    { readonly field: keyof Rotation; readonly parse: (text: string) => number | undefined }
  >
> = {
  size: { field: 'bytes', parse: parseSize },
  time: { field: 'milliseconds', parse: parseDuration },
  packets: { field: 'packets', parse: parseCount },
  files: { field: 'files', parse: parseCount },
};

const rotateForm =
  'want size:100M, time:10m or packets:1000000 or several with commas, and files:10 if only the newest are to be kept';

/** Words such as `size:100M,files:10`; a string is what is wrong. */
function parseRotation(text: string): Rotation | string {
  const rotation: { -readonly [Field in keyof Rotation]: number } = {};
  for (const word of text.split(',')) {
    const [name = '', value = ''] = word.split(/:(.*)/s);
    const limit = Object.hasOwn(limits, name) ? limits[name] : undefined;
    const parsed = limit?.parse(value);
    if (limit === undefined || parsed === undefined) return `'${word}': ${rotateForm}`;
    rotation[limit.field] = parsed;
  }
  const { bytes, milliseconds, packets } = rotation;
  return (bytes ?? milliseconds ?? packets) === undefined
    ? `'${text}' never begins a new file: ${rotateForm}`
    : rotation;
}

/** What was asked for; mistakes are added to `problems`. */
export function parsePcapng(flags: PcapngFlags, problems: string[]): PcapngOptions | undefined {
  const { pcapng: file, pcapngMode, pcapngRotate } = flags;
  const mode = pcapngModes.find((name) => name === pcapngMode);
  if (pcapngMode !== undefined && mode === undefined) {
    problems.push(`--pcapng-mode: want ${pcapngModes.join(' or ')}, not '${pcapngMode}'`);
  }
  const rotation = pcapngRotate === undefined ? undefined : parseRotation(pcapngRotate);
  if (typeof rotation === 'string') problems.push(`--pcapng-rotate: ${rotation}`);
  if (file === undefined) {
    if (pcapngMode !== undefined) problems.push('--pcapng-mode needs --pcapng');
    if (pcapngRotate !== undefined) problems.push('--pcapng-rotate needs --pcapng');
    return undefined;
  }
  if (file === '') problems.push('--pcapng: the value is empty');
  if (file === '-' && pcapngRotate !== undefined) {
    problems.push('--pcapng-rotate is for files, not for standard output');
  }
  return {
    file,
    mode: mode ?? 'path',
    rotation: typeof rotation === 'string' ? undefined : rotation,
  };
}

/** The options of `trace` and `convert` that make a pcapng. */
export function addPcapngOptions(command: Command): Command {
  return command
    .option(
      '--pcapng <file>',
      'write a pcapng for Wireshark, compressed if its name ends in .gz or .zst; - is standard output',
    )
    .option(
      '--pcapng-mode <mode>',
      'path: each packet once, with its path as comments; hop: a record per call, for convert (default: path)',
    )
    .option(
      '--pcapng-rotate <limits>',
      'begin a new file at size:100M, time:10m or packets:1000000; files:10 keeps the newest ten',
    );
}
