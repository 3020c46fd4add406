import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { pauseKprobeOptimizer } from '../../src/kernel/kprobe-optimizer.ts';

test('it is off until it is resumed, once', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-optimizer-'));
  try {
    const path = join(folder, 'kprobes-optimization');
    writeFileSync(path, '1\n');
    const resume = pauseKprobeOptimizer(path);
    assert.ok(resume !== undefined);
    assert.equal(readFileSync(path, 'utf8'), '0');
    assert.equal(pauseKprobeOptimizer(path), undefined, 'somebody else has paused it');
    resume();
    assert.equal(readFileSync(path, 'utf8'), '1');
    writeFileSync(path, '0\n');
    resume();
    assert.equal(readFileSync(path, 'utf8'), '0\n', 'what is set later is not touched');
    assert.equal(pauseKprobeOptimizer(path), undefined, 'off by the will of somebody');
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a kernel without it has nothing to pause', () => {
  assert.equal(pauseKprobeOptimizer('/nowhere/kprobes-optimization'), undefined);
});
