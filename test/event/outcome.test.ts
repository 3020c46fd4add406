import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { PacketPath } from '../../src/event/packet-path.ts';
import {
  buildPath,
  socketSight,
  type CallSpec,
  type LifeSpec,
} from '../fixtures/packet-path-parts.ts';
import {
  arpPath,
  droppedPath,
  ipv6UdpPath,
  packetPaths,
  pingPath,
  tcpSegmentPath,
} from '../fixtures/packet-paths.ts';
import {
  clientVeth,
  curl,
  hostEth0,
  hostEth1,
  idle,
  serverVeth,
  start,
} from '../fixtures/scenery.ts';

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

describe('outcome', () => {
  const brief = ({ outcome }: PacketPath): string =>
    `${outcome.kind} ${outcome.life}/${outcome.call} by ${outcome.by} at ${outcome.device?.name ?? '?'}`;
  const clone = { from: { call: [0, 1], operation: 'clone' } } as const;

  test('a request that the kernel answers itself is consumed', () => {
    assert.equal(brief(pingPath()), 'consumed 0/15 by icmp_rcv at veth1');
    assert.equal(brief(arpPath()), 'consumed 0/4 by arp_process at veth1');
  });
  test('a drop whose place was not seen: the innermost call that ran, too', () => {
    const calls: CallSpec[] = [
      { func: 'tcp_rcv_state_process', at: 0, lasts: 50, device: hostEth0 },
      { func: 'sk_skb_reason_drop', at: 30, lasts: 10, in: 0 },
    ];
    const end = { ...consumed(35), how: 'dropped', reason: 'NOT_SPECIFIED' } as const;
    assert.equal(brief(one(calls, { end })), 'dropped 0/1 by tcp_rcv_state_process at eth0');
  });
  test('a kernel that does not say who consumed it: the innermost call that ran, but for those that free', () => {
    const calls: CallSpec[] = [
      { func: 'icmp_rcv', at: 0, lasts: 50, device: hostEth0 },
      { func: 'icmp_echo', at: 5, lasts: 20, in: 0 },
      { func: 'consume_skb', at: 30, lasts: 10, in: 0 },
    ];
    assert.equal(brief(one(calls, { end: consumed(35) })), 'consumed 0/0 by icmp_rcv at eth0');
  });
  test('dropped: where, by what', () => {
    assert.equal(brief(droppedPath()), 'dropped 0/6 by nf_hook_slow at eth0');
  });
  test('a segment: its clone was delivered, to which socket, read by whom', () => {
    const path = tcpSegmentPath();
    assert.equal(brief(path), 'delivered 1/8 by skb_copy_datagram_iter at lo');
    assert.equal(path.outcome.task?.comm, 'nginx');
    assert.equal(path.lives[1]?.sockets[path.outcome.socket]?.inode, 34_999);
  });
  test("the sender's socket is not the one that it was delivered to", () => {
    const calls: CallSpec[] = [
      { func: '__dev_queue_xmit', at: 0, lasts: 50, seq: 1 },
      { func: 'ip_rcv', at: 10, lasts: 30, in: 0, seq: 4 },
      { func: 'tcp_v4_do_rcv', at: 20, lasts: 10, in: 1, seq: 5 },
    ];
    const sender = socketSight({ seq: 2, localPort: 42_270 });
    const receiver = socketSight({ seq: 6 });
    const socketOf = (sockets: NonNullable<LifeSpec['sockets']>): number =>
      one(calls, { sockets }).outcome.socket;
    assert.equal(socketOf([sender]), -1);
    assert.equal(socketOf([sender, receiver]), 1);
    assert.equal(socketOf([]), -1);
  });
  test('transmitted on a device', () => {
    assert.equal(brief(ipv6UdpPath()), 'transmitted 0/3 by dev_hard_start_xmit at eth0');
  });
  test('what comes in again was not transmitted', () => {
    const calls: CallSpec[] = [
      { func: 'dev_hard_start_xmit', at: 0, lasts: 9, device: clientVeth },
      { func: 'netif_rx', at: 2, lasts: 2, in: 0, device: serverVeth },
    ];
    assert.equal(brief(one(calls, { end: consumed(50) })), 'consumed 0/1 by netif_rx at veth1');
  });
  test('a tap of tcpdump says nothing, however it is known', () => {
    const main = life(
      [
        { func: 'ip_rcv', at: 0, lasts: 50, device: hostEth0 },
        { func: 'skb_clone', at: 2, lasts: 1, in: 0 },
      ],
      { end: { ...consumed(40), how: 'dropped', reason: 'IP_NOPROTO' } },
    );
    const read: CallSpec = { func: 'skb_copy_datagram_iter', at: 60, lasts: 1, task: curl };
    const byCall = life([{ func: 'packet_rcv', at: 4, lasts: 2 }, read], { id: 2, ...clone });
    const bySocket = life([read], {
      id: 2,
      ...clone,
      sockets: [socketSight({ family: 'packet' })],
    });
    for (const tap of [byCall, bySocket])
      assert.equal(buildPath({ lives: [main, tap] }).outcome.kind, 'dropped');
    const inside = life(
      [
        { func: 'packet_rcv', at: 0, lasts: 50, device: hostEth0 },
        { func: 'skb_clone', at: 2, lasts: 1, in: 0 },
      ],
      { end: consumed(55) },
    );
    const path = buildPath({ lives: [inside, life([read], { id: 2, ...clone })] });
    assert.equal(path.outcome.kind, 'consumed');
  });
  test('what veth copied for XDP was not transmitted, though the kernel does not say who freed it', () => {
    const sent = life([{ func: 'net:net_dev_start_xmit', at: 0, lasts: 1, device: clientVeth }], {
      end: consumed(5),
    });
    const copy = life(
      [
        {
          func: 'xdp:drops',
          kind: 'xdp',
          at: 7,
          lasts: 1,
          device: serverVeth,
        },
      ],
      {
        id: 2,
        from: { call: [0, -1], operation: 'copy' },
        end: { ...consumed(9), how: 'dropped', reason: 'XDP_DROP', program: 'xdp:drops' },
      },
    );
    assert.equal(buildPath({ lives: [sent, copy] }).outcome.kind, 'dropped');
    assert.equal(buildPath({ lives: [sent] }).outcome.kind, 'transmitted');
  });
  test('what XDP made of it tells, even if that is nothing', () => {
    const sent = life([{ func: 'net:net_dev_start_xmit', at: 0, lasts: 1, device: clientVeth }], {
      end: consumed(5),
    });
    const frame = life([{ func: 'xdp:sends', kind: 'xdp', at: 7, lasts: 1, device: serverVeth }], {
      id: 2,
      from: { call: [0, -1], operation: 'copy' },
      end: consumed(9),
    });
    const built = life([{ func: 'net:netif_receive_skb', at: 10, lasts: 1, device: serverVeth }], {
      id: 3,
      from: { call: [1, 0], operation: 'xdp' },
    });
    assert.equal(brief(buildPath({ lives: [sent, frame, built] })), 'unknown 2/0 by  at ?');
    const ended = { ...built, end: consumed(20) };
    assert.equal(buildPath({ lives: [sent, frame, ended] }).outcome.life, 2);
  });
  test('freed by who reads the socket: it was delivered', () => {
    for (const func of ['udp_recvmsg', 'udpv6_recvmsg', 'raw_recvmsg', 'ping_recvmsg']) {
      const location = { address: 1n, func, module: undefined, offset: 4 };
      const calls: CallSpec[] = [
        { func: 'net:netif_receive_skb', at: 0, lasts: 1, device: hostEth0 },
      ];
      const { outcome } = one(calls, { end: { ...consumed(9), location } });
      assert.deepEqual([outcome.kind, outcome.by], ['delivered', func]);
    }
  });
  test('a segment that was lost and sent again got there', () => {
    const path = buildPath({
      lives: [
        life([
          { func: '__tcp_transmit_skb', at: 0, lasts: 20 },
          { func: 'skb_clone', at: 1, lasts: 1, in: 0 },
          { func: '__tcp_transmit_skb', at: 500, lasts: 20 },
          { func: 'skb_clone', at: 501, lasts: 1, in: 2 },
        ]),
        life([{ func: 'dev_hard_start_xmit', at: 5, lasts: 1 }], {
          id: 2,
          ...clone,
          end: { ...consumed(6), how: 'dropped', reason: 'QDISC_DROP' },
        }),
        life([{ func: 'tcp_v4_do_rcv', at: 510, lasts: 1 }], {
          id: 3,
          from: { call: [0, 3], operation: 'clone' },
        }),
      ],
    });
    assert.equal(brief(path), 'delivered 2/0 by tcp_v4_do_rcv at ');
  });
  test("a tunnel's UDP socket is a station", () => {
    const calls: CallSpec[] = [
      { func: 'udp_queue_rcv_one_skb', at: 0, lasts: 50, device: hostEth0 },
      { func: 'vxlan_rcv', at: 5, lasts: 40, in: 0 },
      { func: 'gro_cells_receive', at: 10, lasts: 30, in: 1, device: hostEth1, task: idle },
    ];
    assert.equal(one(calls, { end: consumed(90) }).outcome.kind, 'consumed');
  });
  test('alive, or its end not seen: unknown', () => {
    assert.equal(one([{ func: 'ip_rcv', at: 0, lasts: 1 }]).outcome.kind, 'unknown');
    const end = { ...consumed(5), how: 'reused' } as const;
    assert.equal(one([{ func: 'ip_rcv', at: 0, lasts: 1 }], { end }).outcome.kind, 'unknown');
  });
  test('every path has one', () => {
    for (const [name, { outcome, lives }] of Object.entries(packetPaths()))
      assert.ok(lives[outcome.life] !== undefined, name);
  });
});
