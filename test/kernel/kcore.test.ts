import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { openKernelCode } from '../../src/kernel/kcore.ts';

/** A core file of two pieces of memory, of 16 bytes each. */
function coreFile(path: string): void {
  const bytes = Buffer.alloc(64 + 2 * 56 + 32);
  bytes.writeBigUInt64LE(64n, 32);
  bytes.writeUInt16LE(2, 56);
  [0xffffffff81000000n, 0xffffffffc0000000n].forEach((virtual, index) => {
    const at = 64 + index * 56;
    bytes.writeUInt32LE(1, at);
    bytes.writeBigUInt64LE(BigInt(176 + 16 * index), at + 8);
    bytes.writeBigUInt64LE(virtual, at + 16);
    bytes.writeBigUInt64LE(16n, at + 40);
  });
  for (let index = 0; index < 32; index++) bytes[176 + index] = index;
  writeFileSync(path, bytes);
}

test('code is read where the program headers say', () => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-kcore-'));
  try {
    const path = join(folder, 'kcore');
    coreFile(path);
    const code = openKernelCode(path);
    assert.ok(code !== undefined);
    assert.deepEqual([...(code.at(0xffffffff81000002n, 3) ?? [])], [2, 3, 4]);
    assert.deepEqual([...(code.at(0xffffffffc000000en, 2) ?? [])], [30, 31]);
    assert.equal(code.at(0xffffffff8100000fn, 2), undefined, 'over the end of a piece');
    assert.equal(code.at(0xffffffff80ffffffn, 2), undefined, 'before the first');
    code.close();
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test('a file that is missing or tells nothing gives nothing', () => {
  assert.equal(openKernelCode('/nowhere/kcore'), undefined);
  const code = openKernelCode('/dev/null');
  assert.equal(code?.at(0xffffffff81000000n, 1), undefined);
  code?.close();
});
