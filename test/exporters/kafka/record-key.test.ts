import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordKey } from '../../../src/exporters/kafka/record-key.ts';
import type { Flow } from '../../../src/event/packet-path.ts';
import { flow } from '../../fixtures/packet-path-parts.ts';
import { packetPaths, pingPath } from '../../fixtures/packet-paths.ts';

const back = (there: Flow): Flow => ({
  ...there,
  sourceAddress: there.destinationAddress,
  sourcePort: there.destinationPort,
  destinationAddress: there.sourceAddress,
  destinationPort: there.sourcePort,
});

const table: readonly (readonly [Partial<Flow> & Pick<Flow, 'network' | 'transport'>, string])[] = [
  [
    {
      network: 'ipv4',
      transport: 'tcp',
      sourceAddress: '10.0.0.2',
      sourcePort: 80,
      destinationAddress: '10.0.0.1',
      destinationPort: 41000,
    },
    'tcp 10.0.0.1:41000 10.0.0.2:80',
  ],
  [
    {
      network: 'ipv6',
      transport: 'udp',
      sourceAddress: 'fe80::1',
      sourcePort: 53,
      destinationAddress: '::1',
      destinationPort: 5353,
    },
    'udp [::1]:5353 [fe80::1]:53',
  ],
  [
    {
      network: 'ipv4',
      transport: 'icmp',
      sourceAddress: '10.0.0.2',
      destinationAddress: '10.0.0.1',
    },
    'icmp 10.0.0.1 10.0.0.2',
  ],
  [
    {
      network: 'ipv4',
      transport: 'tcp',
      sourceAddress: '127.0.0.1',
      sourcePort: 9,
      destinationAddress: '127.0.0.1',
      destinationPort: 10,
    },
    'tcp 127.0.0.1:10 127.0.0.1:9',
  ],
];

test('both directions of a flow have one key', () => {
  for (const [part, key] of table) {
    const there = flow(part);
    assert.equal(recordKey({ ...pingPath(), flow: there }, 'flow'), key);
    assert.equal(recordKey({ ...pingPath(), flow: back(there) }, 'flow'), key);
  }
});

test('without addresses, or when asked for, the key is the trace id', () => {
  const path = pingPath();
  assert.equal(recordKey({ ...path, flow: undefined }, 'flow'), path.traceId);
  assert.equal(
    recordKey({ ...path, flow: flow({ network: 'other', transport: 'ethertype-0x88cc' }) }, 'flow'),
    path.traceId,
  );
  for (const each of Object.values(packetPaths()))
    assert.equal(recordKey(each, 'trace'), each.traceId);
});
