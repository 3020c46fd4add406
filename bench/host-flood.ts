/**
 * Live, on this kernel: `ping -f` on loopback with the tracepoint backend, from the kernel to finished paths. Prints a table
 * and one line of JSON: events per second, losses, what tracing costs the flood, memory of the process.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { startTracing } from '../src/collector/tracing.ts';

const execute = promisify(execFile);
const packets = 20_000;
const ringMb = 64;

async function flood(): Promise<number> {
  const began = performance.now();
  await execute('ping', ['-n', '-q', '-f', '-c', String(packets), '127.0.0.1']);
  return (performance.now() - began) / 1000;
}

const bareSeconds = await flood();

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
const tracedSeconds = await flood();
const began = performance.now();
const statistics = await tracing.stop();
const stopMs = performance.now() - began;

const losses = [...statistics.losses].filter(([, count]) => count > 0);
const result = {
  bench: 'host-flood',
  packets,
  ring_mb: ringMb,
  events: statistics.events,
  events_per_second: Math.round(statistics.events / tracedSeconds),
  paths,
  calls,
  lost: Object.fromEntries(losses),
  bare_seconds: Number(bareSeconds.toFixed(3)),
  traced_seconds: Number(tracedSeconds.toFixed(3)),
  slowdown: Number((tracedSeconds / bareSeconds).toFixed(2)),
  stop_ms: Math.round(stopMs),
  peak_rss_mb: Math.round(process.resourceUsage().maxRSS / 1024),
};

const rows: readonly (readonly [string, string])[] = [
  ['packets sent', packets.toLocaleString('en-US')],
  ['events', statistics.events.toLocaleString('en-US')],
  ['events per second', result.events_per_second.toLocaleString('en-US')],
  ['finished paths', paths.toLocaleString('en-US')],
  ['lost', losses.length === 0 ? 'nothing' : losses.map((loss) => loss.join(' ')).join(', ')],
  ['flood untraced', `${bareSeconds.toFixed(2)} s`],
  ['flood traced', `${tracedSeconds.toFixed(2)} s (${result.slowdown} times as long)`],
  ['stop and drain', `${result.stop_ms} ms`],
  ['peak memory', `${result.peak_rss_mb} MB`],
];
for (const [what, value] of rows) console.log(`  ${what.padEnd(20)}${value}`);
console.log(JSON.stringify(result));
