import assert from 'node:assert/strict';
import test from 'node:test';
import { formatDuration, parseDuration } from '../../src/cli/durations.ts';

test('durations are read with their unit', () => {
  const table: readonly (readonly [string, number | undefined])[] = [
    ['500ms', 500],
    ['10s', 10_000],
    ['1.5s', 1500],
    ['5m', 300_000],
    ['2h', 7_200_000],
    ['0s', undefined],
    ['10', undefined],
    ['s', undefined],
    ['-1s', undefined],
    ['1 s', undefined],
    ['1d', undefined],
    ['', undefined],
    ['1s2', undefined],
  ];
  for (const [text, want] of table) assert.equal(parseDuration(text), want, `'${text}'`);
});

test('durations are written for people', () => {
  const table: readonly (readonly [number, string])[] = [
    [0, '0 ms'],
    [339.6, '340 ms'],
    [999.4, '999 ms'],
    [3210, '3.2 s'],
    [59_949, '59.9 s'],
    [59_960, '1 min 0 s'],
    [125_000, '2 min 5 s'],
  ];
  for (const [ms, want] of table) assert.equal(formatDuration(ms), want);
});
