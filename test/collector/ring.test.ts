import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createRingReader, type RingReader } from '../../src/collector/ring.ts';

const PAGE = 4096;
const RING = 4096;
const BUSY = 0x80000000;
const DISCARD = 0x40000000;

/** What the kernel does, by hand: both mappings of the ring are kept the same. */
function createRing(start = 0): {
  reader: RingReader;
  put(bytes: number, fill: number, bits?: number): number;
  setHeader(position: number, header: number): void;
  consumed(): number;
  drain(max?: number): { fill: number; byteLength: number }[];
} {
  const consumer = new ArrayBuffer(PAGE);
  const producer = new ArrayBuffer(PAGE + 2 * RING);
  const consumerPosition = new BigInt64Array(consumer, 0, 1);
  const producerPosition = new BigInt64Array(producer, 0, 1);
  const data = new DataView(producer, PAGE);
  consumerPosition[0] = BigInt(start);
  producerPosition[0] = BigInt(start);
  const setByte = (position: number, byte: number): void => {
    data.setUint8(position % RING, byte);
    data.setUint8((position % RING) + RING, byte);
  };
  const setHeader = (position: number, header: number): void => {
    for (let index = 0; index < 4; index++)
      setByte(position + index, (header >>> (8 * index)) & 0xff);
  };
  const reader = createRingReader({ consumer, producer, ringBytes: RING, pageBytes: PAGE });
  return {
    reader,
    setHeader,
    consumed: () => Number(consumerPosition[0]),
    put(bytes, fill, bits = 0) {
      const position = Number(producerPosition[0]);
      setHeader(position, (bytes | bits) >>> 0);
      for (let index = 0; index < bytes; index++) setByte(position + 8 + index, fill);
      producerPosition[0] = BigInt(position + ((bytes + 15) & ~7));
      return position;
    },
    drain(max = 100) {
      const got: { fill: number; byteLength: number }[] = [];
      const count = reader.drain((words, at, byteLength) => {
        const bytes = new Uint8Array(words.buffer, words.byteOffset + at * 4, byteLength);
        assert.ok(bytes.every((byte) => byte === bytes[0]));
        got.push({ fill: bytes[0] ?? -1, byteLength });
      }, max);
      assert.equal(count, got.length);
      return got;
    },
  };
}

test('records come in order with their exact length and the space is given back', () => {
  const ring = createRing();
  ring.put(32, 1);
  ring.put(37, 2);
  ring.put(40, 3);
  assert.deepEqual(ring.drain(), [
    { fill: 1, byteLength: 32 },
    { fill: 2, byteLength: 37 },
    { fill: 3, byteLength: 40 },
  ]);
  assert.equal(ring.consumed(), 40 + 48 + 48);
  assert.deepEqual(ring.drain(), []);
});

test('at most as many records as asked for', () => {
  const ring = createRing();
  for (let fill = 1; fill <= 5; fill++) ring.put(8, fill);
  assert.deepEqual(
    ring.drain(2).map(({ fill }) => fill),
    [1, 2],
  );
  assert.equal(ring.consumed(), 32);
  assert.deepEqual(
    ring.drain().map(({ fill }) => fill),
    [3, 4, 5],
  );
});

test('a record that crosses the end of the ring is read straight on, over many rounds', () => {
  const ring = createRing();
  for (let round = 0; round < 200; round++) {
    const bytes = 40 + (round % 50) * 8 + (round % 7);
    ring.put(bytes, (round % 255) + 1);
    ring.put(16, 255);
    assert.deepEqual(ring.drain(), [
      { fill: (round % 255) + 1, byteLength: bytes },
      { fill: 255, byteLength: 16 },
    ]);
  }
});

test('positions beyond 32 bits', () => {
  const ring = createRing(2 ** 40 + RING - 16);
  ring.put(64, 9);
  assert.deepEqual(ring.drain(), [{ fill: 9, byteLength: 64 }]);
  assert.equal(ring.consumed(), 2 ** 40 + RING - 16 + 72);
});

test('a busy record stops the reader until it is submitted', () => {
  const ring = createRing();
  ring.put(8, 1);
  const busy = ring.put(8, 2, BUSY);
  ring.put(8, 3);
  assert.deepEqual(
    ring.drain().map(({ fill }) => fill),
    [1],
  );
  assert.equal(ring.consumed(), 16);
  ring.setHeader(busy, 8);
  assert.deepEqual(
    ring.drain().map(({ fill }) => fill),
    [2, 3],
  );
});

test('a discarded record is skipped', () => {
  const ring = createRing();
  ring.put(24, 1, DISCARD);
  ring.put(8, 2);
  ring.put(24, 3, DISCARD);
  assert.deepEqual(
    ring.drain().map(({ fill }) => fill),
    [2],
  );
  assert.equal(ring.consumed(), 32 + 16 + 32);
});

test('an impossible length skips what is there, is counted, and does not stop what comes later', () => {
  for (const length of [9, 1000, RING, 0x3fffffff]) {
    const ring = createRing();
    const bad = ring.put(8, 1);
    ring.setHeader(bad, length);
    assert.deepEqual(ring.drain(), []);
    assert.equal(ring.reader.broken, 1);
    ring.put(8, 2);
    assert.deepEqual(ring.drain(), [{ fill: 2, byteLength: 8 }]);
  }
});
