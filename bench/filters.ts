/**
 * What it takes to choose: in one of Debian's kernels under QEMU (`node bench/filters.ts 6.12`, or 6.1, 7.2), skbspan beside Debian's
 * pwru on all skb functions, both in one boot.
 *
 * There are two boots. In the first the clock counts instructions, a nanosecond each, of the one CPU there is: what comes out does
 * not depend on how busy this machine is, nor on how well QEMU translates code that runs once, of which Node has more than
 * anybody. The second has two CPUs and follows the clock on the wall, the translation included.
 *
 * - ready: from starting the process to its ready file; first the start after an installation, when nothing is kept of the kernel's
 *   answers, then the later ones (medians); with `--preset path` too, which pwru has no counterpart for
 * - exit: from Ctrl-C to the prompt, a while after it was ready
 * - untraced: a flood that the filter does not choose; what the programs took by the kernel's own statistics
 *   (kernel.bpf_stats_enabled), for each time one ran. Only in the first boot
 * - attach: 10,000 functions by one kprobe.multi link. Only in the second
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { kernelNames } from '../scripts/vm/kernels.ts';
import { bootMachine } from '../scripts/vm/machine.ts';
import { buildPublished } from '../scripts/vm/published.ts';
import { createLifePlaces, putLifePlaces } from '../src/collector/life-places.ts';
import { attachTypes } from '../src/ffi/bpf-syscall.ts';
import { closeFd } from '../src/ffi/libc.ts';
import { openBpfObject } from '../src/ffi/libbpf.ts';
import { attachKprobeMulti } from '../src/ffi/links.ts';
import { startTracer, withLab, type Lab, type Tracer } from '../test/vm/lab.ts';

const TIMEOUT_MS = 20 * 60_000;
const FLOOD_PACKETS = 300;
/** Does not match an ICMP packet, and is looked up in its headers. */
const FILTER = ['tcp', 'port', '9'];

/** From ready to Ctrl-C: nobody stops what has only just begun. */
const TRACED_MS = 3_000;

const kernel = kernelNames.find((name) => process.argv.includes(name)) ?? '6.12';
const hasMulti = kernel !== '6.1';
/** After the first start. */
const rounds = 3;

const files = { readyFile: '/tmp/ready', output: '/tmp/output', log: '/tmp/log' } as const;
const skbspan = (...args: readonly string[]): Tracer => ({
  ...files,
  command: [
    process.execPath,
    ...['dist/cli/main.js', 'trace', '--format', 'table', '--ready-file', files.readyFile],
    ...args,
  ],
});
const pwru = (...args: readonly string[]): Tracer => ({
  ...files,
  command: ['pwru', '--ready-file', files.readyFile, ...args],
});

interface Ran {
  readonly readyMs: number;
  readonly exitMs: number;
  /** Of all programs that kprobes run. */
  readonly nsPerHit: number;
  readonly hits: number;
}

interface ProgramInfo {
  readonly type: string;
  readonly run_time_ns?: number;
  readonly run_cnt?: number;
}

function programTimes(lab: Lab): { readonly ns: number; readonly hits: number } {
  const programs = JSON.parse(lab.run('bpftool -j prog list')) as ProgramInfo[];
  let ns = 0;
  let hits = 0;
  for (const { type, run_time_ns: time = 0, run_cnt: runs = 0 } of programs) {
    if (type !== 'kprobe') continue;
    ns += time;
    hits += runs;
  }
  return { ns, hits };
}

/** What the kernel still removes must neither slow the next one down nor be there for it already: its programs go first, then kprobes. */
async function settled(lab: Lab): Promise<void> {
  const programs = (): number =>
    (JSON.parse(lab.run('bpftool -j prog list') || '[]') as unknown[]).length;
  const probes = (): number => readFileSync('/sys/kernel/debug/kprobes/list').length;
  while (programs() > 0 || probes() > 0) await sleep(500);
}

