import assert from 'node:assert/strict';
import { closeSync, mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { handOver } from '../../src/ffi/hand-over.ts';

const isRunning = (pid: number): boolean => {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

/** Names of the open files of a process that lie in `folder`. */
const filesIn = (pid: number, folder: string): string[] =>
  readdirSync(`/proc/${pid}/fd`)
    .map((fd) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${fd}`);
      } catch {
        return ''; // Closed meanwhile: the listing itself, or what the shell opens at its start.
      }
    })
    .filter((path) => path.startsWith(folder));

test('another process holds the files until it is told to go, then it is gone', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-hand-over-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const count = 600;
  const files = Array.from({ length: count }, (_, i) => openSync(join(folder, `${i}`), 'w'));
  const began = performance.now();
  const behind = handOver(files);
  assert.ok(behind !== undefined);
  for (const file of files) closeSync(file);
  t.diagnostic(`${count} files in ${Math.round(performance.now() - began)} ms`);
  assert.equal(filesIn(behind.pid, folder).length, count);
  assert.equal(filesIn(process.pid, folder).length, 0);
  behind.finish();
  const giveUpAt = Date.now() + 5000;
  while (isRunning(behind.pid) && Date.now() < giveUpAt) await sleep(5);
  assert.equal(isRunning(behind.pid), false);
});
