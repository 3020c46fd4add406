import assert from 'node:assert/strict';
import { execFile, execFileSync } from 'node:child_process';
import { closeSync, existsSync, mkdtempSync, openSync, readdirSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ask, queryNames, type Row } from '../../../analysis/duckdb.ts';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { createKafkaExporter } from '../../../src/exporters/kafka/exporter.ts';
import { defaultTopics } from '../../../src/exporters/kafka/options.ts';
import { manyPaths, take } from '../../fixtures/many-paths.ts';
import { kafkaMissing, startKafka, type Cluster } from './cluster.ts';
import { noStatistics } from './delivery-run.ts';
import { runWithProgress } from './with-progress.ts';

const spark = fileURLToPath(new URL('../../../.cache/spark-4.0.0', import.meta.url));
const sparkMissing = existsSync(join(spark, 'complete'))
  ? undefined
  : 'Spark is not in .cache: run scripts/peers/get-spark.sh';
const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));
const job = fileURLToPath(new URL('../../../analysis/spark_job.py', import.meta.url));
const hosts = ['node-a', 'node-b', 'node-c'];
const DAY_NS = 86_400_000_000_000n;
const CHUNK = 2_000;
/** Of all hosts together; a million takes some minutes and 10 GB of disk. */
const total = Number(process.env['SKBSPAN_ANALYSIS_PATHS'] ?? 3_000);
const isLarge = total > 100_000;
/** It tells of every task that ends; one reads 333,000 rows of the large topic in a minute and a half. */
const SPARK_IDLE_MS = isLarge ? 600_000 : 90_000;
/** Of a life: enough for every question, and a third of the rows. */
const CALLS = 3;

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
const placed = (path: PacketPath, host: number, index: number): PacketPath => ({
  ...path,
  startTimeNs:
    path.startTimeNs +
    BigInt(index) * 1_000_000n -
    (index % 10 === 0 ? DAY_NS : 0n) +
    BigInt(host) * 250_000n,
  durationNs: path.durationNs + host * 1_000 + (index % 97),
  lives: path.lives.map((life) => ({
    ...life,
    calls: life.calls.slice(0, CALLS),
    packets: life.packets.map((sight) => ({
      ...sight,
      bytes: marked(sight.bytes, sight.networkOffset, index),
    })),
  })),
});

/** Writes the paths of all hosts, as rows and as whole paths; gives the number of lives that were dropped. */
async function fill(kafka: Cluster): Promise<number> {
  const formats = isLarge ? (['hops'] as const) : (['hops', 'json'] as const);
  let dropped = 0;
  for (const format of formats) await kafka.createTopic(defaultTopics[format], 3);
  for (const [host, name] of hosts.entries()) {
    const exporters = formats.map((format) =>
      createKafkaExporter(
        {
          connection: { brokers: kafka.addresses, tls: undefined, sasl: undefined },
          client: 'platformatic',
          format,
          topic: undefined,
          key: 'flow',
          compression: 'zstd',
          host: name,
          bootId: name,
        },
        (notice) => assert.fail(notice),
      ),
    );
    await Promise.all(exporters.map((exporter) => exporter.start()));
    const source = manyPaths(host + 1);
    const count = total / hosts.length;
    for (let from = 0; from < count; from += CHUNK) {
      const paths = take(source, Math.min(CHUNK, count - from)).map((path, index) =>
        placed(path, host, from + index),
      );
      for (const { lives } of paths)
        dropped += lives.filter(({ end }) => end?.how === 'dropped').length;
      for (const exporter of exporters)
        assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
    }
    await Promise.all(exporters.map((exporter) => exporter.shutdown(60_000, noStatistics)));
  }
  return dropped;
}

/** kcat's lines in a file, as a person would get them. */
function dump(kafka: Cluster, file: string): void {
  const output = openSync(file, 'w');
  const words = ['-b', kafka.addresses.join(','), '-C', '-t', 'skbspan.hops', '-e', '-q'];
  execFileSync('kcat', words, { stdio: ['ignore', output, 'inherit'] });
  closeSync(output);
}

