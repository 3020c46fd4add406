/** The options that choose packets: from words to what the kernel is told. Nothing here needs the kernel yet. */
import { SkbspanError } from '../errors.ts';
import { createOptionCheck } from './option-check.ts';

/** What commander found, unchecked. */
export interface FilterFlags {
  readonly filterMark?: string;
  readonly filterIfname?: string;
  readonly filterPid?: string;
  readonly filterCgroup?: string;
  readonly filterContainer?: string;
  readonly filterDirection?: string;
  readonly filterMinLen?: string;
  readonly filterSkbExpr?: string;
  readonly filterTunnelPcapL2?: string;
  readonly filterTunnelPcapL3?: string;
  readonly sample?: string;
}

/** Checked as far as words can be. `undefined` is always "not asked for". */
export interface FilterOptions {
  /** pcap expressions. */
  readonly packet: string | undefined;
  readonly tunnelLink: string | undefined;
  readonly tunnelNetwork: string | undefined;
  readonly mark: { readonly value: number; readonly mask: number } | undefined;
  readonly ifname: string | undefined;
  readonly process: number | undefined;
  /** Path of a cgroup v2 folder, or relative to where cgroup2 is mounted. */
  readonly cgroup: string | undefined;
  /** The beginning of a container's id. */
  readonly container: string | undefined;
  readonly direction: 'transmit' | 'receive' | undefined;
  /** Over the fields of an skb. */
  readonly expression: string | undefined;
  readonly sampleRate: number | undefined;
}

const u32 = (text: string | undefined): number | undefined => {
  if (text === undefined || !/^(?:0x[0-9a-f]{1,8}|\d{1,10})$/i.test(text)) return undefined;
  const value = Number(text);
  return value <= 0xffffffff ? value : undefined;
};

/** `0x10`, `16` or `0x10/0xff`: the value is compared under the mask, as with pwru. */
export function parseMark(text: string): FilterOptions['mark'] {
  const [value, mask, more] = text.split('/');
  const number = u32(value);
  const bits = mask === undefined ? 0xffffffff : u32(mask);
  if (number === undefined || bits === undefined || more !== undefined) return undefined;
  return { value: (number & bits) >>> 0, mask: bits };
}

/** `1/1000` or `1000`: one packet of so many. */
function parseSample(text: string): number | undefined {
  const rate = Number(/^(?:1\/)?([1-9]\d{0,8})$/.exec(text)?.[1] ?? Number.NaN);
  return Number.isNaN(rate) ? undefined : rate;
}

const isInterfaceName = (text: string): boolean =>
  Buffer.byteLength(text) <= 15 && /^[^\s/:]+$/.test(text) && text !== '.' && text !== '..';

/** Words of the command line that look like options are none of the expression. */
export const isOption = (word: string): boolean => /^--?[a-z]/i.test(word);

/** Checks all of it; what is wrong is added to `problems`, one line each. */
export function parseFilterOptions(
  flags: FilterFlags,
  words: readonly string[],
  problems: string[],
): FilterOptions {
  const checked = createOptionCheck(problems);
  const minLen = checked(
    '--filter-min-len',
    flags.filterMinLen,
    (text) => (/^\d+$/.test(text) ? u32(text) : undefined),
    'a number of bytes',
  );
  const expressions = [
    ...(minLen === undefined ? [] : [`skb->len >= ${minLen}`]),
    ...(flags.filterSkbExpr === undefined ? [] : [flags.filterSkbExpr]),
  ];
  if (flags.filterCgroup !== undefined && flags.filterContainer !== undefined) {
    problems.push('--filter-cgroup and --filter-container cannot be combined');
  }
  const text = words.join(' ').trim();
  return {
    packet: text === '' ? undefined : text,
    tunnelLink: flags.filterTunnelPcapL2,
    tunnelNetwork: flags.filterTunnelPcapL3,
    mark: checked(
      '--filter-mark',
      flags.filterMark,
      parseMark,
      'a number up to 0xffffffff, or number/mask',
    ),
    ifname: checked(
      '--filter-ifname',
      flags.filterIfname,
      (name) => (isInterfaceName(name) ? name : undefined),
      'the name of an interface',
    ),
    process: checked(
      '--filter-pid',
      flags.filterPid,
      (id) => (/^[1-9]\d*$/.test(id) ? u32(id) : undefined),
      'a process id',
    ),
    cgroup: checked(
      '--filter-cgroup',
      flags.filterCgroup,
      (path) => path || undefined,
      'the path of a cgroup',
    ),
    container: checked(
      '--filter-container',
      flags.filterContainer,
      (id) => (/^[\w.-]{4,}$/.test(id) ? id : undefined),
      'at least 4 characters of a container id',
    ),
    direction: checked(
      '--filter-direction',
      flags.filterDirection,
      (name) => (['transmit', 'receive'] as const).find((one) => one === name),
      'transmit or receive',
    ),
    // One expression only, as the user wrote it, unless there are two to join.
    expression:
      expressions.length < 2 ? expressions[0] : expressions.map((one) => `(${one})`).join(' && '),
    sampleRate: checked('--sample', flags.sample, parseSample, '1/N, for example 1/1000'),
  };
}

/** Adds what `make` refuses to `problems`, other errors go on. */
export function collect<T>(problems: string[], make: () => T): T | undefined {
  try {
    return make();
  } catch (error) {
    if (!(error instanceof SkbspanError) || error.code !== 'SKBSPAN_USAGE') throw error;
    problems.push(error.message);
    return undefined;
  }
}
