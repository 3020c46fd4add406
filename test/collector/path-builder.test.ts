import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventFlag, freeHow, linkOperation } from '../../src/event/layout.ts';
import type { PacketPath } from '../../src/event/packet-path.ts';
import { createTestTracker, EPOCH_OFFSET_NS, pathsOf } from '../fixtures/collector.ts';
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

const { linked, point } = eventFlag;

/** An IPv4/UDP packet without link layer. */
const udp = Uint8Array.of(
  ...[0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
  ...[0x30, 0x39, 0, 53, 0, 12, 0, 0],
);
const udpPacket = { data: udp, networkOffset: 0, transportOffset: 20, protocol: 0x800 };

function onePath(...records: Uint8Array[]): PacketPath {
  const paths = pathsOf(records);
  assert.equal(paths.length, 1);
  return paths[0] as PacketPath;
}

test('a whole path: identity, times, flow, task, device, end', () => {
  const life = 0x1234;
  const path = onePath(
    taskRecord({ tid: 50, tgid: 49, cgroup: 77n, comm: 'ping' }),
    deviceRecord({ netns: 4026531840, ifindex: 3, name: 'eth0', mtu: 1400 }),
    packetRecord({
      life,
      seq: 0,
      timeNs: 5_000,
      tid: 50,
      skb: 0xffff888000000100n,
      socket: 9n,
      ...udpPacket,
    }),
    enterRecord({
      life,
      seq: 1,
      timeNs: 5_100,
      probe: 7,
      tid: 50,
      cpu: 2,
      netns: 4026531840,
      ifindex: 3,
      len: 60,
      mark: 0x42,
      protocol: 0x800,
    }),
    exitRecord({ life, seq: 1, timeNs: 5_350, probe: 7, tid: 50, returnValue: 2n ** 64n - 1n }),
    dropRecord({ life, seq: 2, timeNs: 5_300, reason: 8, location: 0xffffffff81000004n }),
  );
  const device = {
    netns: 4026531840,
    netnsName: 'ns4026531840',
    ifindex: 3,
    name: 'eth0',
    mtu: 1400,
    kind: '',
  };
  assert.equal(path.id, life);
  assert.equal(path.traceId, 'aabbccdd01020304' + '0000000000001234');
  assert.equal(path.startTimeNs, EPOCH_OFFSET_NS + 5_000n);
  assert.equal(path.durationNs, 350);
  assert.equal(path.ending, 'ended');
  assert.deepEqual(path.losses, []);
  assert.equal(path.direction, 'transmit');
  assert.deepEqual(path.flow, {
    network: 'ipv4',
    transport: 'udp',
    sourceAddress: '10.0.0.1',
    destinationAddress: '10.0.0.2',
    sourcePort: 12345,
    destinationPort: 53,
    tcpFlags: undefined,
    detail: '',
  });
  const [root] = path.lives;
  assert.equal(root?.skb, 0xffff888000000100n);
  assert.deepEqual(root.calls, [
    {
      func: 'func_7',
      module: undefined,
      kind: 'function',
      seq: 1,
      offsetNs: 100,
      durationNs: 250,
      timing: 'exit',
      depth: 0,
      parent: undefined,
      cpu: 2,
      task: {
        tid: 50,
        tgid: 49,
        comm: 'ping',
        cgroup: 77n,
        containerId: 'container of 77',
        podUid: 'pod of 77',
      },
      device,
      len: 60,
      mark: 0x42,
      protocol: 0x800,
      returnValue: 2n ** 64n - 1n,
      verdict: undefined,
      packet: 0,
    },
  ]);
  assert.deepEqual(root.end, {
    offsetNs: 300,
    how: 'dropped',
    reason: 'REASON_8',
    reasonCode: 8,
    location: { address: 0xffffffff81000004n, func: 'somewhere', offset: 4, module: undefined },
    program: undefined,
    rule: undefined,
  });
});

test('times stay exact when the machine has been up for years', () => {
  const start = 2n ** 62n + 1n;
  const path = onePath(
    enterRecord({ life: 1, seq: 0, timeNs: start, probe: 1 }),
    enterRecord({ life: 1, seq: 1, timeNs: start + 3n, probe: 1 }),
    freeRecord({ life: 1, seq: 2, timeNs: start + 7n }),
  );
  assert.equal(path.startTimeNs, EPOCH_OFFSET_NS + start);
  assert.equal(path.lives[0]?.calls[1]?.offsetNs, 3);
  assert.equal(path.lives[0].end?.offsetNs, 7);
});

test('how a life ends', () => {
  for (const [name, how] of Object.entries(freeHow))
    assert.equal(onePath(freeRecord({ life: 1, how })).lives[0]?.end?.how, name);
  const untold = onePath(dropRecord({ life: 1, reason: 0xffffffff })).lives[0]?.end;
  assert.equal(untold?.how, 'dropped');
  assert.equal(untold.reasonCode, undefined);
  assert.equal(untold.location, undefined);
});

test('links: root first, parents before children, the making call and the operation', () => {
  const path = onePath(
    enterRecord({ life: 5, seq: 0, timeNs: 10, probe: 1 }),
    enterRecord({ life: 5, seq: 1, timeNs: 20, probe: 2 }),
    linkRecord({ life: 9, timeNs: 25, parent: 5, parentSeq: 1, operation: linkOperation.copy }),
    linkRecord({ life: 6, timeNs: 30, parent: 9 }),
    linkRecord({ life: 7, timeNs: 40, parent: 5, parentSeq: 5, operation: linkOperation.clone }),
  );
  assert.deepEqual(
    path.lives.map(({ id, parent }) => [id, parent]),
    [
      [5, undefined],
      [9, { life: 0, call: 1, operation: 'copy' }],
      [7, { life: 0, call: -1, operation: 'clone' }],
      [6, { life: 1, call: -1, operation: 'clone' }],
    ],
  );
  assert.deepEqual(path.losses, []);
});

test('the making call of a life with wrapped numbers is the newest one that had begun', () => {
  const at = (seq: number): Uint8Array =>
    enterRecord({ life: 1, seq, timeNs: seq, probe: 1, flags: point });
  const [path] = pathsOf([
    ...Array.from({ length: 65_540 }, (_, seq) => at(seq)),
    linkRecord({ life: 2, parent: 1, parentSeq: 2, timeNs: 65_537 }),
    linkRecord({ life: 3, parent: 1, parentSeq: 2, timeNs: 65_538 }),
  ]);
  assert.equal(path?.lives[1]?.parent?.call, 2);
  assert.equal(path.lives[2]?.parent?.call, 65_538);
});

test('losses', async (t) => {
  const cases: [string, Uint8Array[], PacketPath['losses']][] = [
    ['none', [enterRecord({ life: 1 }), freeRecord({ life: 1, seq: 1 })], []],
    [
      'a gap',
      [enterRecord({ life: 1 }), freeRecord({ life: 1, seq: 4 })],
      [{ cause: 'events', life: 1, afterSeq: 0, count: 3 }],
    ],
    [
      'from the start',
      [enterRecord({ life: 1, seq: 2 })],
      [{ cause: 'events', life: 1, afterSeq: -1, count: 2 }],
    ],
    [
      'out of order is no loss',
      [
        enterRecord({ life: 1, seq: 0 }),
        enterRecord({ life: 1, seq: 2, timeNs: 20 }),
        enterRecord({ life: 1, seq: 1, timeNs: 10 }),
      ],
      [],
    ],
    [
      'the link, when the packet record tells the parent',
      [
        enterRecord({ life: 1 }),
        packetRecord({ life: 2, seq: 1, parent: 1, flags: linked, cloned: 1 }),
      ],
      [
        { cause: 'link', life: 2 },
        { cause: 'events', life: 2, afterSeq: -1, count: 1 },
      ],
    ],
    [
      'the link, and nobody tells the parent',
      [enterRecord({ life: 2, seq: 1, flags: linked })],
      [
        { cause: 'link', life: 2 },
        { cause: 'events', life: 2, afterSeq: -1, count: 1 },
      ],
    ],
    [
      'the parent is not here',
      [linkRecord({ life: 2, parent: 1 })],
      [{ cause: 'continued', life: 1 }],
    ],
  ];
  for (const [name, records, losses] of cases)
    await t.test(name, () => {
      assert.deepEqual(onePath(...records).losses, losses);
    });
});

test('a parent known only from the packet record is a parent all the same', () => {
  const parent = (cloned: number): unknown =>
    onePath(
      enterRecord({ life: 1 }),
      packetRecord({ life: 2, seq: 1, parent: 1, flags: linked, cloned }),
    ).lives[1]?.parent;
  assert.deepEqual(parent(1), { life: 0, call: -1, operation: 'clone' });
  assert.deepEqual(parent(0), { life: 0, call: -1, operation: 'copy' });
});

test('out of order: calls by number, times as they are', () => {
  const path = onePath(
    enterRecord({ life: 1, seq: 1, timeNs: 120, probe: 2, flags: point }),
    enterRecord({ life: 1, seq: 0, timeNs: 100, probe: 1, flags: point }),
  );
  assert.equal(path.startTimeNs, EPOCH_OFFSET_NS + 100n);
  assert.deepEqual(
    path.lives[0]?.calls.map(({ func, offsetNs }) => [func, offsetNs]),
    [
      ['func_1', 0],
      ['func_2', 20],
    ],
  );
});

test('each call knows the headers as they were', () => {
  const path = onePath(
    enterRecord({ life: 1, seq: 0, probe: 1 }),
    packetRecord({ life: 1, seq: 1 }),
    enterRecord({ life: 1, seq: 2, probe: 2 }),
    enterRecord({ life: 1, seq: 3, probe: 3 }),
    packetRecord({ life: 1, seq: 4 }),
    enterRecord({ life: 1, seq: 5, probe: 4 }),
  );
  assert.deepEqual(
    path.lives[0]?.calls.map(({ packet }) => packet),
    [-1, 0, 0, 1],
  );
});

test('tasks and devices are remembered over batches, and new words replace old ones', () => {
  const { tracker, add, paths } = createTestTracker();
  const comm = (): string | undefined => {
    add(enterRecord({ life: 1, tid: 5, netns: 1, ifindex: 2 }));
    tracker.finishAll();
    const call = paths()[0]?.lives[0]?.calls[0];
    return call && `${call.task.comm} ${call.device.name}`;
  };
  assert.equal(comm(), ' ');
  add(
    taskRecord({ tid: 5, comm: 'sixteen-letters!' }),
    deviceRecord({ netns: 1, ifindex: 2, name: 'a' }),
  );
  assert.equal(comm(), 'sixteen-letters! a');
  assert.equal(comm(), 'sixteen-letters! a');
  add(taskRecord({ tid: 5, comm: 'new' }), deviceRecord({ netns: 1, ifindex: 2, name: 'b' }));
  assert.equal(comm(), 'new b');
});
