import assert from 'node:assert/strict';
import { Writable } from 'node:stream';
import { describe, test } from 'node:test';

import { SkbspanError } from '../../../src/errors.ts';
import type { Call, LifeEnd, PacketPath } from '../../../src/event/packet-path.ts';
import { createTextExporter } from '../../../src/exporters/text/text-exporter.ts';
import { droppedPath, packetPaths, pingPath } from '../../fixtures/packet-paths.ts';
import { device, task } from '../../fixtures/packet-path-parts.ts';
import { someStatistics } from '../../pipeline/stub-exporter.ts';
import { collect, failing } from './collect.ts';

const formats = ['tree', 'table'] as const;
const all = Object.values(packetPaths());
const escape = '\u001b';

async function print(
  paths: readonly PacketPath[],
  options: Partial<Parameters<typeof createTextExporter>[0]> = {},
): Promise<string> {
  const { output, text } = collect();
  const exporter = createTextExporter({ output, format: 'tree', color: false, ...options });
  await exporter.start();
  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
  await exporter.shutdown(1_000, someStatistics);
  return text();
}

const withCalls = (path: PacketPath, change: (call: Call) => Call): PacketPath => ({
  ...path,
  lives: path.lives.map((life) => ({ ...life, calls: life.calls.map(change) })),
});

const withEnd = (path: PacketPath, change: (end: LifeEnd) => LifeEnd): PacketPath => ({
  ...path,
  lives: path.lives.map((life) => ({ ...life, end: life.end && change(life.end) })),
});

describe('text exporter', () => {
  for (const format of formats) {
    test(`${format}: no escape sequence and no trailing space without colour`, async () => {
      const text = await print(all, { format });
      assert.doesNotMatch(text, /\u001b/);
      if (format === 'tree') assert.doesNotMatch(text, / $/m);
    });

    test(`${format}: colour changes nothing but colour`, async () => {
      const [plain, coloured] = [
        await print(all, { format }),
        await print(all, { format, color: true }),
      ];
      assert.notEqual(coloured, plain);
      assert.equal(coloured.replaceAll(/\u001b\[[\d;]*m/g, ''), plain);
    });

    test(`${format}: names with control characters cannot reach the terminal`, async () => {
      const evil = `${escape}]0;owned\u0007${escape}[2J\r\n\u009b`;
      const dropped = withEnd(droppedPath(), (end) => ({
        ...end,
        reason: evil,
        location: { address: 1n, func: evil, offset: 1, module: evil },
      }));
      const path = withCalls(dropped, (call) => ({
        ...call,
        func: `f${evil}`,
        module: evil,
        task: task(1, evil),
        device: { ...device(1, evil, 2, evil) },
      }));
      const text = await print([path], { format });
      assert.doesNotMatch(text, /[\u0000-\u0009\u000b-\u001f\u007f-\u009f]/);
      const lines = (
        await print(
          [
            withCalls(path, (call) => ({
              ...call,
              func: 'f',
              module: 'm',
              task: task(1, 't'),
              device: device(1, 'n', 2, 'd'),
            })),
          ],
          { format },
        )
      ).split('\n');
      assert.equal(text.split('\n').length, lines.length);
    });
  }

  test('a drop is red, in the head and in its place', async () => {
    const text = await print([droppedPath()], { color: true });
    const red = `${escape}[1;31m✗ dropped NETFILTER_DROP at nf_hook_slow+0x5a`;
    const [head = '', ...tree] = text.split('\n');
    assert.ok(head.includes(`${red} by inet filter input handle 7${escape}[0m`));
    assert.equal(tree.filter((line) => line.includes(`${red}${escape}[0m`)).length, 1);
  });

  test('a narrow terminal draws the tree closer, nothing is left out', async () => {
    const [wide, narrow] = [await print([pingPath()]), await print([pingPath()], { columns: 60 })];
    const longest = (text: string): number =>
      Math.max(
        ...text
          .split('\n')
          .slice(2)
          .map((line) => line.length),
      );
    assert.ok(longest(narrow) < longest(wide));
    const words = (text: string): string[] =>
      text
        .replaceAll(/[│├└─\s]+/g, ' ')
        .trim()
        .split(' ');
    assert.deepEqual(words(narrow), words(wide));
  });

  test('the table has one header for all exports', async () => {
    const { output, text } = collect();
    const exporter = createTextExporter({ output, format: 'table', color: false });
    await exporter.export([pingPath()]);
    await exporter.export([pingPath()]);
    assert.equal(
      text()
        .split('\n')
        .filter((line) => line.startsWith('SKB ')).length,
      1,
    );
    assert.equal(text().split('\n').length, 1 + 17 + 17 + 1);
  });

  test('an export ends when the stream has taken it: back-pressure', async () => {
    let accept: (() => void) | undefined;
    const output = new Writable({
      write(_chunk, _encoding, callback) {
        accept = callback;
      },
    });
    const exporter = createTextExporter({ output, format: 'tree', color: false });
    let done = false;
    const exporting = exporter.export([pingPath()]).then(() => (done = true));
    await new Promise((resolve) => setImmediate(resolve));
    assert.equal(done, false);
    accept?.();
    await exporting;
  });

  for (const code of ['EPIPE', 'ENOSPC']) {
    test(`${code} is a failure with its paths counted, again and again, never an uncaught error`, async () => {
      const exporter = createTextExporter({ output: failing(code), format: 'tree', color: false });
      for (let round = 0; round < 2; round++) {
        const result = await exporter.export(all);
        assert.equal(result.status, 'failure');
        assert.equal(result.lost, all.length);
        assert.equal(result.cause, 'export_failed');
        assert.ok(result.error instanceof SkbspanError);
        assert.equal(result.error.code, 'SKBSPAN_OUTPUT');
        assert.match(result.error.message, new RegExp(code));
        assert.ok(result.error.advice);
      }
      await exporter.shutdown(1_000, someStatistics);
    });
  }

  test('a stream that breaks between two exports: its own error is told, not thrown', async () => {
    const { output } = collect();
    const exporter = createTextExporter({ output, format: 'tree', color: false });
    output.destroy(Object.assign(new Error('reader left'), { code: 'EPIPE' }));
    await new Promise((resolve) => setImmediate(resolve));
    const result = await exporter.export(all);
    assert.ok(result.status === 'failure');
    assert.match(result.error.message, /reader left/);
  });

  test('shutdown: twice, before start, and the stream stays open', async () => {
    const { output } = collect();
    const exporter = createTextExporter({ output, format: 'tree', color: false });
    await exporter.shutdown(1_000, someStatistics);
    await exporter.shutdown(1_000, someStatistics);
    assert.equal(output.writable, true);
  });
});
