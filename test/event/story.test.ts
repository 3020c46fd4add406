import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Device, PacketPath } from '../../src/event/packet-path.ts';
import {
  buildPath,
  flow,
  sight,
  type CallSpec,
  type LifeSpec,
} from '../fixtures/packet-path-parts.ts';
import { ipv6UdpPath, natPath, pingPath, tcpSegmentPath } from '../fixtures/packet-paths.ts';
import { hostEth0, hostEth1, start } from '../fixtures/scenery.ts';

const life = (calls: readonly CallSpec[], part: Partial<LifeSpec> = {}): LifeSpec => ({
  id: 1,
  skb: 1n,
  start,
  calls,
  ...part,
});
const consumed = (offsetNs: number): NonNullable<LifeSpec['end']> => ({
  offsetNs,
  how: 'consumed',
  reason: undefined,
  reasonCode: undefined,
  location: undefined,
  program: undefined,
});
const one = (calls: readonly CallSpec[], part: Partial<LifeSpec> = {}): PacketPath =>
  buildPath({ lives: [life(calls, part)] });

const waitsOf = (path: PacketPath): string[] =>
  path.lives.flatMap((each) =>
    each.waits.map(
      ({ place, offsetNs, durationNs, after, before }) =>
        `${place} ${offsetNs}+${durationNs} ${after}..${before}`,
    ),
  );

describe('waits', () => {
  const table: readonly (readonly [name: string, PacketPath, want: readonly string[]])[] = [
    [
      'veth: from the end of the innermost that queued to the first that received',
      one([
        { func: 'dev_hard_start_xmit', at: 0, lasts: 100 },
        { func: 'veth_xmit', at: 10, lasts: 80, in: 0 },
        { func: '__netif_rx', at: 20, lasts: 60, in: 1 },
        { func: 'enqueue_to_backlog', at: 30, lasts: 20, in: 2 },
        { func: '__netif_receive_skb', at: 400, lasts: 50 },
      ]),
      ['backlog 50+350 3..4'],
    ],
    [
      'the next call may come before the wrappers have returned: on another CPU',
      one([
        { func: '__netif_rx', at: 20, lasts: 600 },
        { func: 'enqueue_to_backlog', at: 30, lasts: 20, in: 0 },
        { func: '__netif_receive_skb', at: 400, lasts: 50, cpu: 1 },
      ]),
      ['backlog 50+350 1..2'],
    ],
    [
      'what the queue did not take does not wait in it',
      one(
        [
          { func: 'dev_qdisc_enqueue', at: 0, lasts: 30, returns: 1n },
          { func: 'pfifo_enqueue', at: 10, lasts: 10, in: 0, returns: 1n },
          { func: 'kfree_skb_list_reason', at: 50, lasts: 10 },
        ],
        { end: { ...consumed(55), how: 'dropped', reason: 'QDISC_DROP' } },
      ),
      [],
    ],
    [
      'qdisc, then the driver until its cleaning up',
      one(
        [
          { func: 'pfifo_fast_enqueue', at: 0, lasts: 10 },
          { func: 'sch_direct_xmit', at: 60, lasts: 40 },
          { func: 'dev_hard_start_xmit', at: 70, lasts: 20, in: 1 },
          { func: 'napi_consume_skb', at: 900, lasts: 10 },
        ],
        { end: consumed(905) },
      ),
      ['qdisc 10+50 0..1', 'driver 90+810 2..3'],
    ],
    [
      'a socket until it is read, or closed',
      one(
        [
          { func: 'ip_rcv', at: 0, lasts: 100 },
          { func: '__udp_enqueue_schedule_skb', at: 50, lasts: 10, in: 0 },
        ],
        { end: consumed(5_000) },
      ),
      ['socket 60+4940 1..-1'],
    ],
    [
      'what TCP used up at once did not wait',
      one([{ func: 'tcp_rcv_established', at: 0, lasts: 100 }], { end: consumed(80) }),
      [],
    ],
    [
      'an address to be resolved',
      one([
        { func: '__neigh_event_send', at: 0, lasts: 10, returns: 1n },
        { func: 'neigh_resolve_output', at: 700, lasts: 10 },
      ]),
      ['neighbour 10+690 0..1'],
    ],
    [
      'without returns only those who are known to take end a wait',
      one([
        { func: 'enqueue_to_backlog', at: 30, lasts: 0, timing: 'enter-only' },
        { func: 'skb_get_hash', at: 40 },
        { func: '__netif_receive_skb', at: 400 },
        { func: 'dev_hard_start_xmit', at: 500 },
        { func: 'veth_xmit', at: 600 },
      ]),
      ['backlog 30+370 0..2'],
    ],
    [
      'tracepoints',
      one([
        { func: 'qdisc:qdisc_enqueue', at: 0, timing: 'point' },
        { func: 'qdisc:qdisc_dequeue', at: 70 },
        { func: 'net:net_dev_start_xmit', at: 80 },
        { func: 'net:netif_rx_entry', at: 90 },
        { func: 'net:netif_rx', at: 95 },
        { func: 'net:net_dev_xmit', at: 99 },
        { func: 'net:netif_receive_skb', at: 200 },
      ]),
      ['qdisc 0+70 0..1', 'backlog 95+105 4..6'],
    ],
    [
      'a TCP segment: until it is acknowledged, and until it is read',
      tcpSegmentPath(),
      ['ack 30500+229500 0..3', 'socket 27400+67600 7..8'],
    ],
    ['a device that frees what it has sent', ipv6UdpPath(), ['driver 7800+174200 3..4']],
  ];
  for (const [name, path, want] of table)
    test(name, () => {
      assert.deepEqual(waitsOf(path), want);
    });
});

