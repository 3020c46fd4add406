/**
 * The OTLP exporter behind the pipeline, as every run has it, from packet paths to a real Jaeger's answer, against
 * OpenTelemetry's serializer alone with the same spans ready made: spans per second and CPU of this process, and what Jaeger
 * needs of the same machine; by gRPC and by HTTP. PATHS=20000 by default.
 *
 * Then live, on this kernel: what `ping -f` on loopback loses while paths go nowhere, to Jaeger, and to a receiver that takes
 * every request and never answers. PINGS=30000 by default; FLOOD=0: not that.
 */
import { execFile, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { ProtobufTraceSerializer } from '@opentelemetry/otlp-transformer';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { PacketPath } from '../src/event/packet-path.ts';
import { protocols, type OtlpProtocol } from '../src/exporters/otlp/endpoint.ts';
import { createOtlpExporter } from '../src/exporters/otlp/exporter.ts';
import { createResources } from '../src/exporters/otlp/resources.ts';
import { createPipeline, type Pipeline } from '../src/pipeline/pipeline.ts';
import { packetPathToSpans } from '../test/exporters/otlp/readable-spans.ts';
import { manyPaths, take } from '../test/fixtures/many-paths.ts';
import { startReceiver } from '../test/exporters/otlp/receiver.ts';
import { startJaeger } from '../test/peers/jaeger.ts';

const count = Number(process.env['PATHS'] ?? 20_000);
const BATCH_PATHS = 512;
const ROUNDS = 3;

interface Figures {
  readonly perSecond: number;
  readonly cpuSeconds: number;
}

async function measure(spans: number, work: () => Promise<void>): Promise<Figures> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: Math.round(spans / seconds), cpuSeconds: (user + system) / 1e6 };
}

const batches: PacketPath[][] = [];
const paths = manyPaths();
for (let made = 0; made < count; made += BATCH_PATHS) batches.push(take(paths, BATCH_PATHS));

const resources = await createResources({ serviceName: undefined, timeScale: 1 });
const toSpans = (path: PacketPath): ReadableSpan[] =>
  packetPathToSpans(path, {
    clones: 'same_trace',
    timeScale: 1,
    resources,
    scope: { name: 'skbspan' },
  });
const ready = batches.map((batch) => batch.flatMap(toSpans));
const spans = ready.reduce((sum, batch) => sum + batch.length, 0);

const ends: (() => Promise<void>)[] = [];
const jaeger = await startJaeger({ after: (end) => ends.push(end) });
async function startPipeline(protocol: OtlpProtocol): Promise<Pipeline> {
  const endpoint = protocol === 'grpc' ? jaeger.endpoint : jaeger.httpEndpoint;
  const pipeline = createPipeline({
    exporters: [createOtlpExporter({ endpoint, protocol, clones: 'same_trace' })],
    deadlineMs: 60_000,
    lossless: true,
    onNotice: (message) => {
      console.error(message);
    },
  });
  await pipeline.start();
  return pipeline;
}
const ways = [];
for (const protocol of protocols) {
  const rounds: { readonly figures: Figures; readonly jaegerCpuSeconds: number }[] = [];
  ways.push({ protocol, pipeline: await startPipeline(protocol), rounds });
}

/** Of its process so far; Linux counts in hundredths. */
const jaegerCpuSeconds = (): number => {
  const [, fields = ''] = readFileSync(`/proc/${jaeger.pid}/stat`, 'utf8').split(') ');
  const [user = 0, system = 0] = fields.split(' ').slice(11, 13).map(Number);
  return (user + system) / 100;
};

const alone = (): Promise<Figures> =>
  measure(spans, () => {
    for (const batch of ready) ProtobufTraceSerializer.serializeRequest(batch);
    return Promise.resolve();
  });
const whole = (pipeline: Pipeline): Promise<Figures> =>
  measure(spans, async () => {
    for (const batch of batches) await pipeline.push(batch);
    await pipeline.flush();
    const lost = Object.fromEntries(pipeline.losses());
    if (Object.keys(lost).length > 0) throw new Error(JSON.stringify(lost));
  });

const best = (rounds: readonly Figures[]): Figures =>
  rounds.reduce((a, b) => (b.perSecond > a.perSecond ? b : a));
