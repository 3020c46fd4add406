import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { createPcapngSource } from '../../../src/sources/pcapng/pcapng-source.ts';
import { packetPaths } from '../../fixtures/packet-paths.ts';
import { record } from './record.ts';

test('who leaves early is told how many paths there were so far', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const all = Object.values(packetPaths());
  const file = join(folder, 'a.pcapng');
  writeFileSync(file, record(Array.from({ length: 200 }, () => all).flat()));
  const notices: string[] = [];
  const source = createPcapngSource({
    files: [file],
    stdin: process.stdin,
    onNotice: (notice) => notices.push(notice),
  });
  await source.open();
  const paths = source.paths()[Symbol.asyncIterator]();
  const first = await paths.next();
  assert.ok(first.done !== true);
  assert.ok(first.value.length > 0 && first.value.length < 200 * all.length);
  assert.equal(source.statistics().paths, first.value.length);
  let rest = 0;
  for (let next = await paths.next(); next.done !== true; next = await paths.next()) {
    rest += next.value.length;
  }
  assert.equal(first.value.length + rest, 200 * all.length);
  assert.equal(source.statistics().paths, 200 * all.length);
  assert.deepEqual(notices, []);
  await source.close();
});