describe('crossings', () => {
  const crossingsOf = (path: PacketPath): string[] =>
    path.lives.flatMap((each) =>
      each.crossings.map(({ kind, call, from, to, fromCpu, toCpu }) =>
        kind === 'cpu'
          ? `${call}: cpu ${fromCpu} > ${toCpu}`
          : `${call}: ${kind} ${from.netnsName}:${from.name} > ${to.netnsName}:${to.name}`,
      ),
    );
  test('a veth pair is a way into another namespace; a first device is none', () => {
    assert.deepEqual(crossingsOf(pingPath()), ['9: netns client:veth0 > server:veth1']);
  });
  test('a device to the next, though the packet has none in between', () => {
    const nowhere: Device = { ...hostEth0, ifindex: 0, name: '' };
    assert.deepEqual(
      crossingsOf(
        one([
          { func: 'ip_rcv', at: 0, lasts: 1, device: hostEth0 },
          { func: 'a', at: 2, lasts: 1, device: nowhere },
          { func: 'ip_output', at: 4, lasts: 1, device: hostEth1, cpu: 3 },
        ]),
      ),
      ['2: device host:eth0 > host:eth1', '2: cpu 0 > 3'],
    );
  });
  test('a clone begins where it was made', () => {
    const path = buildPath({
      lives: [
        life([{ func: 'br_flood', at: 0, lasts: 9, device: hostEth0 }]),
        life([{ func: 'br_forward', at: 5, lasts: 1, device: hostEth1 }], {
          id: 2,
          from: { call: [0, 0], operation: 'clone' },
        }),
      ],
    });
    assert.deepEqual(crossingsOf(path), ['0: device host:eth0 > host:eth1']);
  });
});