const serializer: Figures[] = [];
for (let round = 0; round <= ROUNDS; round++) {
  const figures = await alone();
  // The first one warms up.
  if (round > 0) serializer.push(figures);
  for (const { pipeline, rounds } of ways) {
    const before = jaegerCpuSeconds();
    const figures = await whole(pipeline);
    if (round > 0) rounds.push({ figures, jaegerCpuSeconds: jaegerCpuSeconds() - before });
  }
}
const a = best(serializer);
console.log(`${spans} spans: serializer alone ${a.perSecond}/s, ${a.cpuSeconds.toFixed(2)} s CPU`);
for (const { protocol, pipeline, rounds } of ways) {
  const b = best(rounds.map(({ figures }) => figures));
  const jaegerSeconds = Math.min(...rounds.map(({ jaegerCpuSeconds }) => jaegerCpuSeconds));
  const ratio = b.perSecond / a.perSecond;
  const cpuRatio = a.cpuSeconds / b.cpuSeconds;
  console.log(
    `  exporter to Jaeger by ${protocol} ${b.perSecond}/s, ${b.cpuSeconds.toFixed(2)} s CPU: ${ratio.toFixed(2)} (by CPU ${cpuRatio.toFixed(2)}); ` +
      `Jaeger itself ${jaegerSeconds.toFixed(2)} s CPU on the same machine`,
  );
  console.log(
    JSON.stringify({
      bench: protocol === 'grpc' ? 'otlp' : 'otlp-http',
      spans,
      serializer: a,
      exporter: b,
      jaegerCpuSeconds: jaegerSeconds,
      ratio,
      cpuRatio,
    }),
  );
  await pipeline.shutdown(1_000, {
    events: 0,
    lives: 0,
    paths: 0,
    drops: new Map(),
    losses: new Map(),
  });
}

const FLOOD_PINGS = Number(process.env['PINGS'] ?? 30_000);
const main = new URL('../src/cli/main.ts', import.meta.url).pathname;

interface Flood {
  readonly lost: Readonly<Record<string, number>>;
  readonly paths: number;
  /** The largest that the process was. */
  readonly peakMb: number;
}

async function flood(...outputs: string[]): Promise<Flood> {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-bench-'));
  const [ready, json] = [join(folder, 'ready'), join(folder, 'run.jsonl')];
  const fixed = ['--backend', 'tracepoint', '--format', 'none', '--ready-file', ready];
  // For the summary, which is its last line.
  const summary = ['--json', json];
  const child = spawn(process.execPath, [main, 'trace', ...fixed, ...summary, ...outputs], {
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  const ended = new Promise((resolve) => child.once('close', resolve));
  while (!existsSync(ready)) await sleep(10);
  await promisify(execFile)('ping', ['-n', '-q', '-f', '-c', String(FLOOD_PINGS), '127.0.0.1']);
  const status = readFileSync(`/proc/${child.pid ?? 0}/status`, 'utf8');
  child.kill('SIGINT');
  await ended;
  const last = readFileSync(json, 'utf8').trim().split('\n').at(-1) ?? '{}';
  rmSync(folder, { recursive: true });
  const { losses, paths: finished } = JSON.parse(last) as {
    losses: Record<string, number>;
    paths: number;
  };
  return {
    lost: Object.fromEntries(Object.entries(losses).filter(([, lost]) => lost > 0)),
    paths: finished,
    peakMb: Math.round(Number(/VmHWM:\s+(\d+)/.exec(status)?.[1]) / 1024),
  };
}

if (process.env['FLOOD'] !== '0') {
  const dead = await startReceiver({ after: (end) => ends.push(end) }, () => ({ kind: 'never' }));
  const floods = {
    nowhere: await flood(),
    jaeger: await flood('--otlp', jaeger.endpoint),
    dead: await flood('--otlp', dead.endpoint),
  };
  for (const [to, { lost, paths: finished, peakMb }] of Object.entries(floods))
    console.log(`  ${to}: ${finished} paths, ${peakMb} MB, lost ${JSON.stringify(lost)}`);
  console.log(JSON.stringify({ bench: 'otlp-flood', ...floods }));
}
await Promise.all(ends.map((end) => end()));
