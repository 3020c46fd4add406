import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, writeFileSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ask, queryNames, type Row } from '../../../analysis/duckdb.ts';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { createKafkaExporter } from '../../../src/exporters/kafka/exporter.ts';
import { manyPaths, take } from '../../fixtures/many-paths.ts';
import { kafkaMissing, startKafka, type Cluster } from './cluster.ts';
import { noStatistics } from './delivery-run.ts';

const spark = fileURLToPath(new URL('../../../.cache/spark-4.0.0', import.meta.url));
const job = fileURLToPath(new URL('../../../analysis/spark_job.py', import.meta.url));
const hosts = ['node-a', 'node-b', 'node-c'];
const DAY_NS = 86_400_000_000_000n;
const perHost = Number(process.env['SKBSPAN_ANALYSIS_PATHS'] ?? 3_000) / hosts.length;

/** The same packet, told from others by its IP id and its last bytes. */
const marked = (
  bytes: Uint8Array,
  networkOffset: number | undefined,
  index: number,
): Uint8Array => {
  const copy = Buffer.from(bytes);
  if (networkOffset !== undefined && copy.length >= networkOffset + 20)
    copy.writeUInt16BE(index & 0xffff, networkOffset + 4);
  if (copy.length >= 4) copy.writeUInt32BE(index, copy.length - 4);
  return copy;
};

/** Each host sees the packets a little later than the one before; every tenth path is of the day before. */
const pathsOf = (host: number): PacketPath[] =>
  take(manyPaths(host + 1), perHost).map((path, index) => ({
    ...path,
    startTimeNs:
      path.startTimeNs +
      BigInt(index) * 1_000_000n -
      (index % 10 === 0 ? DAY_NS : 0n) +
      BigInt(host) * 250_000n,
    durationNs: path.durationNs + host * 1_000 + (index % 97),
    lives: path.lives.map((life) => ({
      ...life,
      packets: life.packets.map((sight) => ({
        ...sight,
        bytes: marked(sight.bytes, sight.networkOffset, index),
      })),
    })),
  }));

async function fill(kafka: Cluster): Promise<void> {
  await kafka.createTopic('skbspan.hops', 3);
  for (const [index, host] of hosts.entries()) {
    const exporter = createKafkaExporter(
      {
        connection: { brokers: kafka.addresses, tls: undefined, sasl: undefined },
        client: 'platformatic',
        format: 'hops',
        topic: undefined,
        key: 'flow',
        compression: 'zstd',
        host,
        bootId: host,
      },
      (notice) => assert.fail(notice),
    );
    await exporter.start();
    assert.deepEqual(await exporter.export(pathsOf(index)), { status: 'success', lost: 0 });
    await exporter.shutdown(5_000, noStatistics);
  }
}

/** Spark leaves out what is null. */
const present = (row: Row): unknown => Object.entries(row).filter(([, value]) => value !== null);

/** Results as lines, in an order of their own: where rows are equal in what they are sorted by, engines are free. */
const lines = (name: string, rows: readonly Row[]): string[] =>
  rows.map((row) => JSON.stringify(present({ query: name, ...row }))).sort();

test(
  'DuckDB over JSON and Parquet, and Spark over the topic, say the same',
  { skip: kafkaMissing ?? false, timeout: 240_000 },
  async (t) => {
    const kafka = await startKafka(t);
    await fill(kafka);
    const folder = mkdtempSync(join(tmpdir(), 'skbspan-analysis-'));
    t.after(() => rm(folder, { recursive: true }));
    const file = join(folder, 'hops.jsonl');
    writeFileSync(
      file,
      kafka
        .records('skbspan.hops')
        .map(({ value }) => `${value.toString()}\n`)
        .join(''),
    );

    const parquet = join(folder, 'hops.parquet');
    const fromJson = await ask([file], queryNames);
    const fromParquet = await ask([file], queryNames, parquet);
    assert.deepEqual(fromParquet, fromJson);
    assert.deepEqual(await ask([parquet], queryNames), fromJson);
    for (const [name, rows] of fromJson) assert.ok(rows.length > 0, name);

    const paths = hosts.flatMap((_, index) => pathsOf(index));
    const dropped = paths.flatMap(({ lives }) => lives.filter(({ end }) => end?.how === 'dropped'));
    const drops = fromJson.get('drops') ?? [];
    assert.equal(
      drops.reduce((sum, row) => sum + Number(row['drops']), 0),
      dropped.length,
    );

    await t.test(
      'Spark',
      {
        skip: existsSync(join(spark, 'complete'))
          ? false
          : 'Spark is not in .cache: run scripts/peers/get-spark.sh',
      },
      async () => {
        const python = join(spark, 'venv/bin/python');
        const jars = readdirSync(join(spark, 'jars'))
          .map((name) => join(spark, 'jars', name))
          .join(',');
        const submit = [
          '--master',
          'local[2]',
          '--driver-memory',
          '1g',
          '--conf',
          'spark.sql.shuffle.partitions=2',
          '--conf',
          'spark.ui.enabled=false',
          '--conf',
          'spark.sql.session.timeZone=UTC',
          '--jars',
          jars,
        ];
        const run = async (...words: string[]): Promise<string[]> => {
          const { stdout } = await promisify(execFile)(
            join(spark, 'venv/bin/spark-submit'),
            [...submit, job, '--brokers', kafka.addresses.join(','), ...words],
            {
              env: {
                ...process.env,
                PYSPARK_PYTHON: python,
                PYSPARK_DRIVER_PYTHON: python,
                SPARK_LOCAL_IP: '127.0.0.1',
                SPARK_LOCAL_HOSTNAME: 'localhost',
              },
              maxBuffer: 1e9,
            },
          );
          return stdout.split('\n').filter((line) => line.startsWith('{'));
        };
        const said = (await run()).map(
          (line) => JSON.parse(line) as Record<string, string | number>,
        );
        const want = [...fromJson].flatMap(([name, rows]) => lines(name, rows)).sort();
        assert.deepEqual(said.map((row) => JSON.stringify(present(row))).sort(), want);

        const streamed = (await run('--stream', '--once')).map(
          (line) => JSON.parse(line) as { count: number },
        );
        assert.equal(
          streamed.reduce((sum, { count }) => sum + count, 0),
          dropped.length,
        );
      },
    );
  },
);
