/**
 * What it takes to choose: in one of Debian's kernels under QEMU (`node bench/filters.ts 6.12`, or 6.1, 7.2), in one boot, skbspan
 * beside Debian's pwru on all skb functions. They take turns; medians of some rounds.
 *
 * - ready: from starting the process to its ready file; with `--preset path` too, which pwru has no counterpart for
 * - exit: from Ctrl-C to the prompt
 * - untraced: a flood that the filter does not choose; what the programs took by the kernel's own statistics
 *   (kernel.bpf_stats_enabled), for each time one ran. In a boot of its own, whose clock counts instructions: a nanosecond is one
 * - attach: 10,000 functions by one kprobe.multi link
 */
import type { ChildProcess } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { kernelNames } from '../scripts/vm/kernels.ts';
import { bootMachine } from '../scripts/vm/machine.ts';
import { buildPublished } from '../scripts/vm/published.ts';
import { attachTypes } from '../src/ffi/bpf-syscall.ts';
import { openBpfObject } from '../src/ffi/libbpf.ts';
import { attachKprobeMulti } from '../src/ffi/links.ts';
import { startTracer, withLab, type Lab, type Tracer } from '../test/vm/lab.ts';

const TIMEOUT_MS = 20 * 60_000;
const FLOOD_PACKETS = 300;
/** Does not match an ICMP packet, and is looked up in its headers. */
const FILTER = ['tcp', 'port', '9'];

const kernel = kernelNames.find((name) => process.argv.includes(name)) ?? '6.12';
/** Single kprobes take their time; one round of them is enough. */
const rounds = kernel === '6.1' ? 1 : Number(process.env['ROUNDS'] ?? 3);
const hasMulti = kernel !== '6.1';

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

/** What the kernel still removes must not slow the next one down. */
async function settled(lab: Lab): Promise<void> {
  const left = (): number =>
    (JSON.parse(lab.run('bpftool -j prog list') || '[]') as unknown[]).length;
  while (left() > 0) await sleep(500);
}

