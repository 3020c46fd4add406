import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { activeSecurityModules } from '../../src/kernel/security-modules.ts';

test('security modules are those that the kernel lists', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-lsm-'));
  try {
    const path = join(folder, 'lsm');
    assert.equal(activeSecurityModules(path), undefined);
    writeFileSync(path, 'lockdown,capability,apparmor');
    assert.deepEqual(activeSecurityModules(path), new Set(['lockdown', 'capability', 'apparmor']));
  } finally {
    rmSync(folder, { recursive: true });
  }
});
