import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, statSync } from 'node:fs';
import { rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { kafkaMissing, startKafka } from './cluster.ts';
import { fill, PATHS } from './filled-topic.ts';

const main = fileURLToPath(new URL('../../../src/cli/main.ts', import.meta.url));

/** Several batches: some of them are committed by then. */
const FIRST_BYTES = 8_000_000;

/** Of whole lines: the last one of a killed writer may be torn. */
const idsIn = (file: string): string[] =>
  readFileSync(file, 'utf8')
    .split('\n')
    .slice(0, -1)
    .map((line) => JSON.parse(line) as { readonly schema: string; readonly trace_id: string })
    .filter(({ schema }) => schema === 'skbspan.path/1')
    .map((record) => record.trace_id);

for (const signal of ['SIGINT', 'SIGKILL'] as const)
  test(
    `skbspan convert of a group, ended by ${signal}: the next run writes what it had not written`,
    { skip: kafkaMissing ?? false, timeout: 120_000 },
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'skbspan-reader-'));
      t.after(() => rm(folder, { recursive: true }));
      const kafka = await startKafka(t);
      const all = await fill(kafka, 'paths');
      const from = `kafka://${kafka.addresses.join(',')}/paths?group=g`;
      const run = (file: string) => {
        const child = spawn(process.execPath, [main, 'convert', '--from', from, '--json', file], {
          stdio: ['ignore', 'ignore', 'pipe'],
        });
        t.after(() => child.kill('SIGKILL'));
        let told = '';
        child.stderr.setEncoding('utf8').on('data', (text: string) => (told += text));
        return { child, told: () => told, ended: once(child, 'close') };
      };

      const file = join(folder, 'first.jsonl');
      const first = run(file);
      while (!existsSync(file) || statSync(file).size < FIRST_BYTES) {
        assert.equal(first.child.exitCode, null, first.told());
        await sleep(5);
      }
      first.child.kill(signal);
      await first.ended;
      const before = idsIn(file);
      assert.ok(before.length < PATHS, 'it had written everything already');

      const second = run(join(folder, 'second.jsonl'));
      assert.deepEqual((await second.ended)[0], 0, second.told());
      const after = idsIn(join(folder, 'second.jsonl'));
      t.diagnostic(`${signal}: ${before.length} before, ${after.length} after, of ${PATHS}`);
      assert.deepEqual([...new Set([...before, ...after])].sort(), all);
      assert.ok(after.length < PATHS, 'nothing was committed');
    },
  );
