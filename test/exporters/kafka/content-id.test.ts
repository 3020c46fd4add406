import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { contentId } from '../../../src/exporters/kafka/content-id.ts';
import { buildPath, device, flow, sight } from '../../fixtures/packet-path-parts.ts';
import { arpPath, pingPath } from '../../fixtures/packet-paths.ts';
import { start } from '../../fixtures/scenery.ts';

const tcp = flow({
  network: 'ipv4',
  transport: 'tcp',
  sourceAddress: '10.0.0.1',
  destinationAddress: '10.0.0.2',
});

/** A path whose only sight are these bytes, `mac` of them before the network header. */
function pathOf(hex: string, mac = 0): PacketPath {
  const bytes = sight(hex, { device: device(1, 'host'), len: 60, networkOffset: mac, flow: tcp });
  return buildPath({ lives: [{ id: 1, skb: 1n, start, calls: [], packets: [bytes] }] });
}

const segment = (
  part: {
    ttl?: string;
    tos?: string;
    checksum?: string;
    addresses?: string;
    ports?: string;
    seq?: string;
    id?: string;
    tcpChecksum?: string;
    length?: string;
  } = {},
): string =>
  `45${part.tos ?? '00'} ${part.length ?? '0034'} ${part.id ?? 'abcd'} 4000 ${part.ttl ?? '40'}06 ${part.checksum ?? '1234'} ` +
  `${part.addresses ?? '0a000001 0a000002'} ${part.ports ?? '9c40 0050'} ${part.seq ?? '00112233'} 44556677 8018 01f6 ${part.tcpChecksum ?? 'beef'} 0000 ` +
  '0101080a 11111111 22222222';

test('what routers, NAT and offloads change does not change the id', () => {
  const id = contentId(pathOf(segment()));
  assert.match(id ?? '', /^[0-9a-f]{16}$/);
  for (const changed of [
    { ttl: '3f', checksum: '1334' },
    { tos: '03' },
    { addresses: 'c0a80001 0a000002', ports: 'ffff 0050' },
    { tcpChecksum: '0000' },
    { length: '0000' },
  ]) {
    assert.equal(contentId(pathOf(segment(changed))), id, JSON.stringify(changed));
  }
  assert.equal(
    contentId(pathOf(`0102030405060708090a0b0c0800 ${segment()}`, 14)),
    id,
    'with a MAC header',
  );
});

test('another packet has another id', () => {
  const id = contentId(pathOf(segment()));
  for (const changed of [{ seq: '00112234' }, { id: 'abce' }]) {
    assert.notEqual(contentId(pathOf(segment(changed))), id, JSON.stringify(changed));
  }
});

test('what is no IP packet has none; a ping has one', () => {
  assert.equal(contentId(arpPath()), undefined);
  assert.equal(contentId({ ...pingPath(), lives: [] }), undefined);
  assert.equal(contentId(pathOf('45000034abcd')), undefined, 'cut off');
  assert.match(contentId(pingPath()) ?? '', /^[0-9a-f]{16}$/);
});

test('IPv6: hop limit and addresses do not matter', () => {
  const packet = (hops: string, end: string): string =>
    `60000000 0010 11${hops} ${'20010db8'.repeat(4)} ${'fe800000'.repeat(3)}0000000${end} 0035 1388 0010 aaaa 6162636465666768`;
  const id = contentId(pathOf(packet('40', '1')));
  assert.match(id ?? '', /^[0-9a-f]{16}$/);
  assert.equal(contentId(pathOf(packet('3f', '2'))), id);
});