async function run(lab: Lab, tracer: Tracer, flood: boolean): Promise<Ran> {
  await settled(lab);
  const children: ChildProcess[] = [];
  try {
    const running = await startTracer(tracer, children);
    let times = { ns: 0, hits: 0 };
    await sleep(TRACED_MS);
    if (flood) {
      const before = programTimes(lab);
      lab.run(`chrt -f 50 ip netns exec a ping -n -q -f -c ${FLOOD_PACKETS} 10.0.0.2`);
      const after = programTimes(lab);
      times = { ns: after.ns - before.ns, hits: after.hits - before.hits };
    }
    const isLast = !hasMulti && tracer.command[0] === 'pwru';
    const exitMs = isLast ? Number.NaN : (await running.stop()).exitMs;
    return { readyMs: running.readyMs, exitMs, nsPerHit: times.ns / times.hits, hits: times.hits };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

/** One link on so many functions of the kernel, with the program that does the least: recording is off. */
function attachMany(count: number): { readonly functions: number; readonly ms: number } {
  const listed = readFileSync('/sys/kernel/tracing/available_filter_functions', 'utf8');
  const seen = new Map<string, number>();
  for (const line of listed.split('\n')) {
    if (/^\w+$/.test(line)) seen.set(line, (seen.get(line) ?? 0) + 1);
  }
  const names = [...seen].filter(([name, copies]) => copies === 1 && !/bpf|rcu|trace/.test(name));
  const contents = readFileSync('build/skbspan.bpf.o');
  const places = createLifePlaces(undefined);
  putLifePlaces(contents, places);
  const object = openBpfObject('build/skbspan.bpf.o', { contents });
  try {
    object.map('lives').reuse(places);
    for (const name of object.programNames()) object.program(name).setAutoload(name === 'enter');
    object.program('enter').setExpectedAttachType(attachTypes.kprobeMulti);
    object.load();
    const chosen = names.slice(0, count).map(([name]) => name);
    const began = performance.now();
    const link = attachKprobeMulti(object.program('enter'), {
      functions: chosen,
      cookies: [],
      retprobe: false,
      session: false,
    });
    const ms = performance.now() - began;
    link.close();
    return { functions: chosen.length, ms };
  } finally {
    object.close();
    closeFd(places);
  }
}

type Results = Record<string, Ran[]>;

const tracers = {
  skbspan: skbspan(),
  'skbspan, filter': skbspan(...FILTER),
  'preset path': skbspan('--preset', 'path'),
  'tracepoint backend': skbspan('--backend', 'tracepoint'),
  pwru: pwru(),
  'pwru, filter': pwru(...FILTER),
} as const;
type TracerName = keyof typeof tracers;
/** pwru takes minutes to remove single kprobes, also when it is killed: so it comes last and but once, with a filter. */
const pwruOnce: TracerName = 'pwru, filter';
const chosen = (Object.keys(tracers) as TracerName[]).filter(
  (name) => hasMulti || !name.startsWith('pwru'),
);

async function runInGuest(counts: boolean): Promise<void> {
  const results: Results = {};
  let attached: unknown = 'no kprobe.multi in this kernel';
  await withLab('/tmp/lab', '', undefined, async (lab) => {
    lab.run('sysctl -qw kernel.bpf_stats_enabled=1');
    const start = async (as: string, name: TracerName, flood = false): Promise<void> => {
      const ran = await run(lab, tracers[name], flood);
      (results[as] ??= []).push(ran);
      console.log(as, JSON.stringify(ran));
    };
    await start('first start', 'skbspan');
    for (let round = 0; round < rounds; round++) {
      for (const name of chosen)
        await start(name, name, counts && round === 0 && name.endsWith('filter'));
    }
    if (!hasMulti) {
      await start(pwruOnce, pwruOnce, counts);
      results['pwru'] = results[pwruOnce] ?? [];
      return;
    }
    await settled(lab);
    if (!counts && existsSync('/sys/kernel/tracing/available_filter_functions')) {
      attached = attachMany(10_000);
      console.log('attach', JSON.stringify(attached));
    }
  });
  writeFileSync('/results/bench.json', JSON.stringify({ results, attached }));
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}

interface Boot {
  readonly release: string;
  readonly results: Results;
  readonly attached: unknown;
}

async function boot(counts: boolean): Promise<Boot> {
  const machine = await bootMachine({
    kernel,
    script: `node bench/filters.ts --guest ${counts ? '--counts' : ''} ${kernel}`,
    timeoutMs: TIMEOUT_MS,
    ...(counts ? { countsInstructions: true } : { parallel: true }),
    onOutput: (chunk) => process.stderr.write(chunk),
  });
  const text = machine.files.get('bench.json')?.toString();
  if (machine.status !== 0 || text === undefined) throw new Error(machine.output);
  return { release: machine.release, ...(JSON.parse(text) as Omit<Boot, 'release'>) };
}

function print({ results, attached }: Boot, counts: boolean): void {
  const of = (name: string, key: keyof Ran): number =>
    Math.round(median((results[name] ?? []).map((ran) => ran[key])));
  const row = (what: string, ours: number, theirs: number, unit: string): void => {
    const ratio = (ours / theirs).toFixed(2);
    const cells = [what, `${ours} ${unit}`, `${theirs} ${unit}`, ratio];
    console.log(`  ${cells.map((cell) => cell.padEnd(26)).join('')}`);
  };
  const title = counts ? 'one CPU, by instructions' : 'two CPUs, by the wall clock of QEMU';
  console.log(`  ${[title, 'skbspan', 'pwru', 'ratio'].map((word) => word.padEnd(26)).join('')}`);
  row('ready, first start', of('first start', 'readyMs'), of('pwru', 'readyMs'), 'ms');
  row('ready', of('skbspan', 'readyMs'), of('pwru', 'readyMs'), 'ms');
  row(
    `ready, ${FILTER.join(' ')}`,
    of('skbspan, filter', 'readyMs'),
    of('pwru, filter', 'readyMs'),
    'ms',
  );
  row('ready, --preset path', of('preset path', 'readyMs'), of('pwru', 'readyMs'), 'ms');
  row('Ctrl-C to prompt', of('skbspan', 'exitMs'), of('pwru', 'exitMs'), 'ms');
  row('Ctrl-C, tracepoint', of('tracepoint backend', 'exitMs'), of('pwru', 'exitMs'), 'ms');
  if (!counts) {
    console.log(`  one link: ${JSON.stringify(attached)}`);
    return;
  }
  const first = (name: TracerName, key: keyof Ran): number =>
    Math.round(results[name]?.[0]?.[key] ?? NaN);
  for (const [what, key] of [
    ['untraced packet, a hit', 'nsPerHit'],
    ['hits in the flood', 'hits'],
  ] as const)
    row(what, first('skbspan, filter', key), first('pwru, filter', key), '');
}

async function runOnHost(): Promise<void> {
  buildPublished();
  const [counted, timed] = [await boot(true), await boot(false)];
  console.log(`  ${counted.release}, medians of ${rounds}`);
  print(counted, true);
  print(timed, false);
  console.log(JSON.stringify({ bench: 'filters', counted, timed }));
}

if (process.argv.includes('--guest')) await runInGuest(process.argv.includes('--counts'));
else await runOnHost();
