/**
 * Live, on this kernel: `ping -f` on loopback with the tracepoint backend, from the kernel to finished paths. Prints a table
 * and one line of JSON: events per second, losses, what tracing costs the flood, memory of the process.
 *
 * Memory is given twice: `rss` counts the ring buffer two times, because its pages are mapped twice side by side so that a
 * record that wraps around can be read in one piece; `pss` counts each page once.
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { startTracing } from '../src/collector/tracing.ts';

const execute = promisify(execFile);
const packets = 20_000;
const floods = 3;
const ringMb = 64;

async function flood(): Promise<number> {
  const began = performance.now();
  await execute('ping', ['-n', '-q', '-f', '-c', String(packets), '127.0.0.1']);
  return (performance.now() - began) / 1000;
}

async function floodSeconds(): Promise<number> {
  let seconds = 0;
  for (let run = 0; run < floods; run++) seconds += await flood();
  return seconds;
}

/** A line of /proc/self/smaps_rollup in MB. */
function memoryMb(name: string): number {
  const text = readFileSync('/proc/self/smaps_rollup', 'utf8');
  return Math.round(Number(new RegExp(`^${name}: +(\\d+) kB`, 'm').exec(text)?.[1]) / 1024);
}

const bareSeconds = await floodSeconds();

let paths = 0;
let calls = 0;
const tracing = await startTracing({
  backend: 'tracepoint',
  functions: undefined,
  netns: undefined,
  ringBytes: ringMb * 1024 * 1024,
  snaplenBytes: 128,
  exits: undefined,
  onProgress: () => undefined,
  onPaths: (finished) => {
    paths += finished.length;
    for (const path of finished) for (const life of path.lives) calls += life.calls.length;
  },
  onError: (error) => {
    throw error;
  },
});
const tracedSeconds = await floodSeconds();
const memory = { pss_mb: memoryMb('Pss'), rss_mb: memoryMb('Rss') };
const began = performance.now();
const statistics = await tracing.stop();
const stopMs = performance.now() - began;

const losses = [...statistics.losses].filter(([, count]) => count > 0);
const result = {
  bench: 'host-flood',
  packets: packets * floods,
  ring_mb: ringMb,
  events: statistics.events,
  events_per_second: Math.round(statistics.events / tracedSeconds),
  paths,
  calls,
  lost: Object.fromEntries(losses),
  bare_seconds: Number(bareSeconds.toFixed(3)),
  traced_seconds: Number(tracedSeconds.toFixed(3)),
  slowdown: Number((tracedSeconds / bareSeconds).toFixed(2)),
  ns_per_event: Math.round(((tracedSeconds - bareSeconds) / statistics.events) * 1e9),
  stop_ms: Math.round(stopMs),
  ...memory,
};

const number = (value: number): string => value.toLocaleString('en-US');
const rows: readonly (readonly [string, string])[] = [
  ['packets sent', `${number(result.packets)} in ${floods} floods`],
  ['events', number(result.events)],
  ['events per second', number(result.events_per_second)],
  ['finished paths', number(paths)],
  ['lost', losses.length === 0 ? 'nothing' : losses.map((loss) => loss.join(' ')).join(', ')],
  ['floods untraced', `${bareSeconds.toFixed(2)} s`],
  ['floods traced', `${tracedSeconds.toFixed(2)} s: ${result.slowdown} times as long`],
  ['cost of an event', `${number(result.ns_per_event)} ns, with both threads on the same machine`],
  ['stop and drain', `${result.stop_ms} ms`],
  ['memory', `${memory.pss_mb} MB (rss ${memory.rss_mb} MB counts the ring twice)`],
];
for (const [what, value] of rows) console.log(`  ${what.padEnd(20)}${value}`);
console.log(JSON.stringify(result));
