/**
 * The Kafka exporter against its client alone with the same bytes in the same batches, on a real broker on the same machine: records
 * per second, CPU of this side and of the broker, idle CPU, and what the buffers hold while the broker is dead. Each measurement
 * has a process of its own, since what one client leaves behind slows the next. The two take turns for ROUNDS=5 rounds, each of
 * them first in every other one, so that neither gets the machine's better minutes; medians count, of the ratio as well.
 * PATHS=30000, CLIENTS=kafkajs,platformatic, COMPRESSIONS=none,zstd.
 */
import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { kafkaClients, type KafkaCompression } from '../src/exporters/kafka/options.ts';
import { startKafka } from '../test/peers/kafka/cluster.ts';
import type { Measured, Task } from './kafka-runs.ts';

const count = Number(process.env['PATHS'] ?? 30_000);
const names = process.env['CLIENTS']?.split(',') ?? kafkaClients;
const compressions = (process.env['COMPRESSIONS'] ?? 'none,zstd').split(',') as KafkaCompression[];
const rounds = Number(process.env['ROUNDS'] ?? 5);
const PARTITIONS = 6;

const ends: (() => Promise<void>)[] = [];
const kafka = await startKafka({ after: (end) => ends.push(end) });
const [broker] = kafka.brokers;
let topics = 0;

type What = Pick<Task, 'kind' | 'client' | 'compression'>;

async function measure(task: What): Promise<Measured> {
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

function medianOf(all: readonly Measured[]): Measured {
  const of = (name: keyof Measured): number => median(all.map((each) => each[name] ?? 0));
  return {
    perSecond: of('perSecond'),
    cpuMicros: of('cpuMicros'),
    brokerMicros: of('brokerMicros'),
    idle: of('idle'),
  };
}

const speed = ({ perSecond = 0, cpuMicros = 0, brokerMicros = 0 }: Measured): string =>
  `${Math.round(perSecond)}/s, ${cpuMicros.toFixed(1)} us CPU a record (broker ${brokerMicros.toFixed(0)})`;

const results: Record<string, object> = {};
// The broker's own first records are slow.
await measure({ kind: 'alone', client: 'platformatic', compression: 'none' });
for (const client of kafkaClients.filter((name) => names.includes(name))) {
  for (const compression of compressions) {
    const all = { alone: [] as Measured[], exporter: [] as Measured[] };
    const kinds = ['alone', 'exporter'] as const;
    for (let round = 0; round < rounds; round++)
      for (const kind of round % 2 === 0 ? kinds : kinds.toReversed())
        all[kind].push(await measure({ kind, client, compression }));
    const ratios = all.exporter.map(
      ({ perSecond = 0 }, round) => perSecond / (all.alone[round]?.perSecond ?? 1),
    );
    const [alone, exporter, ratio] = [medianOf(all.alone), medianOf(all.exporter), median(ratios)];
    results[`${client} ${compression}`] = { alone, exporter, ratio, ratios };
    console.log(
      `${client}, ${compression}: alone ${speed(alone)}; exporter ${speed(exporter)}; ` +
        `ratio ${ratio.toFixed(2)} (${ratios.map((each) => each.toFixed(2)).join(' ')}); ` +
        `idle ${((exporter.idle ?? 0) * 100).toFixed(2)} % of a core`,
    );
  }
  if (process.env['DEAD'] === '0') continue;
  const dead = await measure({ kind: 'dead', client, compression: 'none' });
  results[`${client} dead`] = dead;
  console.log(
    `${client}, broker dead: ${dead.grownMb?.toFixed(0)} MB more (the paths of a full queue alone: ` +
      `${dead.pathsMb?.toFixed(0)}) for ${dead.offered} paths offered, ` +
      `${dead.counted} counted as lost`,
  );
}
console.log(JSON.stringify({ bench: 'kafka', paths: count, ...results }));
await Promise.all(ends.map((end) => end()));
