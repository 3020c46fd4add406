import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { isLivepatched } from '../../src/kernel/livepatch.ts';

test('a kernel is patched if a patch has its folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-livepatch-'));
  try {
    assert.ok(!isLivepatched(folder));
    mkdirSync(join(folder, 'livepatch_cve'));
    assert.ok(isLivepatched(folder));
    assert.ok(!isLivepatched(join(folder, 'missing')));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
