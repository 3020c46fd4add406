import assert from 'node:assert/strict';
import { test } from 'node:test';
import { errnoName, SystemError, systemError } from '../../src/ffi/errno.ts';
import { closeFd, mapMemory, raiseLimit } from '../../src/ffi/libc.ts';

test('numbers have names, the kernel-only ones too, in either sign', () => {
  const table: [number, string][] = [
    [2, 'ENOENT'],
    [-2, 'ENOENT'],
    [11, 'EAGAIN'],
    [95, 'EOPNOTSUPP'],
    [524, 'ENOTSUPP'],
    [4711, 'errno 4711'],
  ];
  for (const [number, name] of table) assert.equal(errnoName(number), name);
});

test('a refusal names the capability, other failures keep their own code', () => {
  const denied = systemError('loading', 1);
  assert.equal(denied.code, 'SKBSPAN_PERMISSION');
  assert.match(denied.message, /^loading: EPERM/);
  assert.match(denied.advice ?? '', /CAP_BPF/);
  const missing = systemError('opening', 2);
  assert.equal(missing.code, 'SKBSPAN_SYSCALL');
  assert.equal(missing.message, 'opening: ENOENT (no such file or directory)');
  assert.equal(missing.errno, 2);
  assert.equal(systemError('x', 1, 'own words').advice, 'own words');
});

test('a failing call throws its errno', () => {
  const isBadFd = (error: unknown): boolean => error instanceof SystemError && error.errno === 9;
  assert.throws(() => {
    closeFd(-1);
  }, isBadFd);
  assert.throws(() => mapMemory(-1, 0, 4096, 'read'), isBadFd);
});

test('a limit that is high enough already is left alone', () => {
  const now = raiseLimit('nofile', 1);
  assert.ok(now >= 1);
  assert.equal(raiseLimit('nofile', now), now);
});
