import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventFlag } from '../../src/event/layout.ts';
import type { PacketPath } from '../../src/event/packet-path.ts';
import { createTestTracker } from '../fixtures/collector.ts';
import {
  dropRecord,
  enterRecord,
  exitRecord,
  freeRecord,
  linkRecord,
  packetRecord,
  taskRecord,
} from '../fixtures/records.ts';

const MIB = 1024 * 1024;
const ids = (paths: readonly PacketPath[]): number[] => paths.map(({ id }) => id);
const lifeIds = (path: PacketPath | undefined): number[] => (path?.lives ?? []).map(({ id }) => id);

test('a path is handed out a grace after its last life ended and its last call returned', () => {
  const { tracker, add, paths } = createTestTracker();
  tracker.sweep(1000);
  add(enterRecord({ life: 1, seq: 0 }), freeRecord({ life: 1, seq: 1 }));
  tracker.sweep(1500);
  assert.deepEqual(ids(paths()), [], 'a call is open');
  add(exitRecord({ life: 1, seq: 0 }));
  tracker.sweep(1549);
  assert.deepEqual(ids(paths()), [], 'in the grace');
  tracker.sweep(1550);
  const [path] = paths();
  assert.equal(path?.ending, 'ended');
  assert.equal(path.lives[0]?.calls[0]?.timing, 'exit');
  assert.deepEqual(path.losses, []);
});

test('a record in the grace is of the path and prolongs it', () => {
  const { tracker, add, paths } = createTestTracker();
  add(enterRecord({ life: 1, flags: eventFlag.point }), freeRecord({ life: 1, seq: 1 }));
  tracker.sweep(40);
  add(enterRecord({ life: 1, seq: 2, flags: eventFlag.enterOnly }));
  tracker.sweep(89);
  assert.equal(paths().length, 0);
  tracker.sweep(90);
  assert.equal(paths()[0]?.lives[0]?.calls.length, 2);
});

test('points and enter-only calls hold nothing open', () => {
  for (const flags of [eventFlag.point, eventFlag.enterOnly]) {
    const { tracker, add, paths } = createTestTracker();
    add(enterRecord({ life: 1, flags }), freeRecord({ life: 1, seq: 1 }));
    tracker.sweep(50);
    assert.deepEqual(ids(paths()), [1]);
  }
});

test('what is read late is heard of then, not at the sweep before', () => {
  const { tracker, add, paths } = createTestTracker();
  add(enterRecord({ life: 1, flags: eventFlag.point }));
  tracker.reading(4000);
  add(enterRecord({ life: 2, flags: eventFlag.point }));
  tracker.sweep(4000);
  assert.deepEqual(ids(paths()), [1]);
  add(enterRecord({ life: 2, seq: 1, flags: eventFlag.point }));
  tracker.sweep(7000);
  const [path] = paths();
  assert.deepEqual([path?.id, path?.losses], [2, []], 'it was handed out once');
});

test('a path that is not heard of is idle', () => {
  const { tracker, add, paths } = createTestTracker();
  add(enterRecord({ life: 1, flags: eventFlag.point }));
  tracker.sweep(2999);
  assert.equal(paths().length, 0);
  tracker.sweep(3000);
  assert.deepEqual(
    paths().map(({ id, ending }) => [id, ending]),
    [[1, 'idle']],
  );
});

test('in the middle of a call it is given more time; then it is idle, or ended if its lives are', () => {
  const { tracker, add, paths } = createTestTracker();
  add(enterRecord({ life: 1 }), enterRecord({ life: 2 }), freeRecord({ life: 2, seq: 1 }));
  for (const now of [3000, 6000, 9000, 12_000, 14_999]) {
    tracker.sweep(now);
    assert.equal(paths().length, 0, `at ${now}`);
  }
  tracker.sweep(15_000);
  assert.deepEqual(
    paths().map(({ id, ending }) => [id, ending]),
    [
      [1, 'idle'],
      [2, 'ended'],
    ],
  );
});

test('a call that goes on after a long pause is still one with its path', () => {
  const { tracker, add, paths } = createTestTracker();
  add(enterRecord({ life: 1 }));
  tracker.sweep(3000);
  tracker.sweep(6000);
  add(exitRecord({ life: 1 }), freeRecord({ life: 1, seq: 1 }));
  tracker.sweep(20_000);
  assert.deepEqual(
    paths().map(({ id, losses }) => [id, losses]),
    [[1, []]],
  );
  assert.equal(tracker.statistics().losses.get('orphan_exits'), 0);
});

test('a clock that goes back changes nothing', () => {
  const { tracker, add, paths } = createTestTracker();
  tracker.sweep(5000);
  add(enterRecord({ life: 1 }));
  tracker.sweep(1000);
  add(enterRecord({ life: 1, seq: 1 }));
  tracker.sweep(7999);
  assert.equal(paths().length, 0);
});

