/**
 * The Kafka exporter against its client alone with the same bytes, on a real broker on the same machine: records per second, CPU,
 * idle CPU, and what the buffers hold while no broker answers. PATHS=50000 by default.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { createBatches, type OwnedRecord } from '../src/exporters/kafka/batches.ts';
import { createEncoder } from '../src/exporters/kafka/encoder.ts';
import { createKafkaExporter } from '../src/exporters/kafka/exporter.ts';
import { createKafkajsClient } from '../src/exporters/kafka/kafkajs-client.ts';
import { kafkaClients, type KafkaClientName } from '../src/exporters/kafka/options.ts';
import { createPlatformaticClient } from '../src/exporters/kafka/platformatic-client.ts';
import { manyPaths, take } from '../test/fixtures/many-paths.ts';
import { startKafka } from '../test/peers/kafka/cluster.ts';
import { noStatistics } from '../test/peers/kafka/delivery-run.ts';

const count = Number(process.env['PATHS'] ?? 50_000);
const PARTITIONS = 6;
const BATCH_PATHS = 512;
const BATCH_BYTES = 512 * 1024;
const IDLE_MS = 20_000;

interface Figures {
  readonly perSecond: number;
  readonly cpuSeconds: number;
}

async function measure(work: () => Promise<void>): Promise<Figures> {
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return { perSecond: Math.round(count / seconds), cpuSeconds: (user + system) / 1e6 };
}

const ends: (() => Promise<void>)[] = [];
const kafka = await startKafka({ after: (end) => ends.push(end) });
const connection = { brokers: kafka.addresses, tls: undefined, sasl: undefined };
const paths = take(manyPaths(), count);

async function alone(name: KafkaClientName, topic: string): Promise<Figures> {
  const options = { connection, client: name, topic, key: 'flow', compression: 'none' } as const;
  const encoder = await createEncoder({ ...options, format: 'json' });
  const records = paths.flatMap((path): OwnedRecord[] =>
    (encoder.encode(path) ?? []).map((record) => ({ ...record, owner: { lost: false } })),
  );
  const more = { connection, topic, compression: 'none', headers: encoder.headers } as const;
  const client =
    name === 'kafkajs' ? await createKafkajsClient(more) : createPlatformaticClient(more);
  await client.connect();
  const figures = await measure(async () => {
    const last = new Map<number, Promise<void>>();
    const post = async (partition: number, batch: readonly OwnedRecord[]): Promise<void> => {
      await last.get(partition);
      last.set(partition, client.send(partition, batch));
    };
    for (let at = 0; at < records.length; at += BATCH_PATHS) {
      const batches = createBatches(PARTITIONS, BATCH_BYTES);
      for (const record of records.slice(at, at + BATCH_PATHS)) {
        const full = batches.add(record);
        if (full !== undefined) await post(full.partition, full.records);
      }
      for (const { partition, records: batch } of batches.take()) await post(partition, batch);
    }
    await Promise.all(last.values());
  });
  await client.close();
  return figures;
}

async function whole(name: KafkaClientName, topic: string): Promise<Figures & { idle: number }> {
  const exporter = createKafkaExporter(
    { connection, client: name, topic, format: 'json', key: 'flow', compression: 'none' },
    console.error,
  );
  await exporter.start();
  const figures = await measure(async () => {
    for (let at = 0; at < paths.length; at += BATCH_PATHS) {
      const result = await exporter.export(paths.slice(at, at + BATCH_PATHS));
      if (result.status !== 'success') throw result.error;
    }
  });
  const cpu = process.cpuUsage();
  await sleep(IDLE_MS);
  const { user, system } = process.cpuUsage(cpu);
  await exporter.shutdown(1_000, noStatistics);
  return { ...figures, idle: (user + system) / 1000 / IDLE_MS };
}

const results: Record<string, object> = {};
for (const client of kafkaClients) {
  for (const kind of ['warm', 'alone', 'exporter'] as const) {
    const topic = `${kind}-${client}`;
    await kafka.createTopic(topic, PARTITIONS);
  }
  await alone(client, `warm-${client}`);
  const bare = await alone(client, `alone-${client}`);
  const exporter = await whole(client, `exporter-${client}`);
  const ratio = exporter.perSecond / bare.perSecond;
  results[client] = { alone: bare, exporter, ratio };
  console.log(
    `${client}: alone ${bare.perSecond}/s, ${bare.cpuSeconds.toFixed(1)} s CPU; exporter ${exporter.perSecond}/s, ` +
      `${exporter.cpuSeconds.toFixed(1)} s CPU (${ratio.toFixed(2)}); idle ${(exporter.idle * 100).toFixed(2)} % of a core`,
  );
}
console.log(JSON.stringify({ bench: 'kafka', paths: count, ...results }));
await Promise.all(ends.map((end) => end()));
process.exit(0);
