import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import type { Statistics } from '../../../src/event/statistics.ts';
import { createKafkaExporter } from '../../../src/exporters/kafka/exporter.ts';
import { kafkaClients, type KafkaOptions } from '../../../src/exporters/kafka/options.ts';
import { revivePath } from '../../exporters/json/revive.ts';
import { packetPaths } from '../../fixtures/packet-paths.ts';
import { kafkaMissing, startKafka } from './cluster.ts';

const skip = kafkaMissing ?? false;

const statistics: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: new Map(),
};

const base = {
  format: 'json',
  key: 'flow',
  compression: 'none',
  host: 'node-a',
  bootId: 'b00t',
  topic: undefined,
} as const;

async function write(options: KafkaOptions, paths: readonly PacketPath[]): Promise<void> {
  const exporter = createKafkaExporter(options, (notice) => assert.fail(notice));
  await exporter.start();
  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
  await exporter.shutdown(1_000, statistics);
  assert.deepEqual([...(exporter.losses?.() ?? [])], []);
}

test('kcat reads the paths back, by both clients', { skip }, async (t) => {
  const kafka = await startKafka(t);
  const connection = { brokers: kafka.addresses, tls: undefined, sasl: undefined };
  const paths = Object.values(packetPaths());
  for (const client of kafkaClients) {
    await t.test(client, async () => {
      const topic = `paths-${client}`;
      await kafka.createTopic(topic, 4);
      await write({ ...base, connection, client, topic }, paths);
      const records = kafka.records(topic);
      assert.equal(records.length, paths.length);
      const back = new Map(
        records.map((record) => {
          assert.deepEqual(record.headers, {
            schema: 'skbspan.path/1',
            host: 'node-a',
            boot_id: 'b00t',
          });
          const { host, boot_id, content_id, ...path } = JSON.parse(
            record.value.toString(),
          ) as Record<string, unknown>;
          assert.deepEqual([host, boot_id], ['node-a', 'b00t']);
          assert.ok(content_id !== undefined);
          const revived = revivePath(JSON.stringify(path));
          return [revived.traceId, revived];
        }),
      );
      for (const path of paths) assert.deepEqual(back.get(path.traceId), path);
    });
  }
});
