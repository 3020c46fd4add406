// Bytes that are nearly a recording: whatever they are, the reader ends, quickly, and throws nothing but SKBSPAN_INPUT.
// SKBSPAN_FUZZ_INPUTS says how many inputs; `npm run bench pcapng` runs a million.
import assert from 'node:assert/strict';
import test from 'node:test';
import { packetPaths } from '../../fixtures/packet-paths.ts';
import { fuzzRecording } from './fuzz-recording.ts';

const inputs = Number(process.env['SKBSPAN_FUZZ_INPUTS'] ?? 20_000);

test(`${inputs} damaged recordings`, () => {
  const result = fuzzRecording(Object.values(packetPaths()), inputs, 0x5eed);
  assert.deepEqual(result.wrong, []);
  // Some were refused, some read in part: the damage reaches all of the reader.
  assert.ok(result.refused > inputs / 100 && result.paths > inputs / 100, JSON.stringify(result));
  assert.ok(result.slowestMs < 1000, `${result.slowestMs} ms`);
});
