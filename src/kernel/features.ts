import { closeSync, existsSync, openSync, readFileSync, readSync } from 'node:fs';
import { SkbspanError } from '../errors.ts';
import { functionId } from './btf-functions.ts';
import { btfFolder, loadKernelBtf, moduleNames } from './btf-source.ts';
import {
  type Finding,
  tryCookie,
  tryKprobe,
  tryMulti,
  tryRingBuffer,
  tryTracepoint,
  tryTrampoline,
} from './feature-trials.ts';
import { findTracefs } from './tracefs.ts';

export { canWatchFunction, type Finding } from './feature-trials.ts';

/** Something that the running kernel has or lacks. */
export interface Feature {
  readonly name: string;
  /** First kernel with it, or the configuration that it needs. */
  readonly since: string;
  /** What skbspan does with it. */
  readonly why: string;
  /** Asks the kernel; an answer that is certain is kept. Leaves nothing behind. */
  probe(): Finding;
}

const refusal = (error: unknown): Finding => {
  if (!(error instanceof SkbspanError)) throw error;
  return { state: 'no', detail: error.message };
};

const checkBtf = (): Finding => {
  try {
    const types = loadKernelBtf().endId - 1;
    return {
      state: 'yes',
      detail: `${btfFolder}/vmlinux: ${types} types, ${moduleNames().length} modules`,
    };
  } catch (error) {
    return refusal(error);
  }
};

/** What a read of /proc/kallsyms gives is a page; per-CPU symbols, whose values are no addresses, may fill several. */
const kallsymsPages = 64;

/** Looks at the first lines only: reading them all takes the kernel a while. */
export const checkKallsyms = (path = '/proc/kallsyms'): Finding => {
  let text = '';
  try {
    const fd = openSync(path, 'r');
    try {
      const buffer = Buffer.alloc(64 * 1024);
      for (let page = 0; page < kallsymsPages; page++) {
        const bytes = readSync(fd, buffer);
        if (bytes === 0) break;
        text += buffer.toString('latin1', 0, bytes);
        if (/^ffff[0-9a-f]{12} [tT] /m.test(text))
          return { state: 'yes', detail: 'it shows addresses' };
      }
    } finally {
      closeSync(fd);
    }
  } catch {
    return { state: 'no', detail: `${path} cannot be read` };
  }
  return {
    state: 'no',
    detail: 'it hides the addresses: needs CAP_SYSLOG and kernel.kptr_restrict < 2',
  };
};

const checkTracefs = (): Finding => {
  const folder = findTracefs();
  if (folder === undefined)
    return { state: 'no', detail: 'not mounted at /sys/kernel/tracing, or not readable' };
  const list = `${folder}/available_filter_functions`;
  return existsSync(list)
    ? { state: 'yes', detail: list }
    : { state: 'no', detail: `${folder} has no available_filter_functions (no ftrace)` };
};

const capabilityBits = { CAP_SYS_ADMIN: 21, CAP_PERFMON: 38, CAP_BPF: 39 } as const;

/** Whether the effective set of /proc/<pid>/status suffices for tracing. */
export const checkCapabilities = (status = readFileSync('/proc/self/status', 'utf8')): Finding => {
  const effective = BigInt(`0x${/^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? '0'}`);
  const has = (name: keyof typeof capabilityBits): boolean =>
    ((effective >> BigInt(capabilityBits[name])) & 1n) === 1n;
  if (has('CAP_SYS_ADMIN')) return { state: 'yes', detail: 'CAP_SYS_ADMIN' };
  if (has('CAP_BPF') && has('CAP_PERFMON')) return { state: 'yes', detail: 'CAP_BPF, CAP_PERFMON' };
  return { state: 'no', detail: 'needs CAP_BPF and CAP_PERFMON, or root' };
};

/** Reads `none [integrity] confidentiality`; undefined: the kernel has no lockdown. */
export const checkLockdown = (text: string | undefined): Finding => {
  const mode = /\[(\w+)\]/.exec(text ?? '')?.[1] ?? 'none';
  return mode === 'confidentiality'
    ? { state: 'no', detail: 'locked down (confidentiality): programs may not read kernel memory' }
    : { state: 'yes', detail: `lockdown: ${mode}` };
};

const readLockdown = (): string | undefined => {
  try {
    return readFileSync('/sys/kernel/security/lockdown', 'utf8');
  } catch {
    return undefined;
  }
};

