import assert from 'node:assert/strict';
import test from 'node:test';
import { createTimeOrder } from '../../../src/exporters/pcapng/time-order.ts';

test('what comes within the window comes out in order', () => {
  const order = createTimeOrder<number>({ windowNs: 10, maxBytes: 1000 });
  const out: number[] = [];
  const write = (at: number): void => void out.push(at);
  for (const at of [5, 3, 12, 8]) order.add(at, 1, at);
  order.release(write);
  assert.deepEqual(out, []);
  for (const at of [20, 11]) order.add(at, 1, at);
  order.release(write);
  assert.deepEqual(out, [3, 5, 8]);
  order.drain(write);
  assert.deepEqual(out, [3, 5, 8, 11, 12, 20]);
  assert.equal(order.late, 0);
});

test('what comes too late is written and counted', () => {
  const order = createTimeOrder<number>({ windowNs: 0, maxBytes: 1000 });
  const out: number[] = [];
  const write = (at: number): void => void out.push(at);
  order.add(5, 1, 5);
  order.release(write);
  order.add(4, 1, 4);
  order.release(write);
  assert.deepEqual(out, [5, 4]);
  assert.equal(order.late, 1);
});

test('memory is bounded: half goes out when it is full', () => {
  const order = createTimeOrder<number>({ windowNs: Infinity, maxBytes: 100 });
  const out: number[] = [];
  for (let at = 0; at < 101; at++) order.add(at, 1, at);
  order.release((at) => out.push(at));
  assert.equal(out.length, 51);
});
