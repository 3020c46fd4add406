import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createHandle, openHandles } from '../../src/ffi/handles.ts';

test('a handle is released once, however often it is closed', () => {
  let released = 0;
  const handle = createHandle('a thing', () => released++);
  assert.deepEqual(openHandles(), ['a thing']);
  assert.equal(handle.closed, false);
  handle.close();
  handle.close();
  assert.equal(released, 1);
  assert.equal(handle.closed, true);
  assert.deepEqual(openHandles(), []);
});

test('a handle whose release fails counts as closed', () => {
  const handle = createHandle('a bad thing', () => {
    throw new Error('no');
  });
  assert.throws(() => {
    handle.close();
  }, /^Error: no$/);
  handle.close();
  assert.deepEqual(openHandles(), []);
});