const checkSession = (): Finding => {
  const link = tryMulti(true);
  if (link.state !== 'yes') return link;
  const lacking = ['bpf_session_is_return', 'bpf_session_cookie'].filter(
    (name) => functionId(loadKernelBtf(), name) === undefined,
  );
  if (lacking.length === 0) return link;
  return { state: 'no', detail: `BTF does not know ${lacking.join(' and ')}` };
};

const feature = (name: string, since: string, why: string, ask: () => Finding): Feature => {
  let known: Finding | undefined;
  return {
    name,
    since,
    why,
    probe() {
      if (known !== undefined) return known;
      const finding = ask();
      if (finding.state !== 'unknown') known = finding;
      return finding;
    },
  };
};

const byName = {
  capabilities: feature(
    'capabilities',
    '5.8 (before: CAP_SYS_ADMIN)',
    'to load programs and read kernel memory',
    () => checkCapabilities(),
  ),
  lockdown: feature('no lockdown', 'any', 'to read packets in kernel memory', () =>
    checkLockdown(readLockdown()),
  ),
  btf: feature('BTF', 'CONFIG_DEBUG_INFO_BTF', 'to find the functions that take an skb', checkBtf),
  ringbuf: feature('ring buffer', '5.8', 'to bring events to user space', tryRingBuffer),
  kallsyms: feature('kallsyms', 'CONFIG_KALLSYMS', 'to name addresses', () => checkKallsyms()),
  tracefs: feature(
    'list of traceable functions',
    'CONFIG_FUNCTION_TRACER, tracefs',
    'to know beforehand what can be attached to',
    checkTracefs,
  ),
  tracepoints: feature(
    'BTF tracepoints',
    '5.5',
    'to see packets freed and dropped, and milestones',
    tryTracepoint,
  ),
  trampolines: feature(
    'fentry and fexit',
    '5.17, CONFIG_FUNCTION_TRACER',
    'to link clones, segments and fragments where there are no kprobes',
    tryTrampoline,
  ),
  kprobes: feature('kprobes', 'CONFIG_KPROBES', 'to watch functions one by one', tryKprobe),
  cookies: feature('attach cookies', '5.15', 'to tell probes apart in one program', tryCookie),
  multi: feature(
    'kprobe-multi',
    '5.18, CONFIG_FPROBE',
    'to watch thousands of functions by one attachment',
    () => tryMulti(false),
  ),
  session: feature(
    'kprobe-session',
    '6.10, CONFIG_FPROBE',
    'to watch entry and exit by one attachment',
    checkSession,
  ),
} as const;

/** Functions can be watched by trampolines, without kprobes. */
export const { trampolines } = byName;

/** All features, in the order in which a reader wants them. */
export const features: readonly Feature[] = Object.values(byName);

export interface BackendSupport {
  readonly backend: 'kprobe-session' | 'kprobe-multi' | 'kprobe' | 'tracepoint';
  readonly available: boolean;
  /** `feature: what was found` for each feature that it lacks. */
  readonly missing: readonly string[];
}

const { capabilities, lockdown, btf, ringbuf, kallsyms, tracepoints, cookies } = byName;
const always = [capabilities, lockdown, btf, ringbuf, tracepoints];
const needs: readonly (readonly [BackendSupport['backend'], readonly Feature[]])[] = [
  ['kprobe-session', [...always, kallsyms, byName.session]],
  ['kprobe-multi', [...always, kallsyms, byName.multi]],
  ['kprobe', [...always, kallsyms, byName.kprobes, cookies]],
  ['tracepoint', always],
];

/** Whether single kprobes can be set, by the two things that they need last: whoever has these has hardly ever not the others. */
export const canSetKprobes = (): boolean =>
  [kallsyms, cookies].every((one) => one.probe().state === 'yes');

/** What each backend lacks on this kernel, best backend first. Asks the kernel about one when it comes to that one. */
export function* eachBackend(): Generator<BackendSupport> {
  for (const [backend, wanted] of needs) {
    const missing = wanted
      .map((one) => ({ name: one.name, ...one.probe() }))
      .filter(({ state }) => state !== 'yes')
      .map(({ name, detail }) => `${name}: ${detail}`);
    yield { backend, available: missing.length === 0, missing };
  }
}

/** All of eachBackend. */
export const detectBackends = (): readonly BackendSupport[] => [...eachBackend()];
