/**
 * In Debian's 6.12 kernel under QEMU, in one boot: skbspan with kprobe-session (enter and exit) and Debian's pwru with
 * kprobe-multi (enter only), both on all skb functions, both writing a line per call to a file. They take turns; medians of
 * some rounds. Each round starts a tracer twice: for a few slow pings, which tell how many lines one makes when nothing is
 * lost, and the times to ready and from Ctrl-C to the end; and for a `ping -f`: what is missing of lines per ping times
 * packets was lost. pwru does not count its losses; skbspan's own count is in what it `said`.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootMachine } from '../scripts/vm/machine.ts';
import { buildPublished } from '../scripts/vm/published.ts';
import { startTracer, withLab, type Lab, type Tracer } from '../test/vm/lab.ts';

const ROUNDS = 3;
const FLOOD_PACKETS = 2000;
const SLOW_PACKETS = 20;
/** skbspan writes a path when it is over: at the latest some 100 ms later, on an idle machine. */
const QUIET_MS = 4000;
const TIMEOUT_MS = 20 * 60_000;
const PING = 'ip netns exec a ping -n -q';

interface Measured {
  readonly ready_ms: number;
  readonly exit_ms: number;
  readonly lines_per_packet: number;
  readonly flood_ms: number;
  /** From the flood's end to the last line written. */
  readonly drain_ms: number;
  readonly lost_percent: number;
  readonly peak_rss_mb: number;
  /** What the tracer wrote about itself at the end of the flood. */
  readonly said: string;
}

interface Result {
  readonly bare_flood_ms: number;
  readonly skbspan: readonly Measured[];
  readonly pwru: readonly Measured[];
}

const tracers = {
  skbspan: {
    command: [
      process.execPath,
      ...['dist/cli/main.js', 'trace', '--backend', 'kprobe-session', '--format', 'table'],
      ...['--ready-file', '/tmp/ready'],
    ],
    readyFile: '/tmp/ready',
    output: '/tmp/output',
    log: '/tmp/log',
  },
  pwru: {
    command: ['pwru', '--backend', 'kprobe-multi', '--ready-file', '/tmp/ready'],
    readyFile: '/tmp/ready',
    output: '/tmp/output',
    log: '/tmp/log',
  },
} as const satisfies Record<string, Tracer>;

/** Resolves when a file grows no more. */
async function quiet(file: string): Promise<void> {
  let size = -1;
  while (size !== statSync(file).size) {
    size = statSync(file).size;
    await sleep(QUIET_MS);
  }
}

function timed(lab: Lab, command: string): number {
  const started = performance.now();
  lab.run(command);
  return performance.now() - started;
}

interface Run {
  readonly readyMs: number;
  readonly pingMs: number;
  readonly drainMs: number;
  readonly exitMs: number;
  readonly lines: number;
  readonly peakKb: number;
}

