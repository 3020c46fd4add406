/**
 * In Debian's 6.12 kernel under QEMU, in one boot: skbspan with kprobe-session (enter and exit) and Debian's pwru with
 * kprobe-multi (enter only), both on all skb functions, both writing a line per call to a file. Takes turns, medians of
 * some rounds: time to ready, what a `ping -f` between two namespaces loses, how long it takes, time from Ctrl-C to the end.
 *
 * pwru does not count what it loses. So pings at a slow pace tell how many lines one makes, and what is missing of that
 * times the flood's packets is lost. skbspan's own count is taken from its summary, and checked in the same way.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import { bootMachine } from '../scripts/vm/machine.ts';
import { startTracer, withLab, type Lab, type Tracer } from '../test/vm/lab.ts';

const ROUNDS = 3;
const FLOOD_PACKETS = 2000;
const SLOW_PACKETS = 20;
const TIMEOUT_MS = 20 * 60_000;
const PING = 'ip netns exec a ping -n -q';

interface Measured {
  readonly ready_ms: number;
  readonly exit_ms: number;
  readonly flood_ms: number;
  /** Lines that one ping makes when nothing is lost. */
  readonly lines_per_packet: number;
  readonly lost_percent: number;
  readonly peak_rss_mb: number;
  /** The last lines that the tracer wrote about itself. */
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
      ...['src/cli/main.ts', 'trace', '--backend', 'kprobe-session', '--format', 'table'],
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

/** Lines about pings in the output, once it grows no more. */
async function linesIn(file: string): Promise<number> {
  let size = -1;
  while (size !== statSync(file).size) {
    size = statSync(file).size;
    await sleep(1000);
  }
  return readFileSync(file, 'latin1').split('\n').length - 1;
}

function timed(lab: Lab, command: string): number {
  const started = performance.now();
  lab.run(command);
  return performance.now() - started;
}

async function measure(lab: Lab, tracer: Tracer): Promise<Measured> {
  const children: ChildProcess[] = [];
  try {
    const running = await startTracer(tracer, children);
    const idle = await linesIn(tracer.output);
    lab.run(`${PING} -c ${SLOW_PACKETS} -i 0.1 10.0.0.2`);
    const slow = await linesIn(tracer.output);
    const perPacket = (slow - idle) / SLOW_PACKETS;
    const floodMs = timed(lab, `${PING} -f -c ${FLOOD_PACKETS} 10.0.0.2`);
    const flood = (await linesIn(tracer.output)) - slow;
    const memory = readFileSync(`/proc/${running.pid}/status`, 'utf8');
    const { exitMs } = await running.stop();
    return {
      ready_ms: Math.round(running.readyMs),
      exit_ms: Math.round(exitMs),
      flood_ms: Math.round(floodMs),
      lines_per_packet: perPacket,
      lost_percent: Number((100 * (1 - flood / (perPacket * FLOOD_PACKETS))).toFixed(2)),
      peak_rss_mb: Math.round(Number(/VmHWM:\s*(\d+)/.exec(memory)?.[1] ?? 0) / 1024),
      said: readFileSync(tracer.log, 'utf8')
        .split(/[\r\n]/)
        .slice(-8)
        .join('\n'),
    };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
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
  const machine = await bootMachine({
    kernel: '6.12',
    script: 'node bench/vm.ts --guest',
    timeoutMs: TIMEOUT_MS,
    onOutput: (chunk) => process.stderr.write(chunk),
  });
  const text = machine.files.get('bench.json')?.toString();
  if (machine.status !== 0 || text === undefined) throw new Error(machine.output);
  const result = JSON.parse(text) as Result;
  const rows = [
    ['time to ready', 'ready_ms', 'ms'],
    ['Ctrl-C to end', 'exit_ms', 'ms'],
    ['flood traced', 'flood_ms', 'ms'],
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
