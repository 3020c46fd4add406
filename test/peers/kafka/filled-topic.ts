// A topic with paths in it, for tests of its readers.
import assert from 'node:assert/strict';
import { createKafkaExporter } from '../../../src/exporters/kafka/exporter.ts';
import { manyPaths, take } from '../../fixtures/many-paths.ts';
import type { Cluster } from './cluster.ts';
import { noStatistics } from './delivery-run.ts';

export const PATHS = 6_000;
const PARTITIONS = 6;

/** Gives the trace ids, sorted. */
export async function fill(kafka: Cluster, topic: string): Promise<string[]> {
  await kafka.createTopic(topic, PARTITIONS);
  const exporter = createKafkaExporter(
    {
      connection: { brokers: kafka.addresses, tls: undefined, sasl: undefined },
      client: 'platformatic',
      format: 'json',
      topic,
      key: 'flow',
      compression: 'none',
    },
    (notice) => assert.fail(notice),
  );
  await exporter.start();
  const paths = take(manyPaths(), PATHS);
  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
  await exporter.shutdown(5_000, noStatistics);
  return paths.map(({ traceId }) => traceId).sort();
}