/** Spark leaves out what is null. */
const present = (row: Row): unknown => Object.entries(row).filter(([, value]) => value !== null);

/** Results as lines, in an order of their own: where rows are equal in what they are sorted by, engines are free. */
const lines = (name: string, rows: readonly Row[]): string[] =>
  rows.map((row) => JSON.stringify(present({ query: name, ...row }))).sort();

test(
  'DuckDB over JSON and Parquet, and Spark over the topic, say the same',
  { skip: kafkaMissing ?? sparkMissing ?? false, timeout: isLarge ? 7_200_000 : 280_000 },
  async (t) => {
    const timed = async <T>(what: string, work: () => T | Promise<T>): Promise<T> => {
      const began = performance.now();
      const result = await work();
      t.diagnostic(`${what}: ${((performance.now() - began) / 1000).toFixed(1)} s`);
      return result;
    };
    const kafka = await startKafka(t);
    const dropped = await timed(`${total} paths written`, () => fill(kafka));
    const folder = mkdtempSync(join(tmpdir(), 'skbspan-analysis-'));
    t.after(() => rm(folder, { recursive: true }));
    const file = join(folder, 'hops.jsonl');
    await timed('kcat', () => {
      dump(kafka, file);
    });

    const parquet = join(folder, 'hops.parquet');
    const fromJson = await timed('DuckDB, JSON', () => ask([file], queryNames));
    assert.deepEqual(await ask([file], queryNames, parquet), fromJson);
    const fromParquet = await timed('DuckDB, Parquet', () => ask([parquet], queryNames));
    assert.deepEqual(fromParquet, fromJson);
    t.diagnostic(
      `${await kafka.count('skbspan.hops')} rows, ${statSync(file).size} bytes of JSON, ${statSync(parquet).size} of Parquet`,
    );
    for (const [name, rows] of fromJson) assert.ok(rows.length > 0, name);
    const drops = fromJson.get('drops') ?? [];
    assert.equal(
      drops.reduce((sum, row) => sum + Number(row['drops']), 0),
      dropped,
    );

    if (!isLarge) {
      const converted = join(folder, 'converted.parquet');
      const address = `kafka://${kafka.addresses.join(',')}/skbspan.paths`;
      const words = [main, 'convert', '--from', address, '--parquet', converted];
      await timed('convert --parquet', () => promisify(execFile)(process.execPath, words));
      assert.deepEqual(await ask([converted], queryNames), fromJson);
    }

    await t.test('Spark', async () => {
      const python = join(spark, 'venv/bin/python');
      const jars = readdirSync(join(spark, 'jars'))
        .map((name) => join(spark, 'jars', name))
        .join(',');
      const submit = [
        '--master',
        'local[2]',
        '--driver-memory',
        isLarge ? '3g' : '1g',
        '--conf',
        'spark.sql.shuffle.partitions=2',
        '--conf',
        'spark.ui.enabled=false',
        '--conf',
        'spark.ui.showConsoleProgress=true',
        '--conf',
        'spark.sql.session.timeZone=UTC',
        '--jars',
        jars,
      ];
      const run = async (...words: string[]): Promise<string[]> => {
        const stdout = await runWithProgress(
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
            idleMs: SPARK_IDLE_MS,
          },
        );
        return stdout.split('\n').filter((line) => line.startsWith('{'));
      };
      const said = (await timed('Spark, batch', () => run())).map(
        (line) => JSON.parse(line) as Record<string, string | number>,
      );
      const want = [...fromJson].flatMap(([name, rows]) => lines(name, rows)).sort();
      assert.deepEqual(said.map((row) => JSON.stringify(present(row))).sort(), want);

      const streamed = (await timed('Spark, stream', () => run('--stream', '--once'))).map(
        (line) => JSON.parse(line) as { count: number },
      );
      assert.equal(
        streamed.reduce((sum, { count }) => sum + count, 0),
        dropped,
      );
    });
  },
);