test('linked lives are one path, which lasts as long as the last of them', () => {
  const { tracker, add, paths } = createTestTracker();
  add(
    enterRecord({ life: 1, flags: eventFlag.point }),
    linkRecord({ life: 2, parent: 1 }),
    freeRecord({ life: 1, seq: 1 }),
    linkRecord({ life: 3, parent: 2 }),
    freeRecord({ life: 2, seq: 1 }),
  );
  tracker.sweep(1000);
  assert.equal(paths().length, 0);
  add(dropRecord({ life: 3, seq: 1, reason: 7 }));
  tracker.sweep(2000);
  const [path, ...others] = paths();
  assert.deepEqual(lifeIds(path), [1, 2, 3]);
  assert.deepEqual(others, []);
  assert.equal(path?.lives[2]?.end?.how, 'dropped');
});

test('without its link a child is joined by its first packet record, with all that it has', () => {
  const { tracker, add, paths } = createTestTracker();
  add(
    enterRecord({ life: 1, flags: eventFlag.point }),
    enterRecord({ life: 2, seq: 1, flags: eventFlag.point | eventFlag.linked }),
    linkRecord({ life: 3, parent: 2 }),
    packetRecord({ life: 2, seq: 2, parent: 1, flags: eventFlag.linked }),
    freeRecord({ life: 2, seq: 3 }),
    freeRecord({ life: 3, seq: 1 }),
    freeRecord({ life: 1, seq: 1 }),
  );
  tracker.sweep(50);
  const [path, ...others] = paths();
  assert.deepEqual(lifeIds(path), [1, 2, 3]);
  assert.deepEqual(others, []);
  assert.equal(tracker.statistics().pathsInFlight, 0);
});

test('a link to itself or between lives of one path does no harm', () => {
  const { tracker, add, paths } = createTestTracker();
  add(
    linkRecord({ life: 1, parent: 1 }),
    linkRecord({ life: 2, parent: 1 }),
    linkRecord({ life: 1, parent: 2, seq: 1 }),
  );
  tracker.finishAll();
  assert.deepEqual(paths().map(lifeIds), [[1, 2]]);
});

test('late exits are orphans, other late records make a continued path', () => {
  const { tracker, add, paths } = createTestTracker();
  add(enterRecord({ life: 1 }));
  for (let now = 3000; now <= 15_000; now += 3000) tracker.sweep(now);
  paths();
  add(exitRecord({ life: 1 }), exitRecord({ life: 99 }));
  assert.equal(tracker.statistics().losses.get('orphan_exits'), 2);
  assert.equal(tracker.statistics().pathsInFlight, 0);
  add(enterRecord({ life: 1, seq: 1 }), dropRecord({ life: 1, seq: 2, reason: 3 }));
  tracker.finishAll();
  const [path] = paths();
  assert.deepEqual(path?.losses, [{ cause: 'continued', life: 0 }]);
  assert.equal(path.lives[0]?.end?.how, 'dropped');
});

test('a child whose parent was handed out says so', () => {
  const { tracker, add, paths } = createTestTracker();
  add(enterRecord({ life: 1 }));
  tracker.finishAll();
  paths();
  add(linkRecord({ life: 2, parent: 1 }));
  tracker.finishAll();
  assert.deepEqual(paths()[0]?.losses, [{ cause: 'continued', life: 0 }]);
});

test('memory used up: paths that are over go first, then the one not heard of for longest', () => {
  const { add, paths } = createTestTracker({ memoryBytes: MIB });
  add(enterRecord({ life: 1 }));
  add(enterRecord({ life: 2, flags: eventFlag.point }), freeRecord({ life: 2, seq: 1 }));
  add(enterRecord({ life: 3 }), enterRecord({ life: 1, seq: 1 }));
  let out: PacketPath[] = [];
  for (let life = 10; out.length < 3; life++) {
    add(enterRecord({ life }));
    out = [...out, ...paths()];
    assert.ok(life < 3000, 'the memory has an end');
  }
  assert.deepEqual(
    out.map(({ id, ending }) => [id, ending]),
    [
      [2, 'ended'],
      [3, 'evicted'],
      [1, 'evicted'],
    ],
  );
});

test('a million lives in a MiB: memory stays bounded and every path is handed out once', () => {
  const { tracker, batches } = createTestTracker({ memoryBytes: MIB });
  const record = enterRecord({ life: 1 });
  const words = new Uint32Array(record.buffer);
  for (let life = 1; life <= 1_000_000; life++) {
    words[2] = life;
    tracker.add(words, 0, record.length);
  }
  assert.ok(tracker.statistics().pathsInFlight <= 1024);
  tracker.finishAll();
  assert.equal(tracker.statistics().paths, 1_000_000);
  assert.ok(batches().length > 50);
});

