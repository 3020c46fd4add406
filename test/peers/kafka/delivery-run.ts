// One run of pipeline and exporter against a cluster that is not well, and its books afterwards.
import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import type { LossCause, Statistics } from '../../../src/event/statistics.ts';
import { createKafkaExporter } from '../../../src/exporters/kafka/exporter.ts';
import type { KafkaClientName, KafkaOptions } from '../../../src/exporters/kafka/options.ts';
import { createPipeline } from '../../../src/pipeline/pipeline.ts';
import { manyPaths, take } from '../../fixtures/many-paths.ts';
import type { Cluster } from './cluster.ts';

export const noStatistics: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: new Map(),
};

export interface RunOptions extends Partial<KafkaOptions> {
  readonly client: KafkaClientName;
  readonly topic: string;
  readonly kafka: Cluster;
  /** Paths per second. */
  readonly rate: number;
  readonly shutdownMs?: number;
  readonly queuePaths?: number;
  /** Waits until all is there before it stops; default true. */
  readonly settle?: boolean;
}

const SETTLE_MS = 40_000;

export interface Run {
  readonly sent: ReadonlySet<string>;
  readonly losses: ReadonlyMap<LossCause, number>;
  readonly notices: readonly string[];
  readonly lost: number;
}

/** Sends paths at a steady rate until `during` is over, then stops as Ctrl-C does. */
export async function run(options: RunOptions, during: () => Promise<void>): Promise<Run> {
  const { kafka, rate, shutdownMs = 5_000, queuePaths = 10_000, settle = true, ...more } = options;
  const notices: string[] = [];
  const onNotice = (message: string): void => {
    notices.push(message);
  };
  const exporter = createKafkaExporter(
    {
      format: 'json',
      key: 'flow',
      compression: 'none',
      connection: { brokers: kafka.addresses, tls: undefined, sasl: undefined },
      ...more,
    },
    onNotice,
  );
  const pipeline = createPipeline({
    exporters: [exporter],
    deadlineMs: 60_000,
    onNotice,
    queuePaths,
  });
  await pipeline.start();

  const sent = new Set<string>();
  const source = manyPaths();
  const over = during().then(() => 'over' as const);
  const began = performance.now();
  while ((await Promise.race([over, sleep(20)])) !== 'over') {
    const due = Math.floor(((performance.now() - began) / 1000) * rate) - sent.size;
    const paths: PacketPath[] = take(source, Math.max(0, due));
    for (const { traceId } of paths) sent.add(traceId);
    // Not waited for: a source that cannot wait is the harder case.
    void pipeline.push(paths);
  }
  if (settle) {
    // A busy machine takes its time to bring brokers back; what is asserted is that all arrives, not when.
    const giveUpAt = Date.now() + SETTLE_MS;
    const sum = (): number =>
      [...pipeline.losses().values()].reduce((all, count) => all + count, 0);
    while (
      Date.now() < giveUpAt &&
      (await kafka.count(options.topic).catch(() => 0)) + sum() < sent.size
    )
      await sleep(200);
  }
  const { losses } = await pipeline.shutdown(shutdownMs, noStatistics);
  const lost = [...losses.values()].reduce((sum, count) => sum + count, 0);
  return { sent, losses, notices, lost };
}

export interface Books {
  readonly received: number;
  readonly twice: number;
  readonly missing: number;
}

/** What kcat finds in the topic, against what was sent. Fails on a record that was never sent. */
export async function audit({ sent }: Run, kafka: Cluster, topic: string): Promise<Books> {
  const seen = new Map<string, number>();
  for (const { value } of await kafka.records(topic)) {
    const { trace_id: id } = JSON.parse(value.toString()) as { trace_id: string };
    assert.ok(sent.has(id), `${id} was never sent`);
    seen.set(id, (seen.get(id) ?? 0) + 1);
  }
  const twice = [...seen.values()].filter((times) => times > 1).length;
  return { received: seen.size, twice, missing: sent.size - seen.size };
}
