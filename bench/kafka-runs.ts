/** One measurement of bench/kafka.ts, in a process of its own. */
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PacketPath } from '../src/event/packet-path.ts';
import { createBatches, type OwnedRecord } from '../src/exporters/kafka/batches.ts';
import { groupBytes } from '../src/exporters/kafka/delivery.ts';
import { createEncoder, defaultMaxBytes } from '../src/exporters/kafka/encoder.ts';
import { createKafkaExporter } from '../src/exporters/kafka/exporter.ts';
import { createKafkajsClient } from '../src/exporters/kafka/kafkajs-client.ts';
import type { KafkaClientName, KafkaCompression } from '../src/exporters/kafka/options.ts';
import { createPlatformaticClient } from '../src/exporters/kafka/platformatic-client.ts';
import { createPipeline } from '../src/pipeline/pipeline.ts';
import { manyPaths, take } from '../test/fixtures/many-paths.ts';
import { noStatistics } from '../test/peers/kafka/delivery-run.ts';

export interface Task {
  readonly kind: 'alone' | 'exporter' | 'dead';
  readonly client: KafkaClientName;
  readonly compression: KafkaCompression;
  readonly topic: string;
  readonly brokers: readonly string[];
  readonly count: number;
  /** Process id. */
  readonly broker: number;
}

export interface Measured {
  readonly perSecond?: number;
  /** Of this process, for a record. */
  readonly cpuMicros?: number;
  readonly brokerMicros?: number;
  /** Share of a core. */
  readonly idle?: number;
  readonly grownMb?: number;
  /** What as many paths take as the queue holds, and nothing else. */
  readonly pathsMb?: number;
  readonly offered?: number;
  readonly counted?: number;
}

/** 100 ticks a second, on every kernel of ours. */
const TICK_MICROS = 10_000;
const BATCH_PATHS = 512;
/** Until the compiler has seen enough of both. */
const WARM_PATHS = 20_000;
/** The collector's and the compiler's last work of what came before is not idling. */
const SETTLED_MS = 1_000;
const IDLE_MS = 3_000;
const DEAD_MS = 20_000;
/** The pipeline's default. */
const QUEUE_PATHS = 10_000;
const PARTITIONS = 6;

/** User and system time of another process, in microseconds. */
function cpuOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ') ?? [];
  return (Number(fields[11]) + Number(fields[12])) * TICK_MICROS;
}

async function timed({ count, broker }: Task, work: () => Promise<void>): Promise<Measured> {
  const theirs = cpuOf(broker);
  const cpu = process.cpuUsage();
  const began = performance.now();
  await work();
  const seconds = (performance.now() - began) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  return {
    perSecond: count / seconds,
    cpuMicros: (user + system) / count,
    brokerMicros: (cpuOf(broker) - theirs) / count,
  };
}

const optionsOf = ({ brokers, client, topic, compression }: Task) =>
  ({
    connection: { brokers, tls: undefined, sasl: undefined },
    client,
    topic,
    format: 'json',
    key: 'flow',
    compression,
  }) as const;

/**
 * Records that are ready, in the batches that the exporter makes of them (delivery.ts), one under way for each partition, as many
 * at once as there are partitions.
 */
async function alone(task: Task): Promise<Measured> {
  const options = optionsOf(task);
  const encoder = await createEncoder(options);
  const records = take(manyPaths(), task.count).flatMap((path) => encoder.encode(path) ?? []);
  const more = { ...options, headers: encoder.headers };
  const client =
    task.client === 'kafkajs' ? await createKafkajsClient(more) : createPlatformaticClient(more);
  await client.connect();
  const sendAll = async (all: readonly OwnedRecord[]): Promise<void> => {
    const last = new Map<number, Promise<void>>();
    const post = async (partition: number, batch: readonly OwnedRecord[]): Promise<void> => {
      await last.get(partition);
      last.set(partition, client.send(partition, batch));
    };
    for (let at = 0; at < all.length; at += BATCH_PATHS) {
      const batches = createBatches(PARTITIONS, defaultMaxBytes);
      let bytes = 0;
      const postAll = async (): Promise<void> => {
        for (const { partition, records: batch } of batches.take()) await post(partition, batch);
        bytes = 0;
      };
      for (const record of all.slice(at, at + BATCH_PATHS)) {
        const full = batches.add(record);
        if (full !== undefined) await post(full.partition, full.records);
        bytes += record.value.length;
        if (bytes >= groupBytes) await postAll();
      }
      await postAll();
    }
    await Promise.all(last.values());
  };
  await sendAll(records.slice(0, WARM_PATHS));
  const figures = await timed(task, () => sendAll(records));
  await client.close();
  return figures;
}

/** From paths to acknowledged records, as a lane of the pipeline asks for it; then nothing for a while. */
async function exporter(task: Task): Promise<Measured> {
  const paths = take(manyPaths(), task.count);
  const kafka = createKafkaExporter(optionsOf(task), console.error);
  await kafka.start();
  const exportAll = async (all: readonly PacketPath[]): Promise<void> => {
    for (let at = 0; at < all.length; at += BATCH_PATHS) {
      const result = await kafka.export(all.slice(at, at + BATCH_PATHS));
      if (result.status !== 'success') throw result.error;
    }
    // Waits for the last ones.
    await kafka.export([]);
  };
  await exportAll(paths.slice(0, WARM_PATHS));
  const figures = await timed(task, () => exportAll(paths));
  await sleep(SETTLED_MS);
  const cpu = process.cpuUsage();
  await sleep(IDLE_MS);
  const { user, system } = process.cpuUsage(cpu);
  await kafka.shutdown(1_000, noStatistics);
  return { ...figures, idle: (user + system) / 1000 / IDLE_MS };
}

/** Twice, with time between: what buffers had is given back some time after the collection that found them. */
async function memory(): Promise<number> {
  globalThis.gc?.();
  await sleep(50);
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Copies: the source's paths share their lives, those of a kernel do not. */
const copies = (source: Iterator<PacketPath, never, undefined>, paths: number): PacketPath[] =>
  take(source, paths).map((path) => structuredClone(path));

async function megabytesOf(paths: number): Promise<number> {
  const before = await memory();
  const all = copies(manyPaths(), paths);
  return (((await memory()) - before) / 1e6) * (all.length / paths);
}

/** A source that does not wait, and a broker that is gone: how much memory is taken, and how much of that is the paths themselves? */
async function dead(task: Task): Promise<Measured> {
  const pathsMb = await megabytesOf(QUEUE_PATHS);
  const kafka = createKafkaExporter(optionsOf(task), () => undefined);
  const pipeline = createPipeline({
    exporters: [kafka],
    queuePaths: QUEUE_PATHS,
    deadlineMs: 60_000,
    onNotice: () => undefined,
  });
  await pipeline.start();
  const source = manyPaths();
  void pipeline.push(take(source, 1_000));
  await sleep(2_000);
  process.send?.('ready');
  await once(process, 'message');
  const before = await memory();
  const until = performance.now() + DEAD_MS;
  let offered = 0;
  let most = 0;
  while (performance.now() < until) {
    void pipeline.push(copies(source, 1_000));
    offered += 1_000;
    most = Math.max(most, (await memory()) - before);
    await sleep(200);
  }
  const { losses } = await pipeline.shutdown(2_000, noStatistics);
  const counted = [...losses.values()].reduce((sum, each) => sum + each, 0);
  return { grownMb: most / 1e6, pathsMb, offered, counted };
}

const kinds = { alone, exporter, dead } as const;
const [task] = (await once(process, 'message')) as [Task];
process.send?.(await kinds[task.kind](task));
process.exit(0);
