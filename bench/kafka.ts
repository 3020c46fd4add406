/**
 * The Kafka exporter against its client alone with the same bytes, on a real broker on the same machine: records per second, CPU of
 * this side and of the broker, idle CPU, and what the buffers hold while the broker is dead. Each measurement has a process of its
 * own, since what one client leaves behind slows the next; of RUNS=3 runs the median counts. PATHS=30000 by default.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { kafkaClients } from '../src/exporters/kafka/options.ts';
import { startKafka } from '../test/peers/kafka/cluster.ts';
import type { Measured, Task } from './kafka-runs.ts';

const count = Number(process.env['PATHS'] ?? 30_000);
const names = process.env['CLIENTS']?.split(',') ?? kafkaClients;
const runs = Number(process.env['RUNS'] ?? 3);
const PARTITIONS = 6;

const ends: (() => Promise<void>)[] = [];
const kafka = await startKafka({ after: (end) => ends.push(end) });
const [broker] = kafka.brokers;
let topics = 0;

async function measure(task: Pick<Task, 'kind' | 'client'>): Promise<Measured> {
  const topic = `${task.kind}-${task.client}-${topics++}`;
  await kafka.createTopic(topic, PARTITIONS);
  const child = fork(fileURLToPath(new URL('kafka-runs.ts', import.meta.url)), {
    execArgv: ['--expose-gc'],
  });
  child.send({
    ...task,
    topic,
    count,
    brokers: kafka.addresses,
    broker: broker?.pid ?? 0,
  } satisfies Task);
  const [result] = (await once(child, 'message')) as [Measured | 'ready'];
  if (result !== 'ready') return result;
  // It goes on with a broker that is dead.
  await broker?.kill();
  child.send('go');
  const [second] = (await once(child, 'message')) as [Measured];
  await broker?.start();
  return second;
}

const median = (all: readonly number[]): number =>
  all.toSorted((a, b) => a - b)[Math.floor(all.length / 2)] ?? 0;

async function measureOften(task: Pick<Task, 'kind' | 'client'>): Promise<Measured> {
  const all: Measured[] = [];
  for (let run = 0; run < runs; run++) all.push(await measure(task));
  const of = (name: keyof Measured): number => median(all.map((each) => each[name] ?? 0));
  return {
    perSecond: of('perSecond'),
    cpuMicros: of('cpuMicros'),
    brokerMicros: of('brokerMicros'),
    idle: of('idle'),
  };
}

const results: Record<string, object> = {};
// The broker's own first records are slow.
await measure({ kind: 'alone', client: 'platformatic' });
for (const client of kafkaClients.filter((name) => names.includes(name))) {
  const alone = await measureOften({ kind: 'alone', client });
  const exporter = await measureOften({ kind: 'exporter', client });
  const dead = await measure({ kind: 'dead', client });
  const ratio = (exporter.perSecond ?? 0) / (alone.perSecond ?? 1);
  results[client] = { alone, exporter, ratio, dead };
  const speed = ({ perSecond = 0, cpuMicros = 0, brokerMicros = 0 }: Measured): string =>
    `${Math.round(perSecond)}/s, ${cpuMicros.toFixed(0)} us CPU a record (broker ${brokerMicros.toFixed(0)})`;
  console.log(
    `${client}: alone ${speed(alone)}; exporter ${speed(exporter)} (${ratio.toFixed(2)}); ` +
      `idle ${((exporter.idle ?? 0) * 100).toFixed(2)} % of a core; ` +
      `broker dead: ${dead.grownMb?.toFixed(0)} MB more for ${dead.offered} paths offered, ${dead.counted} counted as lost`,
  );
}
console.log(JSON.stringify({ bench: 'kafka', paths: count, ...results }));
await Promise.all(ends.map((end) => end()));
