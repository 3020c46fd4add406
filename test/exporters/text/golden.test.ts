/**
 * What the text exporter prints for every path of test/fixtures/packet-paths.ts, beside a file that a person has read and
 * found right. After a wanted change: `UPDATE_GOLDEN=1 node --test test/exporters/text/golden.test.ts`, and read the diff.
 */
import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { describe, test } from 'node:test';

import { createTextExporter } from '../../../src/exporters/text/text-exporter.ts';
import { allPaths, packetPaths } from '../../fixtures/packet-paths.ts';
import { collect } from './collect.ts';

process.env['TZ'] = 'UTC';

const golden = (name: string): URL => new URL(`../../fixtures/text/${name}.txt`, import.meta.url);

function compare(name: string, text: string): void {
  if (process.env['UPDATE_GOLDEN'] === '1') writeFileSync(golden(name), text);
  assert.equal(text, readFileSync(golden(name), 'utf8'));
}

describe('golden', () => {
  for (const [name, path] of Object.entries(allPaths())) {
    test(`tree of ${name}`, async () => {
      const { output, text } = collect();
      const exporter = createTextExporter({ output, format: 'tree', color: false, columns: 120 });
      await exporter.export([path]);
      compare(`tree-${name}`, text());
    });
  }

  test('table of all', async () => {
    const { output, text } = collect();
    const exporter = createTextExporter({ output, format: 'table', color: false });
    for (const path of Object.values(packetPaths())) await exporter.export([path]);
    compare('table', text());
  });
});
