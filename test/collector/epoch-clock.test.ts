import assert from 'node:assert/strict';
import test from 'node:test';
import { type Clocks, createEpochClock } from '../../src/collector/epoch-clock.ts';

const READ_NS = 50;
const TICK_NS = 1_000_000;
const TRUE_OFFSET = 1_790_000_000_000_000_000n;

/**
 * Clocks in step, of which each reading takes 50 ns. `pause(tick, isWall)`: how long the process is taken the CPU just after the last
 * look at the wall before a tick, or after the last monotonic reading before it.
 */
function clocksWith(pause: (tick: number, isWall: boolean) => number): Clocks {
  let now = 0;
  let last = -1;
  const read = (isWall: boolean): number => {
    const seen = now;
    now += READ_NS;
    const tick = Math.floor(now / TICK_NS) + 1;
    const left = tick * TICK_NS - now;
    if (left <= 3 * READ_NS && tick !== last && pause(tick, isWall) > 0) {
      last = tick;
      now += pause(tick, isWall);
    }
    return seen;
  };
  return {
    wallMs: () => Math.floor(read(true) / TICK_NS) + Number(TRUE_OFFSET / 1_000_000n),
    monotonicNs: () => BigInt(read(false)),
  };
}

const errorOf = (clocks: Clocks): bigint => {
  const error = createEpochClock(clocks).offsetNs() - TRUE_OFFSET;
  return error < 0n ? -error : error;
};

test('undisturbed, it is right to the time of a few readings', () => {
  const error = errorOf(clocksWith(() => 0));
  assert.ok(error <= 4n * BigInt(READ_NS), `${error} ns`);
});

for (const where of ['the wall', 'the monotonic clock'] as const)
  test(`a pause after a look at ${where} shows, and another measurement counts`, () => {
    const disturbed = clocksWith((tick, isWall) =>
      tick % 4 !== 0 && isWall === (where === 'the wall') ? 38_000 : 0,
    );
    const error = errorOf(disturbed);
    assert.ok(error <= 4n * BigInt(READ_NS), `${error} ns`);
  });
