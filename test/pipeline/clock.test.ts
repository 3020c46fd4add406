import assert from 'node:assert/strict';
import { getEventListeners } from 'node:events';
import { describe, test } from 'node:test';

import { systemClock } from '../../src/pipeline/clock.ts';

describe('systemClock', () => {
  test('sleeps for the time given, not less', async () => {
    const began = systemClock.now();
    await systemClock.sleep(20);
    assert.ok(systemClock.now() - began >= 19);
  });

  test('wakes on the signal and leaves no listener behind', async () => {
    const waker = new AbortController();
    const began = systemClock.now();
    const sleeping = systemClock.sleep(60_000, waker.signal);
    waker.abort();
    await sleeping;
    assert.ok(systemClock.now() - began < 10_000);
    await systemClock.sleep(60_000, waker.signal);
    assert.equal(getEventListeners(waker.signal, 'abort').length, 0);
  });

  test('a sleep that ends by itself leaves no listener behind', async () => {
    const waker = new AbortController();
    await systemClock.sleep(1, waker.signal);
    assert.equal(getEventListeners(waker.signal, 'abort').length, 0);
  });

  test('never ends by itself when asked to sleep for ever', async () => {
    const waker = new AbortController();
    let awake = false;
    const sleeping = systemClock.sleep(Infinity, waker.signal).then(() => (awake = true));
    await systemClock.sleep(20);
    assert.equal(awake, false);
    waker.abort();
    await sleeping;
  });
});
