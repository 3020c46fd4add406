import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { SkbspanError } from '../../../src/errors.ts';
import { createKafkaExporter } from '../../../src/exporters/kafka/exporter.ts';
import { partitionOf } from '../../../src/exporters/kafka/partition.ts';
import {
  kafkaClients,
  kafkaCompressions,
  type KafkaOptions,
} from '../../../src/exporters/kafka/options.ts';
import { createOtlpExporter } from '../../../src/exporters/otlp/exporter.ts';
import { parseKafkaAddress } from '../../../src/sources/kafka/address.ts';
import { createKafkaSource } from '../../../src/sources/kafka/kafka-source.ts';
import { readPath } from '../../../src/sources/kafka/read-path.ts';
import { longPath } from '../../exporters/otlp/long-path.ts';
import type { SeenSpan } from '../../exporters/otlp/seen-span.ts';
import { manyPaths, take } from '../../fixtures/many-paths.ts';
import { packetPaths, tcpSegmentPath } from '../../fixtures/packet-paths.ts';
import { jaegerMissing, startJaeger } from '../jaeger.ts';
import { kafkaMissing, newestKafka, olderKafka, startKafka, type Cluster } from './cluster.ts';
import { noStatistics } from './delivery-run.ts';

const base = {
  format: 'json',
  key: 'flow',
  compression: 'none',
  host: 'node-a',
  bootId: 'b00t',
  topic: undefined,
} as const;

interface Written {
  readonly result: unknown;
  readonly losses: readonly unknown[];
  readonly notices: readonly string[];
}

async function write(options: KafkaOptions, paths: readonly PacketPath[]): Promise<Written> {
  const notices: string[] = [];
  const exporter = createKafkaExporter(options, (notice) => notices.push(notice));
  await exporter.start();
  const result = await exporter.export(paths);
  await exporter.shutdown(5_000, noStatistics);
  return { result, losses: [...(exporter.losses?.() ?? [])], notices };
}

const success = { result: { status: 'success', lost: 0 }, losses: [], notices: [] };

