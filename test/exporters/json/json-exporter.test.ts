import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test, type TestContext } from 'node:test';

import { SkbspanError } from '../../../src/errors.ts';
import { createJsonExporter } from '../../../src/exporters/json/json-exporter.ts';
import { packetPaths, pingPath } from '../../fixtures/packet-paths.ts';
import { someStatistics } from '../../pipeline/stub-exporter.ts';
import { collect, failing } from '../text/collect.ts';

async function folder(t: TestContext): Promise<string> {
  const path = await mkdtemp(join(tmpdir(), 'skbspan-json-'));
  t.after(() => rm(path, { recursive: true }));
  return path;
}

const isOutputError =
  (message: RegExp) =>
  (error: unknown): boolean =>
    error instanceof SkbspanError &&
    error.code === 'SKBSPAN_OUTPUT' &&
    error.advice !== undefined &&
    message.test(error.message);

const schemas = (text: string): string[] =>
  text
    .trimEnd()
    .split('\n')
    .map((line) => (JSON.parse(line) as { schema: string }).schema);

describe('to a file', () => {
  test('every path in order, the summary last; what was there before is gone', async (t) => {
    const output = join(await folder(t), 'out.json');
    await writeFile(output, 'x'.repeat(1_000_000));
    const exporter = createJsonExporter({ output });
    await exporter.start();
    const paths = Object.values(packetPaths());
    assert.deepEqual(await exporter.export(paths.slice(0, 4)), { status: 'success', lost: 0 });
    assert.deepEqual(await exporter.export(paths.slice(4)), { status: 'success', lost: 0 });
    await exporter.shutdown(1_000, someStatistics);
    await exporter.shutdown(1_000, someStatistics);
    const text = await readFile(output, 'utf8');
    assert.deepEqual(schemas(text), [...paths.map(() => 'skbspan.path/1'), 'skbspan.summary/1']);
    const ids = text
      .split('\n')
      .slice(0, paths.length)
      .map((line) => (JSON.parse(line) as { id: number }).id);
    assert.deepEqual(
      ids,
      paths.map((path) => path.id),
    );
  });

  test('that cannot be opened: start says why, and shutdown is safe', async (t) => {
    const missing = createJsonExporter({ output: join(await folder(t), 'no', 'out.json') });
    await assert.rejects(missing.start(), isOutputError(/cannot write to .*out\.json.*ENOENT/));
    await missing.shutdown(1_000, someStatistics);
    const directory = createJsonExporter({ output: await folder(t) });
    await assert.rejects(directory.start(), isOutputError(/EISDIR/));
  });

  test('on a full file system: failures are counted, nothing is thrown, no summary is tried', async () => {
    const exporter = createJsonExporter({ output: '/dev/full' });
    await exporter.start();
    for (let round = 0; round < 2; round++) {
      const result = await exporter.export([pingPath(), pingPath()]);
      assert.equal(result.status, 'failure');
      assert.equal(result.lost, 2);
      assert.ok(isOutputError(/ENOSPC/)(result.error));
    }
    await exporter.shutdown(1_000, someStatistics);
  });

  test('that is full at the summary: shutdown says so', async () => {
    const exporter = createJsonExporter({ output: '/dev/full' });
    await exporter.start();
    await assert.rejects(exporter.shutdown(1_000, someStatistics), isOutputError(/ENOSPC/));
  });

  test('shutdown before start writes nothing', async (t) => {
    const output = join(await folder(t), 'out.json');
    await createJsonExporter({ output }).shutdown(1_000, someStatistics);
    await assert.rejects(readFile(output), /ENOENT/);
  });
});

describe('to a stream', () => {
  test('the same lines; the stream stays open', async () => {
    const { output, text } = collect();
    const exporter = createJsonExporter({ output });
    await exporter.start();
    await exporter.export([pingPath()]);
    await exporter.shutdown(1_000, someStatistics);
    assert.deepEqual(schemas(text()), ['skbspan.path/1', 'skbspan.summary/1']);
    assert.equal(output.writable, true);
  });

  test('whose reader is gone', async () => {
    const exporter = createJsonExporter({ output: failing('EPIPE') });
    await exporter.start();
    const result = await exporter.export([pingPath()]);
    assert.equal(result.status, 'failure');
    assert.ok(isOutputError(/EPIPE/)(result.error));
    await exporter.shutdown(1_000, someStatistics);
  });
});
