import assert from 'node:assert/strict';
import test from 'node:test';
import { readRetryDelayMs } from '../../../src/exporters/otlp/retry-info.ts';
import { statusDetails } from './receiver.ts';

for (const delayMs of [0, 1, 999, 1000, 30_250, 86_400_000])
  test(`a RetryInfo of ${delayMs} ms`, () => {
    assert.equal(readRetryDelayMs(statusDetails(delayMs)), delayMs);
  });

const whole = statusDetails(30_250);
const broken: { name: string; bytes: Uint8Array }[] = [
  { name: 'nothing', bytes: new Uint8Array() },
  { name: 'a zero', bytes: Uint8Array.of(0) },
  { name: 'a length without end', bytes: Uint8Array.of(0x1a, 0xff, 0xff, 0xff, 0xff, 0xff) },
  { name: 'a group', bytes: Uint8Array.of(0x1b, 0x01) },
  { name: 'ones', bytes: new Uint8Array(64).fill(0xff) },
  { name: 'another detail', bytes: Uint8Array.of(0x1a, 3, 0x0a, 1, 0x41) },
];
for (const { name, bytes } of broken)
  test(`no RetryInfo in ${name}`, () => {
    assert.equal(readRetryDelayMs(bytes), undefined);
  });

test('cut anywhere, it gives a delay or none but never throws', () => {
  for (let length = 0; length < whole.length; length++) {
    const delay = readRetryDelayMs(whole.subarray(0, length));
    assert.ok(delay === undefined || delay >= 0);
  }
});
