import assert from 'node:assert/strict';
import { test } from 'node:test';
import { murmur2, partitionOf } from '../../../src/exporters/kafka/partition.ts';

// Of Kafka's own test of its hash (clients: UtilsTest.testMurmur2).
const table: readonly (readonly [text: string, hash: number])[] = [
  ['21', -973932308],
  ['foobar', -790332482],
  ['a-little-bit-long-string', -985981536],
  ['a-little-bit-longer-string', -1486304829],
  ['lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8', -58897971],
  ['abc', 479470107],
];

test('the hash is the one of the Java client', () => {
  for (const [text, hash] of table) assert.equal(murmur2(Buffer.from(text)), hash, text);
});

test('a hash of a part of a larger buffer reads that part only', () => {
  const buffer = Buffer.from('xxxfoobaryyy');
  assert.equal(murmur2(buffer.subarray(3, 9)), -790332482);
});

test('partitions are in range, also for negative hashes', () => {
  for (const [text, hash] of table) {
    assert.equal(partitionOf(Buffer.from(text), 12), (hash & 0x7fffffff) % 12);
  }
});