/** One run of a tracer around one ping. */
async function runOnce(lab: Lab, tracer: Tracer, ping: string): Promise<Run> {
  const children: ChildProcess[] = [];
  try {
    const running = await startTracer(tracer, children);
    const pingMs = timed(lab, ping);
    const pinged = performance.now();
    await quiet(tracer.output);
    const drainMs = performance.now() - pinged - QUIET_MS;
    const memory = readFileSync(`/proc/${running.pid}/status`, 'utf8');
    const { exitMs } = await running.stop();
    const lines = Number(lab.run(`wc -l <${tracer.output}`));
    const peakKb = Number(/VmHWM:\s*(\d+)/.exec(memory)?.[1]);
    return { readyMs: running.readyMs, pingMs, drainMs, exitMs, lines, peakKb };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

async function measure(lab: Lab, tracer: Tracer): Promise<Measured> {
  const slow = await runOnce(lab, tracer, `${PING} -c ${SLOW_PACKETS} -i 0.1 10.0.0.2`);
  const flood = await runOnce(lab, tracer, `${PING} -f -c ${FLOOD_PACKETS} 10.0.0.2`);
  const perPacket = slow.lines / SLOW_PACKETS;
  const said = readFileSync(tracer.log, 'utf8')
    .split(/[\r\n]/)
    .slice(-6)
    .join('\n');
  return {
    ready_ms: Math.round(slow.readyMs),
    exit_ms: Math.round(slow.exitMs),
    lines_per_packet: perPacket,
    flood_ms: Math.round(flood.pingMs),
    drain_ms: Math.max(0, Math.round(flood.drainMs)),
    lost_percent: Number((100 * (1 - flood.lines / (perPacket * FLOOD_PACKETS))).toFixed(2)),
    peak_rss_mb: Math.round(flood.peakKb / 1024),
    said: said.slice(-400),
  };
}

async function runInGuest(): Promise<void> {
  await withLab('/tmp/lab', 'kprobe-session', undefined, async (lab) => {
    lab.run(`${PING} -c 1 10.0.0.2`);
    const bare = timed(lab, `${PING} -f -c ${FLOOD_PACKETS} 10.0.0.2`);
    const rounds = { skbspan: [] as Measured[], pwru: [] as Measured[] };
    for (let round = 0; round < ROUNDS; round += 1) {
      for (const name of ['skbspan', 'pwru'] as const) {
        const measured = await measure(lab, tracers[name]);
        rounds[name].push(measured);
        console.log(name, JSON.stringify(measured));
      }
    }
    const result: Result = { bare_flood_ms: Math.round(bare), ...rounds };
    writeFileSync('/results/bench.json', JSON.stringify(result));
  });
}

function median(values: readonly number[]): number {
  return values.toSorted((one, other) => one - other)[values.length >> 1] ?? Number.NaN;
}

async function runOnHost(): Promise<void> {
  buildPublished();
  const machine = await bootMachine({
    kernel: '6.12',
    script: 'node bench/vm.ts --guest',
    timeoutMs: TIMEOUT_MS,
    parallel: true,
    onOutput: (chunk) => process.stderr.write(chunk),
  });
  const text = machine.files.get('bench.json')?.toString();
  if (machine.status !== 0 || text === undefined) throw new Error(machine.output);
  const result = JSON.parse(text) as Result;
  const rows = [
    ['time to ready', 'ready_ms', 'ms'],
    ['Ctrl-C to end', 'exit_ms', 'ms'],
    ['flood traced', 'flood_ms', 'ms'],
    ['drained after', 'drain_ms', 'ms'],
    ['lines per ping', 'lines_per_packet', ''],
    ['flood lost', 'lost_percent', '%'],
    ['peak memory', 'peak_rss_mb', 'MB'],
  ] as const;
  console.log(`  ${machine.release}, all skb functions, medians of ${ROUNDS}`);
  console.log(`  ${['', 'skbspan', 'pwru', 'ratio'].map((word) => word.padEnd(16)).join('')}`);
  const medians = rows.map(([what, key, unit]) => {
    const [skbspan, pwru] = (['skbspan', 'pwru'] as const).map((name) =>
      median(result[name].map((measured) => measured[key])),
    );
    const ratio = (skbspan ?? Number.NaN) / (pwru ?? Number.NaN);
    const cells = [what, `${skbspan} ${unit}`, `${pwru} ${unit}`, ratio.toFixed(2)];
    console.log(`  ${cells.map((cell) => cell.padEnd(16)).join('')}`);
    return [key, { skbspan, pwru, ratio: Number(ratio.toFixed(3)) }] as const;
  });
  console.log(`  flood untraced  ${result.bare_flood_ms} ms`);
  const bench = { bench: 'vm', release: machine.release, packets: FLOOD_PACKETS };
  console.log(JSON.stringify({ ...bench, ...Object.fromEntries(medians), rounds: result }));
}

await (process.argv[2] === '--guest' ? runInGuest() : runOnHost());
