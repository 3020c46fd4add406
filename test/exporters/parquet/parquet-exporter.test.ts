import assert from 'node:assert/strict';
import { mkdtempSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { DuckDBInstance } from '@duckdb/node-api';
import { hopColumns } from '../../../src/exporters/kafka/hop-columns.ts';
import { hopRows } from '../../../src/exporters/kafka/hop-records.ts';
import { createParquetExporter } from '../../../src/exporters/parquet/parquet-exporter.ts';
import { manyPaths, take } from '../../fixtures/many-paths.ts';
import { packetPaths } from '../../fixtures/packet-paths.ts';
import { someStatistics } from '../../pipeline/stub-exporter.ts';

const origin = { host: 'node-ä', bootId: 'b00t' };

function fileFor(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-parquet-'));
  t.after(() => rm(folder, { recursive: true }));
  return join(folder, 'hops.parquet');
}

/** The rows of a file as DuckDB reads them: whole numbers are text. */
async function read(file: string, what = '*'): Promise<readonly Record<string, unknown>[]> {
  const database = await DuckDBInstance.create(':memory:');
  const connection = await database.connect();
  const reader = await connection.runAndReadAll(`SELECT ${what} FROM read_parquet('${file}')`);
  const rows = reader.getRowObjectsJson();
  connection.closeSync();
  database.closeSync();
  return rows;
}

test('DuckDB reads the rows of every kind of path, to the last value', async (t) => {
  const file = fileFor(t);
  const paths = Object.values(packetPaths()).map((path) => ({ ...path, origin }));
  const exporter = createParquetExporter(file);
  await exporter.start();
  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
  await exporter.shutdown(1_000, someStatistics);
  const want = paths
    .flatMap((path) => hopRows(path, origin))
    .map((row) =>
      Object.fromEntries(
        [...hopColumns().keys()].map((name) => {
          const value = row[name] ?? null;
          return [name, typeof value === 'number' ? String(value) : value];
        }),
      ),
    );
  assert.deepEqual(await read(file), want);
  assert.deepEqual(Object.keys(want[0] ?? {}).sort(), [...hopColumns().keys()].sort());
});

test('groups of rows, one after the other', async (t) => {
  const file = fileFor(t);
  const exporter = createParquetExporter(file);
  await exporter.start();
  const source = manyPaths();
  let rows = 0;
  for (let batch = 0; batch < 14; batch++) {
    const paths = take(source, 400);
    rows += paths.reduce((sum, path) => sum + hopRows(path, origin).length, 0);
    assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
  }
  await exporter.shutdown(1_000, someStatistics);
  assert.ok(rows > 50_000);
  const what = 'COUNT(*) AS rows, COUNT(DISTINCT trace_id) AS paths';
  assert.deepEqual(await read(file, what), [{ rows: String(rows), paths: String(14 * 400) }]);
});

test('without a path the file is empty, and still Parquet', async (t) => {
  const file = fileFor(t);
  const exporter = createParquetExporter(file);
  await exporter.start();
  await exporter.shutdown(1_000, someStatistics);
  assert.deepEqual(await read(file), []);
});

test('what cannot be written is said and counted', async () => {
  await assert.rejects(createParquetExporter('/nowhere/x.parquet').start(), {
    code: 'SKBSPAN_OUTPUT',
  });
  const exporter = createParquetExporter('/dev/full');
  await exporter.start();
  await exporter.export(take(manyPaths(), 10));
  await assert.rejects(exporter.shutdown(1_000, someStatistics), {
    code: 'SKBSPAN_OUTPUT',
    message: /ENOSPC|no space/,
  });
});
