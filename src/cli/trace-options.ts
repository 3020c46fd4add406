import { UsageError } from '../errors.ts';
import { type BackendName, backendNames } from '../collector/backend.ts';
import type { KafkaOptions } from '../exporters/kafka/options.ts';
import { parseDuration } from './durations.ts';
import { pwruHint } from './pwru-flags.ts';
import {
  type FilterFlags,
  type FilterOptions,
  isOption,
  parseFilterOptions,
} from './filter-options.ts';
import { type DetailFlags, type DetailOptions, parseDetailOptions } from './detail-options.ts';
import {
  type OutputFileFlags,
  type OutputFileOptions,
  parseOutputFile,
} from './output-file-options.ts';
import { createOptionCheck } from './option-check.ts';
import { parseKafkaOptions, type KafkaFlags } from './kafka-options.ts';
import { type IntakeFlags, type IntakeOptions, parseIntakeOptions } from './intake-options.ts';
import { type MetricsFlags, type MetricsOutput, parseMetricsOptions } from './metrics-options.ts';
import { parseOtlpOptions, type OtlpFlags, type OtlpOutput } from './otlp-options.ts';
import { parsePcapng, type PcapngFlags, type PcapngOptions } from './pcapng-options.ts';

/** What commander found on the command line of `skbspan trace`: text, unchecked. */
export interface TraceFlags
  extends
    PcapngFlags,
    FilterFlags,
    KafkaFlags,
    OtlpFlags,
    IntakeFlags,
    MetricsFlags,
    DetailFlags,
    OutputFileFlags {
  readonly config?: string;
  readonly preset?: string;
  readonly kmods?: string;
  readonly allKmods?: boolean;
  readonly filterTrackSkb?: boolean;
  readonly outputMeta?: boolean;
  readonly outputTuple?: boolean;
  readonly outputTcpFlags?: boolean;
  readonly outputNetnsNames?: boolean;
  readonly outputJson?: boolean;
  readonly timestamp?: string;
  readonly backend?: string;
  readonly filterFunc?: string;
  readonly filterNetns?: string;
  readonly outputLimitLines?: string;
  readonly json?: string | true;
  readonly format?: string;
  readonly duration?: string;
  readonly readyFile?: string;
  readonly ringMb?: string;
  readonly maxLives?: string;
  readonly maxCalls?: string;
  readonly snaplen?: string;
  readonly color?: boolean;
  readonly kprobeExits?: boolean;
  /** false: --no-filter-trace-tc. */
  readonly filterTraceTc?: boolean;
  readonly filterTraceXdp?: boolean;
}

/** A checked command line. `undefined` is always "not asked for". */
export interface TraceOptions {
  readonly backend: BackendName | undefined;
  /** Regular expression that must match a function's whole name. */
  readonly functions: string | undefined;
  /** Names or files; src/config/presets.ts reads them. */
  readonly presets: readonly string[] | undefined;
  /** undefined: all. */
  readonly modules: readonly string[] | undefined;
  /** As given; src/kernel/namespaces.ts knows what it means. */
  readonly netns: string | undefined;
  readonly filter: FilterOptions;
  readonly detail: DetailOptions;
  /** Where standard output goes instead. */
  readonly outputFile: OutputFileOptions | undefined;
  readonly limitLines: number | undefined;
  readonly otlp: OtlpOutput | undefined;
  readonly intake: IntakeOptions;
  readonly metrics: MetricsOutput | undefined;
  /** `-`: standard output, instead of text. */
  readonly jsonFile: string | undefined;
  /** `-`: standard output, instead of text. */
  readonly pcapng: PcapngOptions | undefined;
  readonly kafka: KafkaOptions | undefined;
  /** none: no text at all. */
  readonly format: TextFormat;
  readonly table: { readonly timestamp: TimestampForm; readonly tcpFlags: boolean };
  readonly durationMs: number | undefined;
  readonly readyFile: string | undefined;
  readonly ringBytes: number;
  /** Sizes of the kernel side's tables. */
  readonly maps: { readonly lives: number; readonly calls: number };
  readonly snaplenBytes: number;
  /** undefined: as the terminal and NO_COLOR say. */
  readonly color: false | undefined;
  readonly exits: boolean;
  /** Kinds of BPF programs that are traced. */
  readonly programs: ReadonlySet<'tc' | 'xdp'>;
}

