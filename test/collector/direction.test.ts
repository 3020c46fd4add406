import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createPathBuilder } from '../../src/collector/path-builder.ts';
import type { PacketPath } from '../../src/event/packet-path.ts';
import { createTestTracker, numberSymbols, testRunId } from '../fixtures/collector.ts';
import { enterRecord, packetRecord, type PacketFields } from '../fixtures/records.ts';

function directionOf(
  func: string,
  packet: Partial<PacketFields> | undefined,
): PacketPath['direction'] | undefined {
  const tracked = createTestTracker();
  if (packet !== undefined) tracked.add(packetRecord({ ...packet, life: 1 }));
  tracked.add(enterRecord({ life: 1, seq: packet === undefined ? 0 : 1 }));
  tracked.tracker.finishAll();
  const [batch] = tracked.batches();
  const builder = createPathBuilder({
    runId: testRunId,
    symbols: { ...numberSymbols, probe: () => ({ func, module: undefined, kind: 'function' }) },
  });
  return builder.build(batch ?? new ArrayBuffer(0)).paths[0]?.direction;
}

const cases: readonly [string, Partial<PacketFields> | undefined, PacketPath['direction']][] = [
  ['some_function', { ifindex: 2, socket: 1n }, 'transmit'],
  ['some_function', { ifindex: 0 }, 'transmit'],
  ['some_function', { ifindex: 2, packetType: 4 }, 'transmit'],
  ['some_function', { ifindex: 2 }, 'receive'],
  ['some_function', undefined, 'unknown'],
  ['arp_xmit', { ifindex: 2 }, 'transmit'],
  ['net:net_dev_queue', { ifindex: 2 }, 'transmit'],
  ['__ip_local_out', { ifindex: 0 }, 'transmit'],
  ['ip6_output', { ifindex: 2 }, 'transmit'],
  ['ip_rcv', { ifindex: 2 }, 'receive'],
  ['net:netif_receive_skb_entry', { ifindex: 2, socket: 1n }, 'receive'],
  ['napi_gro_receive', { ifindex: 2 }, 'receive'],
  ['skb:skb_copy_datagram_iovec', { ifindex: 0, socket: 1n }, 'receive'],
  ['ip_rcv', undefined, 'receive'],
];

for (const [func, packet, direction] of cases) {
  const state = packet === undefined ? 'no headers' : Object.keys(packet).join(', ');
  test(`first seen in ${func} (${state}): ${direction}`, () => {
    assert.equal(directionOf(func, packet), direction);
  });
}