test('a path beyond its share loses records, tells how many, and still ends', () => {
  const { tracker, add, paths } = createTestTracker({ pathBytes: 10 * 76 });
  for (let seq = 0; seq < 15; seq++) add(enterRecord({ life: 1, seq, flags: eventFlag.point }));
  add(freeRecord({ life: 1, seq: 15 }));
  tracker.sweep(50);
  const [path] = paths();
  assert.equal(path?.ending, 'ended');
  assert.equal(path.lives[0]?.calls.length, 10);
  assert.deepEqual(path.losses, [{ cause: 'memory', count: 5 }]);
  assert.equal(path.lives[0].end?.how, 'consumed');
  assert.equal(tracker.statistics().losses.get('tracker_memory'), 5);
});

test('the biggest packets fit, also one after the other in the smallest memory', () => {
  const { tracker, add, paths } = createTestTracker({ memoryBytes: MIB, pathBytes: 16 * MIB });
  const data = new Uint8Array(65535).map((_, index) => index % 251);
  const seen: number[] = [];
  for (let seq = 0; seq < 40; seq++) {
    add(packetRecord({ life: 1, seq, data }));
    for (const path of paths()) seen.push(path.lives[0]?.packets.length ?? 0);
  }
  tracker.finishAll();
  for (const path of paths()) {
    seen.push(path.lives[0]?.packets.length ?? 0);
    assert.deepEqual(path.lives[0]?.packets[0]?.bytes, data);
  }
  assert.equal(
    seen.reduce((sum, count) => sum + count, 0),
    40,
  );
});

test('when nobody takes batches, whole paths are dropped and counted, tasks are not', () => {
  const tracked = createTestTracker();
  const { tracker, add, paths } = tracked;
  tracked.accepting = false;
  add(enterRecord({ life: 1 }), taskRecord({ tid: 7, comm: 'curl' }), enterRecord({ life: 2 }));
  tracker.finishAll();
  tracked.accepting = true;
  add(enterRecord({ life: 3, tid: 7 }));
  tracker.finishAll();
  const out = paths();
  assert.deepEqual(ids(out), [3]);
  assert.equal(out[0]?.lives[0]?.calls[0]?.task.comm, 'curl');
  assert.equal(tracker.statistics().losses.get('paths_dropped'), 2);
  assert.equal(tracker.statistics().paths, 1);
});

test('stop: what has ended is ended, the rest is stopped', () => {
  const { tracker, add, paths } = createTestTracker();
  add(enterRecord({ life: 1 }), enterRecord({ life: 2 }), freeRecord({ life: 2, seq: 1 }));
  tracker.finishAll();
  assert.deepEqual(
    paths().map(({ id, ending }) => [id, ending]),
    [
      [1, 'stopped'],
      [2, 'ended'],
    ],
  );
});

test('undecodable records are counted and change nothing', () => {
  const { tracker, add } = createTestTracker();
  add(new Uint8Array(0), new Uint8Array(72), enterRecord({ life: 0 }));
  const { events, losses, pathsInFlight } = tracker.statistics();
  assert.deepEqual([events, losses.get('undecodable'), pathsInFlight], [0, 3, 0]);
});

test('two packets that become one become one path, which ends with both', () => {
  const { tracker, add, paths } = createTestTracker();
  const { point, merge } = eventFlag;
  add(enterRecord({ life: 1, flags: point }), enterRecord({ life: 2, flags: point }));
  add(enterRecord({ life: 3, flags: point }));
  add(linkRecord({ life: 2, seq: 1, parent: 1, flags: merge }));
  add(freeRecord({ life: 2, seq: 2 }), freeRecord({ life: 3, seq: 1 }));
  tracker.sweep(50);
  assert.deepEqual(ids(paths()), [3], 'the other one goes on');
  add(freeRecord({ life: 1, seq: 1 }));
  tracker.sweep(100);
  const [joined] = paths();
  assert.deepEqual(lifeIds(joined), [1, 2]);
  assert.equal(joined?.ending, 'ended');
});

test('a merge names the survivor of a path that took others in before', () => {
  const { tracker, add, paths } = createTestTracker();
  const { point, merge } = eventFlag;
  for (const life of [1, 2, 3, 4]) add(enterRecord({ life, flags: point }));
  add(linkRecord({ life: 2, seq: 1, parent: 1, flags: merge }));
  add(linkRecord({ life: 4, seq: 1, parent: 3, flags: merge }));
  add(linkRecord({ life: 3, seq: 1, parent: 2, flags: merge }));
  tracker.finishAll();
  assert.deepEqual(paths().map(lifeIds), [[1, 2, 3, 4]]);
});
