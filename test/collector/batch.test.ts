import assert from 'node:assert/strict';
import { test } from 'node:test';
import { readBatch } from '../../src/collector/batch.ts';
import { createTestBuilder, createTestTracker, EPOCH_OFFSET_NS } from '../fixtures/collector.ts';
import {
  deviceRecord,
  dropRecord,
  enterRecord,
  exitRecord,
  freeRecord,
  linkRecord,
  packetRecord,
  taskRecord,
} from '../fixtures/records.ts';

/** One batch with every kind of record on three paths. */
function goodBatch(): ArrayBuffer {
  const tracked = createTestTracker();
  tracked.add(
    taskRecord({ tid: 3, comm: 'nc' }),
    deviceRecord({ netns: 1, ifindex: 1, name: 'lo' }),
    packetRecord({
      life: 1,
      data: new Uint8Array(61).fill(0x45),
      networkOffset: 0,
      protocol: 0x800,
    }),
    enterRecord({ life: 1, seq: 1, probe: 1, tid: 3 }),
    linkRecord({ life: 2, parent: 1, parentSeq: 1 }),
    enterRecord({ life: 2, seq: 1, probe: 2, tid: 3 }),
    exitRecord({ life: 2, seq: 1, probe: 2, tid: 3 }),
    exitRecord({ life: 1, seq: 1, probe: 1, tid: 3 }),
    freeRecord({ life: 2, seq: 2 }),
    dropRecord({ life: 1, seq: 2, reason: 3 }),
    enterRecord({ life: 3, probe: 4 }),
    freeRecord({ life: 4, seq: 0 }),
  );
  tracked.tracker.finishAll();
  const [batch, ...others] = tracked.batches();
  assert.ok(batch !== undefined && others.length === 0);
  return batch;
}

const silent = { begin: () => undefined, context: () => undefined, path: () => undefined };

/** Small, fast, and the same on every run (xorshift32). */
function createRandom(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % below;
  };
}

test('what was written is read back', () => {
  const seen: unknown[] = [];
  const undecodable = readBatch(goodBatch(), {
    begin: (offset) => seen.push(offset),
    context: () => seen.push('context'),
    path: ({ root, ending, continued, lost, records }) =>
      seen.push([root, ending, continued, lost, records.length]),
  });
  assert.equal(undecodable, 0);
  assert.deepEqual(seen, [
    EPOCH_OFFSET_NS,
    'context',
    'context',
    [1, 'ended', false, 0, 8],
    [4, 'ended', false, 0, 1],
    [3, 'stopped', false, 0, 1],
  ]);
});

test('a batch is handed over when it is full, without waiting for a flush', () => {
  const tracked = createTestTracker();
  for (let life = 1; life <= 20_000; life++) tracked.add(enterRecord({ life }));
  tracked.tracker.finishAll();
  const batches = tracked.batches();
  const bytes = 20_000 * (8 + 16 + 4 + 72);
  assert.equal(batches.length, Math.ceil(bytes / (1024 * 1024)));
  assert.equal(
    batches.reduce((sum, { byteLength }) => sum + byteLength, 0),
    bytes + batches.length * 16,
  );
});

test('a path bigger than a batch is one batch', () => {
  const tracked = createTestTracker();
  for (let seq = 0; seq < 50_000; seq++) tracked.add(enterRecord({ life: 1, seq }));
  tracked.tracker.finishAll();
  assert.equal(tracked.batches().length, 1);
});

test('cut anywhere, the paths before the cut are handed out and the damage is counted', () => {
  const batch = goodBatch();
  const whole = createTestBuilder().build(batch).paths.length;
  let fewest = whole;
  for (let length = batch.byteLength - 1; length >= 0; length--) {
    const { paths, undecodable } = createTestBuilder().build(batch.slice(0, length));
    assert.ok(paths.length <= fewest);
    fewest = paths.length;
    if (length < 16) assert.deepEqual([paths.length, undecodable], [0, 1]);
  }
  assert.equal(fewest, 0);
});

test('another magic, another version: nothing is read', () => {
  for (const at of [0, 1, 2, 3, 4, 5]) {
    const bytes = new Uint8Array(goodBatch());
    bytes[at] = (bytes[at] ?? 0) ^ 0x80;
    assert.deepEqual(createTestBuilder().build(bytes.buffer), {
      paths: [],
      undecodable: 1,
      orphanExits: 0,
    });
  }
});

test('a section of an unknown type is skipped', () => {
  const words = new Uint32Array(goodBatch());
  words[4] = 77;
  let contexts = 0;
  let paths = 0;
  assert.equal(
    readBatch(words.buffer, { ...silent, context: () => contexts++, path: () => paths++ }),
    0,
  );
  assert.deepEqual([contexts, paths], [1, 3]);
});

test('20,000 damaged batches and as many of mere noise: never throws, never builds nonsense', () => {
  const good = new Uint8Array(goodBatch());
  const random = createRandom(0x5eed);
  let survived = 0;
  for (let round = 0; round < 40_000; round++) {
    const bytes =
      round % 2 === 0
        ? good.slice(0, random(4) === 0 ? random(good.length) : good.length)
        : Uint8Array.from({ length: random(600) }, () => random(256));
    if (round % 2 === 0)
      for (let change = random(12) + 1; change > 0; change--)
        bytes[16 + random(bytes.length)] = random(3) === 0 ? 0xff : random(256);
    else bytes.set(good.subarray(0, Math.min(16, bytes.length)));
    const builder = createTestBuilder();
    const { paths } = builder.build(bytes.buffer);
    survived += paths.length;
    for (const path of paths) {
      assert.ok(path.lives.length > 0);
      assert.ok(path.durationNs >= 0);
      for (const [index, life] of path.lives.entries()) {
        assert.ok(life.parent === undefined || life.parent.life < index);
        for (const call of life.calls) {
          assert.ok((call.durationNs ?? 0) >= 0);
          const { parent } = call;
          if (parent === undefined) assert.equal(call.depth, 0);
          else assert.ok(path.lives[parent.life]?.calls[parent.call] !== undefined);
        }
      }
    }
  }
  assert.ok(survived > 10_000, 'the damage left something to build');
});
