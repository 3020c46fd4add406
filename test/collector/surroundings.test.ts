import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Life, PacketPath } from '../../src/event/packet-path.ts';
import { pathsOf } from '../fixtures/collector.ts';
import {
  conntrackRecord,
  deviceRecord,
  dropRecord,
  enterRecord,
  freeRecord,
  ruleRecord,
  socketRecord,
} from '../fixtures/records.ts';

function onlyLife(...records: Uint8Array[]): Life {
  const paths: PacketPath[] = pathsOf(records);
  const [life] = paths[0]?.lives ?? [];
  assert.ok(paths.length === 1 && life !== undefined);
  assert.deepEqual(paths[0]?.losses, [], 'their numbers count as those of other records');
  return life;
}

const life = 9;
const call = enterRecord({ life, seq: 0, timeNs: 100, skb: 7n, flags: 2 });
const over = freeRecord({ life, seq: 3, timeNs: 900 });

test('sockets: whose, of which kind, where', () => {
  const { sockets, skb } = onlyLife(
    call,
    socketRecord({
      life,
      seq: 1,
      timeNs: 150,
      family: 2,
      type: 1,
      protocol: 6,
      state: 10,
      local: [10, 0, 0, 2],
      localPort: 80,
      inode: 2n ** 32n - 1n,
      uid: 33,
      cgroup: 77n,
      netns: 5,
    }),
    // Stands in for one: a connection that is about to be.
    socketRecord({ life, seq: 2, timeNs: 200, family: 10, full: 0, state: 12, local: [0x20, 1] }),
    over,
  );
  assert.equal(skb, 7n);
  const [listener, request] = sockets;
  assert.deepEqual(listener, {
    offsetNs: 50,
    seq: 1,
    address: 0n,
    inode: 4_294_967_295,
    uid: 33,
    family: 'ipv4',
    type: 'stream',
    protocol: 'tcp',
    state: 'LISTEN',
    localAddress: '10.0.0.2',
    localPort: 80,
    remoteAddress: '',
    remotePort: 0,
    netns: 5,
    netnsName: 'ns5',
    cgroup: 77n,
    containerId: 'container of 77',
    podUid: 'pod of 77',
  });
  assert.deepEqual(
    [request?.family, request?.protocol, request?.state, request?.uid, request?.localAddress],
    ['ipv6', 'tcp', 'SYN-RECV', undefined, '2001::'],
  );
});

test('packet sockets have no transport', () => {
  const { sockets } = onlyLife(
    call,
    socketRecord({ life, seq: 1, family: 17, type: 3, protocol: 3 }),
    freeRecord({ life, seq: 2 }),
  );
  assert.deepEqual(
    [sockets[0]?.family, sockets[0]?.type, sockets[0]?.protocol],
    ['packet', 'raw', ''],
  );
});

test('connections: status by name, ports only where there are some', () => {
  const tuple = { source: [192, 0, 2, 1], sourcePort: 4000 };
  const { conntracks } = onlyLife(
    call,
    conntrackRecord({
      life,
      seq: 1,
      timeNs: 110,
      status: 0x1a8,
      info: 2,
      family: 2,
      original: { ...tuple, protocol: 17 },
    }),
    conntrackRecord({
      life,
      seq: 2,
      timeNs: 120,
      status: 2,
      info: 3,
      family: 2,
      original: { ...tuple, protocol: 1 },
    }),
    over,
  );
  const [first, second] = conntracks;
  assert.equal(first?.info, 'new');
  assert.deepEqual(first.status, ['confirmed', 'dst_nat', 'src_nat_done', 'dst_nat_done']);
  assert.deepEqual(
    [first.original.transport, first.original.sourceAddress, first.original.sourcePort],
    ['udp', '192.0.2.1', 4000],
  );
  assert.equal(second?.info, 'established reply');
  assert.equal(second.original.sourcePort, undefined);
});

test('a rule belongs to the drop that comes after it', () => {
  const rule = ruleRecord({
    life,
    seq: 1,
    family: 1,
    table: 'filter',
    chain: 'input',
    handle: 2n ** 42n - 1n,
  });
  const { end } = onlyLife(call, rule, dropRecord({ life, seq: 2, reason: 8 }));
  assert.deepEqual(end?.rule, {
    family: 'inet',
    table: 'filter',
    chain: 'input',
    handle: 2 ** 42 - 1,
  });
  const consumed = onlyLife(call, rule, freeRecord({ life, seq: 2 }));
  assert.equal(consumed.end?.rule, undefined);
});

test('devices tell their kind', () => {
  const at = { netns: 5, ifindex: 2 };
  const { calls } = onlyLife(
    deviceRecord({ ...at, name: 'vx0', kind: 'vxlan' }),
    enterRecord({ life, seq: 0, ...at, flags: 2 }),
    freeRecord({ life, seq: 1 }),
  );
  assert.equal(calls[0]?.device.kind, 'vxlan');
  assert.equal(calls[0].device.name, 'vx0');
});