const inner = flow({
  network: 'ipv4',
  transport: 'udp',
  sourceAddress: '10.7.0.1',
  destinationAddress: '10.7.0.2',
  sourcePort: 40000,
  destinationPort: 9,
});
const outer = { ...inner, sourceAddress: '192.0.2.1', destinationAddress: '192.0.2.2' };
const innerIp = '4500002000010000 40110000 0a070001 0a070002 9c40000900 0c0000 68690000';
const ethernet = '020000000001 020000000002 0800';
const outerIp = (protocol: string): string => `450000520001000040${protocol}0000 c0000201 c0000202`;
const udp = (port: string): string => `c001${port}003e0000`;
const plain = sight(innerIp, { device: hostEth0, len: 32, flow: inner });
const wrappings = {
  vxlan: [`${outerIp('11')} ${udp('12b5')} 0800000000002a00 ${ethernet} ${innerIp}`, 'udp', 42],
  geneve: [
    `${outerIp('11')} ${udp('17c1')} 0100655800010000 deadbeef ${ethernet} ${innerIp}`,
    'udp',
    256,
  ],
  gre: [`${outerIp('2f')} 20000800 00000007 ${innerIp}`, 'ip-proto-47', 7],
  ipip: [`${outerIp('04')} ${innerIp}`, 'ip-proto-4', undefined],
} as const;

describe('changes of headers', () => {
  for (const [kind, [hex, transport, id]] of Object.entries(wrappings)) {
    const around = sight(hex, {
      device: hostEth0,
      len: Buffer.from(hex.replaceAll(' ', ''), 'hex').length,
      seq: 2,
      offsetNs: 20,
      flow:
        transport === 'udp'
          ? { ...outer, sourcePort: 49153, destinationPort: 4789 }
          : { ...outer, transport, sourcePort: undefined, destinationPort: undefined },
    });
    test(`${kind}: put around, taken off`, () => {
      const calls: CallSpec[] = [
        { func: 'first', at: 10, lasts: 1, seq: 1 },
        { func: 'second', at: 30, lasts: 1, seq: 3, packet: 1 },
      ];
      const [on] = one(calls, { packets: [plain, around] }).lives[0]?.changes ?? [];
      assert.deepEqual(on, {
        kind: 'encapsulated',
        offsetNs: 20,
        call: 0,
        before: plain.flow,
        after: around.flow,
        tunnel: { kind, id },
      });
      const packets = [
        { ...around, seq: 0 },
        { ...plain, seq: 2 },
      ];
      const [off] = one(calls, { packets }).lives[0]?.changes ?? [];
      assert.equal(off?.kind, 'decapsulated');
      assert.deepEqual(off.tunnel, { kind, id });
    });
    test(`${kind}: cut off anywhere it is still known by its length`, () => {
      for (let bytes = 0; bytes < around.bytes.length; bytes++) {
        const cut = { ...around, bytes: around.bytes.subarray(0, bytes) };
        const [on] = one([], { packets: [plain, cut] }).lives[0]?.changes ?? [];
        assert.equal(on?.kind, 'encapsulated', `${bytes} bytes`);
      }
    });
  }
  test('translated addresses, and after which call', () => {
    const [change, ...more] = natPath().lives[0]?.changes ?? [];
    assert.deepEqual(more, []);
    assert.equal(change?.kind, 'nat');
    assert.equal(change.call, 2, 'nf_nat_inet_fn');
    assert.equal(change.before.destinationAddress, '192.0.2.1');
    assert.equal(change.after.destinationAddress, '10.9.0.5');
  });
  test('headers that are only being filled in are no change', () => {
    const empty = { ...plain, flow: { ...inner, sourcePort: 0, destinationPort: 0 } };
    assert.deepEqual(one([], { packets: [empty, plain] }).lives[0]?.changes, []);
  });
  test('a clone that begins with other headers than it was made with', () => {
    const changed = { ...plain, flow: { ...inner, sourceAddress: '192.0.2.99' } };
    const path = buildPath({
      lives: [
        life([{ func: 'a', at: 0, lasts: 9 }], { packets: [plain] }),
        life([], { id: 2, from: { call: [0, 0], operation: 'copy' }, packets: [changed] }),
      ],
    });
    assert.deepEqual(
      path.lives[1]?.changes.map(({ kind, call }) => [kind, call]),
      [['nat', -1]],
    );
  });
});