export const textFormats = ['tree', 'table', 'none'] as const;
export type TextFormat = (typeof textFormats)[number];

export const timestampForms = ['none', 'current', 'relative', 'absolute'] as const;
export type TimestampForm = (typeof timestampForms)[number];

const ringMbMax = 1024;
const snaplenMax = 65_535;
const callsMax = 16 * 1024 * 1024;
/** So that the verifier can reckon with the address of any place: within 2^29 bytes (BPF_MAX_VAR_OFF) of the table's beginning. */
const livesMax = 1024 * 1024;
/** As in bpf/maps.h. */
const tableDefault = 65_536;

/** The backend of that name; undefined if there is none. */
export const parseBackend = (name: string): BackendName | undefined =>
  backendNames.find((backend) => backend === name);

/** `a,b`, at least one. */
export function parseNames(text: string): readonly string[] | undefined {
  const names = text.split(',').map((name) => name.trim());
  return names.includes('') ? undefined : names;
}

function whole(text: string, least: number, most: number): number | undefined {
  const value = /^\d+$/.test(text) ? Number(text) : Number.NaN;
  return value >= least && value <= most ? value : undefined;
}

/** Why `source` is no regular expression; undefined if it is one. */
export function regexProblem(source: string): string | undefined {
  try {
    new RegExp(`^(?:${source})$`);
    return undefined;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** The words of the command line that no option took: unknown options and arguments without a meaning. */
export function leftoverProblems(leftovers: readonly string[]): string[] {
  return leftovers.map((word) =>
    word.startsWith('-')
      ? `unknown option ${word}${pwruHint(word)}`
      : `unexpected argument ${word}`,
  );
}

/** Throws one UsageError that names every mistake, none if `problems` is empty. */
export function refuse(problems: readonly string[], command: string): void {
  if (problems.length === 0) return;
  throw new UsageError(problems.join('\n  '), { advice: `See: skbspan ${command} --help` });
}

/** The options that have expressions in them. */
export interface Compiled {
  readonly filter: FilterOptions;
  readonly detail: DetailOptions;
}

export interface ParseContext {
  /** Default: trace. */
  readonly command?: string;
  /** Mistakes that the caller has found. */
  readonly more?: readonly string[];
  /** Adds mistakes that show only when expressions are compiled. */
  readonly check?: (asked: Compiled, problems: string[]) => void;
}

/**
 * Checks all of a `trace` command line at once, or of another command with a part of its options. `words` are the pcap
 * filter and what no option took. Throws UsageError with every mistake in it.
 */
export function parseTraceOptions(
  flags: TraceFlags,
  words: readonly string[] = [],
  { command = 'trace', more = [], check = () => undefined }: ParseContext = {},
): TraceOptions {
  const unknown = words.filter(isOption);
  const problems = [...more, ...leftoverProblems(unknown)];
  // After an unknown option nobody can say which words are its value.
  const filter = parseFilterOptions(flags, unknown.length > 0 ? [] : words, problems);
  const detail = parseDetailOptions(flags, problems);
  check({ filter, detail }, problems);

  const checked = createOptionCheck(problems);

  const timestamp = checked(
    '--timestamp',
    flags.timestamp,
    (text) => timestampForms.find((name) => name === text),
    timestampForms.join(', '),
  );
  const backend = checked('--backend', flags.backend, parseBackend, backendNames.join(', '));
  const format = checked(
    '--format',
    flags.format,
    (text) => textFormats.find((name) => name === text),
    textFormats.join(', '),
  );
  const limitLines = checked(
    '--output-limit-lines',
    flags.outputLimitLines,
    (text) => whole(text, 1, Number.MAX_SAFE_INTEGER),
    'a number of lines above 0',
  );
  const durationMs = checked(
    '--duration',
    flags.duration,
    parseDuration,
    'a duration like 500ms, 10s or 5m',
  );
  const ringMb = checked(
    '--ring-mb',
    flags.ringMb,
    (text) => {
      const value = whole(text, 1, ringMbMax);
      return value !== undefined && (value & (value - 1)) === 0 ? value : undefined;
    },
    `a power of two from 1 to ${ringMbMax}`,
  );
  const tableSize = (option: string, text: string | undefined, max: number): number =>
    checked(option, text, (value) => whole(value, 1, max), `a whole number from 1 to ${max}`) ??
    tableDefault;
  const maps = {
    lives: tableSize('--max-lives', flags.maxLives, livesMax),
    calls: tableSize('--max-calls', flags.maxCalls, callsMax),
  };
  const snaplenBytes = checked(
    '--snaplen',
    flags.snaplen,
    (text) => whole(text, 0, snaplenMax),
    `a number of bytes up to ${snaplenMax}`,
  );

  const otlp = parseOtlpOptions(flags, problems);
  const intake = parseIntakeOptions(flags, problems);
  const metrics = parseMetricsOptions(flags, flags.otlp !== undefined, problems);

  const badRegex = flags.filterFunc === undefined ? undefined : regexProblem(flags.filterFunc);
  if (badRegex !== undefined) problems.push(`--filter-func: ${badRegex}`);
  for (const [option, value] of [
    ['--filter-netns', flags.filterNetns],
    ['--ready-file', flags.readyFile],
    ['--json', flags.json],
  ] as const) {
    if (value === '') problems.push(`${option}: the value is empty`);
  }

  const json = flags.json ?? (flags.outputJson === true ? true : undefined);
  const jsonFile = json === true ? '-' : json;
  const pcapng = parsePcapng(flags, problems);
  if (jsonFile === '-' && pcapng?.file === '-') {
    problems.push('--json and --pcapng cannot both write to standard output: name a file');
  }
  if (pcapng?.file === '-' && (flags.format !== undefined || limitLines !== undefined)) {
    problems.push('--format and --output-limit-lines are for text, but --pcapng - replaces it');
  }
  if (jsonFile === '-' && (flags.format !== undefined || flags.color === false)) {
    problems.push('--format and --no-color are for text, but --json without a file replaces it');
  }
  const hasTableOptions = timestamp !== undefined || flags.outputTcpFlags === true;
  if (hasTableOptions && format !== 'table') {
    problems.push('--timestamp and --output-tcp-flags are for --format table');
  }
  if (flags.kprobeExits === true && backend !== undefined && backend !== 'kprobe') {
    problems.push(`--kprobe-exits is for the backend kprobe, not for ${backend}`);
  }

  const outputFile = parseOutputFile(flags, problems);
  if (outputFile !== undefined && pcapng?.file === '-') {
    problems.push('--output-file takes lines, but --pcapng - is none: name that file');
  }
  const kafka = parseKafkaOptions(flags, process.env, problems);

  const presets = checked('--preset', flags.preset, parseNames, 'names like path,drops');
  const modules = checked('--kmods', flags.kmods, parseNames, 'names like nf_tables,veth');
  if (flags.kmods !== undefined && flags.allKmods === true) {
    problems.push('--kmods and --all-kmods cannot be combined');
  }

  refuse(problems, command);
  return {
    backend,
    functions: flags.filterFunc,
    presets,
    modules,
    netns: flags.filterNetns,
    filter,
    detail,
    outputFile,
    limitLines,
    otlp,
    intake,
    metrics,
    jsonFile,
    pcapng,
    kafka,
    format: format ?? 'tree',
    table: { timestamp: timestamp ?? 'none', tcpFlags: flags.outputTcpFlags === true },
    durationMs,
    readyFile: flags.readyFile,
    ringBytes: (ringMb ?? 64) * 1024 * 1024,
    maps,
    snaplenBytes: snaplenBytes ?? 128,
    color: flags.color === false ? false : undefined,
    exits: flags.kprobeExits === true,
    programs: new Set([
      ...(flags.filterTraceTc === false ? [] : (['tc'] as const)),
      ...(flags.filterTraceXdp === false ? [] : (['xdp'] as const)),
    ]),
  };
}