async function run(lab: Lab, tracer: Tracer, flood: boolean): Promise<Ran> {
  await settled(lab);
  const children: ChildProcess[] = [];
  try {
    const running = await startTracer(tracer, children);
    let times = { ns: 0, hits: 0 };
    if (flood) {
      const before = programTimes(lab);
      lab.run(`chrt -f 50 ip netns exec a ping -n -q -f -c ${FLOOD_PACKETS} 10.0.0.2`);
      const after = programTimes(lab);
      times = { ns: after.ns - before.ns, hits: after.hits - before.hits };
    }
    // pwru takes minutes to remove single kprobes, which is not what is measured here.
    const isSlow = !hasMulti && tracer.command[0] === 'pwru';
    const { exitMs } = isSlow
      ? { ...(await running.stop('SIGKILL')), exitMs: Number.NaN }
      : await running.stop();
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
  const object = openBpfObject('build/skbspan.bpf.o', {});
  try {
    for (const name of object.programNames()) object.program(name).setAutoload(name === 'enter');
    object.program('enter').setExpectedAttachType(attachTypes.kprobeMulti);
    object.load();
    const chosen = names.slice(0, count).map(([name]) => name);
    const began = performance.now();
    const link = attachKprobeMulti(object.program('enter'), {
      names: chosen,
      cookies: [],
      retprobe: false,
      session: false,
    });
    const ms = performance.now() - began;
    link.close();
    return { functions: chosen.length, ms };
  } finally {
    object.close();
  }
}

type Results = Record<string, Ran[]>;

async function costsInGuest(): Promise<void> {
  const results: Results = {};
  await withLab('/tmp/lab', '', undefined, async (lab) => {
    lab.run('sysctl -qw kernel.bpf_stats_enabled=1');
    for (const [name, tracer] of [
      ['skbspan', skbspan(...FILTER)],
      ['pwru', pwru(...FILTER)],
    ] as const) {
      const ran = await run(lab, tracer, true);
      results[name] = [ran];
      console.log(name, JSON.stringify(ran));
    }
  });
  writeFileSync('/results/costs.json', JSON.stringify(results));
}

async function runInGuest(): Promise<void> {
  const results: Results = {};
  let attached: unknown = 'no kprobe.multi in this kernel';
  await withLab('/tmp/lab', '', undefined, async (lab) => {
    const tracers = [
      ['skbspan', skbspan(...FILTER)],
      ['pwru', pwru(...FILTER)],
      ['preset', skbspan('--preset', 'path', ...FILTER)],
      ['tracepoint', skbspan('--backend', 'tracepoint', ...FILTER)],
    ] as const;
    for (let round = 0; round < rounds; round++) {
      for (const [name, tracer] of tracers) {
        const ran = await run(lab, tracer, false);
        (results[name] ??= []).push(ran);
        console.log(name, JSON.stringify(ran));
      }
    }
    await settled(lab);
    if (hasMulti && existsSync('/sys/kernel/tracing/available_filter_functions')) {
      attached = attachMany(10_000);
      console.log('attach', JSON.stringify(attached));
    }
  });
  writeFileSync('/results/bench.json', JSON.stringify({ results, attached }));
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}

async function runOnHost(): Promise<void> {
  buildPublished();
  const machine = await bootMachine({
    kernel,
    script: `ROUNDS=${rounds} node bench/filters.ts --guest ${kernel}`,
    timeoutMs: TIMEOUT_MS,
    parallel: true,
    onOutput: (chunk) => process.stderr.write(chunk),
  });
  const text = machine.files.get('bench.json')?.toString();
  if (machine.status !== 0 || text === undefined) throw new Error(machine.output);
  const counting = await bootMachine({
    kernel,
    script: `node bench/filters.ts --costs ${kernel}`,
    timeoutMs: TIMEOUT_MS,
    countsInstructions: true,
    onOutput: (chunk) => process.stderr.write(chunk),
  });
  const costText = counting.files.get('costs.json')?.toString();
  if (counting.status !== 0 || costText === undefined) throw new Error(counting.output);
  const costs = JSON.parse(costText) as Results;
  const { results, attached } = JSON.parse(text) as { results: Results; attached: unknown };
  const of = (name: string, key: keyof Ran): number =>
    Math.round(median((results[name] ?? []).map((ran) => ran[key])));
  const row = (what: string, ours: number, theirs: number, unit: string): void => {
    const ratio = (ours / theirs).toFixed(2);
    const cells = [what, `${ours} ${unit}`, `${theirs} ${unit}`, ratio];
    console.log(`  ${cells.map((cell) => cell.padEnd(24)).join('')}`);
  };
  console.log(`  ${machine.release}, medians of ${rounds}`);
  console.log(`  ${['', 'skbspan', 'pwru', 'ratio'].map((word) => word.padEnd(24)).join('')}`);
  row('ready, all functions', of('skbspan', 'readyMs'), of('pwru', 'readyMs'), 'ms');
  row('ready, --preset path', of('preset', 'readyMs'), of('pwru', 'readyMs'), 'ms');
  row('Ctrl-C to prompt', of('skbspan', 'exitMs'), of('pwru', 'exitMs'), 'ms');
  row('Ctrl-C, tracepoint', of('tracepoint', 'exitMs'), of('pwru', 'exitMs'), 'ms');
  const cost = (name: string, key: keyof Ran): number => Math.round(costs[name]?.[0]?.[key] ?? NaN);
  const untraced = [cost('skbspan', 'nsPerHit'), cost('pwru', 'nsPerHit')] as const;
  row('untraced packet, a hit', ...untraced, 'insns');
  row('hits in the flood', cost('skbspan', 'hits'), cost('pwru', 'hits'), '');
  console.log(`  one link: ${JSON.stringify(attached)}`);
  console.log(
    JSON.stringify({ bench: 'filters', release: machine.release, results, costs, attached }),
  );
}

if (process.argv.includes('--guest')) await runInGuest();
else if (process.argv.includes('--costs')) await costsInGuest();
else await runOnHost();