for (const version of [newestKafka, olderKafka]) {
  describe(`Kafka ${version}`, { skip: kafkaMissing ?? false, timeout: 200_000 }, () => {
    let kafka: Cluster;
    let connection: KafkaOptions['connection'];
    const ends: (() => Promise<void>)[] = [];
    before(async () => {
      const owner = { after: (end: () => Promise<void>): unknown => ends.push(end) };
      kafka = await startKafka(owner, { version });
      connection = { brokers: kafka.addresses, tls: undefined, sasl: undefined };
    });
    after(() => Promise.all(ends.map((end) => end())));

    for (const client of kafkaClients) {
      test(`${client}: kcat reads the paths, in the partition of their flow`, async () => {
        const topic = `paths-${client}`;
        await kafka.createTopic(topic, 4);
        const paths = Object.values(packetPaths());
        assert.deepEqual(await write({ ...base, connection, client, topic }, paths), success);
        const records = await kafka.records(topic);
        const back = new Map(
          records.map(({ headers, value, key, partition }) => {
            assert.deepEqual(headers, {
              schema: 'skbspan.path/1',
              host: 'node-a',
              boot_id: 'b00t',
            });
            assert.equal(partition, partitionOf(Buffer.from(key), 4));
            const { host } = JSON.parse(value.toString()) as { host: string };
            assert.equal(host, 'node-a');
            const path = readPath(value.toString());
            return [path.traceId, path];
          }),
        );
        assert.equal(records.length, paths.length);
        const origin = { host: 'node-a', bootId: 'b00t' };
        for (const path of paths) assert.deepEqual(back.get(path.traceId), { ...path, origin });
      });

      test(`${client}: both directions of a flow meet`, async () => {
        const topic = `flows-${client}`;
        await kafka.createTopic(topic, 12);
        const there = take(manyPaths(7), 200);
        const back = there.map(({ flow, ...path }): PacketPath => ({
          ...path,
          traceId: path.traceId.replace(/^0/, 'f'),
          flow: flow && {
            ...flow,
            sourceAddress: flow.destinationAddress,
            sourcePort: flow.destinationPort,
            destinationAddress: flow.sourceAddress,
            destinationPort: flow.sourcePort,
          },
        }));
        await write({ ...base, connection, client, topic }, [...there, ...back]);
        const partitions = new Map<string, Set<number>>();
        for (const { key, partition } of await kafka.records(topic)) {
          partitions.set(key, (partitions.get(key) ?? new Set()).add(partition));
        }
        assert.ok(partitions.size > 100);
        assert.ok([...partitions.values()].every(({ size }) => size === 1));
      });

      for (const compression of kafkaCompressions.filter((name) => name !== 'none')) {
        test(`${client}: kcat reads ${compression}, and so does the source`, async () => {
          const topic = `${compression}-${client}`;
          await kafka.createTopic(topic, 1);
          const paths = take(manyPaths(), 100);
          assert.deepEqual(
            await write({ ...base, connection, client, topic, compression }, paths),
            success,
          );
          assert.deepEqual(
            (await kafka.records(topic))
              .map(({ value }) => readPath(value.toString()).traceId)
              .sort(),
            paths.map(({ traceId }) => traceId).sort(),
          );
          const source = createKafkaSource({
            address: parseKafkaAddress(`kafka://${kafka.addresses.join(',')}/${topic}`),
            connection,
            onNotice: (notice) => assert.fail(notice),
          });
          await source.open();
          let count = 0;
          for await (const batch of source.paths()) count += batch.length;
          await source.close();
          assert.equal(count, paths.length);
        });
      }

      test(`${client}: a path of more than 1 MB is counted, the others arrive`, async () => {
        const topic = `large-${client}`;
        await kafka.createTopic(topic, 1);
        const few = take(manyPaths(), 10);
        const options = { ...base, connection, client, topic };
        const written = await write(options, [...few, longPath(12_000)]);
        assert.deepEqual(written.result, { status: 'success', lost: 0 });
        assert.deepEqual(written.losses, [['record_too_large', 1]]);
        assert.equal((await kafka.records(topic)).length, 10);
      });

      test(`${client}: a topic that takes less: batches are parted, a record too large is counted`, async () => {
        const topic = `small-${client}`;
        await kafka.createTopic(topic, 1, { 'max.message.bytes': '20000' });
        const many = take(manyPaths(), 50);
        const options = { ...base, connection, client, topic };
        const written = await write(options, [...many, longPath(100)]);
        assert.deepEqual(written.losses, [['export_refused', 1]]);
        const ids = (await kafka.records(topic)).map(
          ({ value }) => readPath(value.toString()).traceId,
        );
        assert.deepEqual(ids.sort(), many.map(({ traceId }) => traceId).sort());
      });

      test(`${client}: wrong settings are refused with advice, at once`, async () => {
        const options = { ...base, connection, client, topic: 'no-such-topic' };
        const began = Date.now();
        await assert.rejects(
          write(options, []),
          (error: unknown) =>
            error instanceof SkbspanError &&
            /there is no topic 'no-such-topic'/.test(error.message) &&
            /--create --topic/.test(error.advice ?? ''),
        );
        const nobody = { ...connection, brokers: ['127.0.0.1:1'] };
        await assert.rejects(
          write({ ...options, connection: nobody }, []),
          (error: unknown) =>
            error instanceof SkbspanError && /cannot be reached.*ECONNREFUSED/.test(error.message),
        );
        assert.ok(Date.now() - began < 10_000);
      });
    }

    test('hop rows: one per call, in order', async () => {
      await kafka.createTopic('skbspan.hops', 3);
      const path = tcpSegmentPath();
      await write({ ...base, connection, client: 'platformatic', format: 'hops' }, [path]);
      const rows = (await kafka.records('skbspan.hops')).map(
        ({ value }) => JSON.parse(value.toString()) as { life: number; func: string },
      );
      assert.deepEqual(
        rows.map(({ life, func }) => [life, func]),
        path.lives.flatMap(({ calls }, life) => calls.map(({ func }) => [life, func])),
      );
    });

    test('the source reads paths back, and says what it skips', async () => {
      const topic = 'read-back';
      await kafka.createTopic(topic, 3);
      const paths = take(manyPaths(3), 500);
      const options = { ...base, connection, client: 'platformatic', topic } as const;
      await write(options, paths);
      await write({ ...options, format: 'hops' }, [tcpSegmentPath()]);
      const hops = tcpSegmentPath().lives.reduce((sum, { calls }) => sum + calls.length, 0);
      const read = async (query: string): Promise<[string[], number, string[]]> => {
        const notices: string[] = [];
        const source = createKafkaSource({
          address: parseKafkaAddress(`kafka://${kafka.addresses.join(',')}/${topic}${query}`),
          connection,
          onNotice: (notice) => notices.push(notice),
        });
        await source.open();
        const ids: string[] = [];
        for await (const batch of source.paths()) ids.push(...batch.map(({ traceId }) => traceId));
        const foreign = source.statistics().losses.get('foreign_records') ?? 0;
        await source.close();
        return [ids.sort(), foreign, notices];
      };
      const all = paths.map(({ traceId }) => traceId).sort();
      const [ids, foreign, notices] = await read('');
      assert.deepEqual(ids, all);
      assert.equal(foreign, hops);
      assert.deepEqual(notices, ['a record is skipped: its schema is skbspan.hop/1']);
      assert.deepEqual((await read('?group=g'))[0], all);
      assert.deepEqual((await read('?group=g'))[0], [], 'the group goes on where it stopped');
      assert.deepEqual((await read('?from=latest'))[0], []);
      assert.deepEqual((await read('?from=1h'))[0], all);
      assert.deepEqual((await read('?to=1h'))[0], []);
    });
  });
}

test(
  "Jaeger's unmodified kafka receiver stores the traces that OTLP would have brought",
  { skip: kafkaMissing ?? jaegerMissing ?? false, timeout: 120_000 },
  async (t) => {
    const kafka = await startKafka(t);
    await kafka.createTopic('otlp_spans', 3);
    const [direct, byKafka] = await Promise.all([startJaeger(t), startJaeger(t, kafka.addresses)]);
    const paths = [...Object.values(packetPaths()), longPath(3_000)];

    const otlp = createOtlpExporter({ clones: 'same_trace', endpoint: direct.endpoint });
    t.after(() => otlp.shutdown(0, noStatistics));
    await otlp.start();
    await otlp.export(paths);
    const connection = { brokers: kafka.addresses, tls: undefined, sasl: undefined };
    for (const client of kafkaClients) {
      const half = paths.filter((_, index) => index % 2 === kafkaClients.indexOf(client));
      const options = { ...base, connection, client, format: 'otlp_proto', key: 'trace' } as const;
      assert.deepEqual(await write(options, half), success);
    }

    const sorted = (spans: readonly SeenSpan[]): SeenSpan[] =>
      [...spans].sort((a, b) => (a.spanId < b.spanId ? -1 : 1));
    for (const { traceId } of paths) {
      const want = sorted(await direct.spans(traceId));
      let got: SeenSpan[] = [];
      for (let tries = 0; tries < 100 && got.length < want.length; tries++) {
        got = sorted(await byKafka.spans(traceId).catch(() => []));
        if (got.length < want.length) await sleep(100);
      }
      assert.deepEqual(got, want);
    }
  },
);
