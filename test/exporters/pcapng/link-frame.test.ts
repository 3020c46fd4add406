import assert from 'node:assert/strict';
import test from 'node:test';
import type { PacketSight } from '../../../src/event/packet-path.ts';
import { frameOf, unframe } from '../../../src/exporters/pcapng/link-frame.ts';
import { sight } from '../../fixtures/packet-path-parts.ts';
import { clientVeth, hostEth0 } from '../../fixtures/scenery.ts';

const ethernet = '0200000000020200000000010800';
const ipv4 = '45000021000100004011' + '56b9c0000207c0000201';
const ipv6 = '60000000000011402001'.padEnd(80, '0');
const arp = '0001080006040001020000000001' + '0a0700010000000000000a070002';
const device = hostEth0;

interface Case {
  readonly name: string;
  readonly sight: PacketSight;
  readonly linkType: number;
  /** Hex. */
  readonly frame: string;
  readonly originalLength: number;
  readonly hasHeaders?: boolean;
}

const cases: readonly Case[] = [
  {
    name: 'Ethernet',
    sight: sight(ethernet + ipv4, { device, len: 100, macOffset: 0, networkOffset: 14 }),
    linkType: 1,
    frame: ethernet + ipv4,
    originalLength: 100,
  },
  {
    name: 'Ethernet whose network header is not set yet',
    sight: sight(ethernet + ipv4, { device, len: 100, macOffset: 0, networkOffset: undefined }),
    linkType: 1,
    frame: ethernet + ipv4,
    originalLength: 100,
  },
  {
    name: 'a VLAN tag in the metadata is put where the wire has it',
    sight: sight(ethernet + ipv4, {
      device,
      len: 100,
      macOffset: 0,
      networkOffset: 14,
      vlan: { tci: 0x2064, protocol: 0x88a8 },
    }),
    linkType: 1,
    frame: `${ethernet.slice(0, 24)}88a820640800${ipv4}`,
    originalLength: 104,
  },
  {
    name: 'a VLAN tag in the data stays',
    sight: sight(`${ethernet.slice(0, 24)}810000640800${ipv4}`, {
      device,
      len: 104,
      macOffset: 0,
      networkOffset: 18,
    }),
    linkType: 1,
    frame: `${ethernet.slice(0, 24)}810000640800${ipv4}`,
    originalLength: 104,
  },
  {
    name: 'IPv4 without a MAC header',
    sight: sight(ipv4, { device, len: 84 }),
    linkType: 101,
    frame: ipv4,
    originalLength: 84,
  },
  {
    name: 'IPv6 without a MAC header and without a protocol yet',
    sight: sight(ipv6, { device, len: 84, protocol: 0 }),
    linkType: 101,
    frame: ipv6,
    originalLength: 84,
  },
  {
    name: 'an IPv4 header where data begins, no network header set',
    sight: sight(ipv4, { device, len: 84, networkOffset: undefined }),
    linkType: 101,
    frame: ipv4,
    originalLength: 84,
  },
  {
    name: 'another link layer before IP is left out, and its length',
    sight: sight(`aabbccddee${ipv4}`, { device, len: 89, macOffset: 0, networkOffset: 5 }),
    linkType: 101,
    frame: ipv4,
    originalLength: 84,
  },
  {
    name: 'ARP without Ethernet is cooked',
    sight: sight(arp, { device: clientVeth, len: 28, protocol: 0x0806, packetType: 1 }),
    linkType: 276,
    frame: `0806000000000002fffe0100${'0'.repeat(16)}${arp}`,
    originalLength: 48,
  },
  {
    name: 'bytes of which nothing is known are cooked, protocol 0',
    sight: sight('68656c6c6f', { device, len: 5, networkOffset: undefined, protocol: 0 }),
    linkType: 276,
    frame: `0000000000000002fffe0000${'0'.repeat(16)}68656c6c6f`,
    originalLength: 25,
    hasHeaders: false,
  },
  {
    name: 'nothing captured',
    sight: sight('', { device, len: 70_000, networkOffset: undefined, protocol: 0 }),
    linkType: 276,
    frame: `0000000000000002fffe0000${'0'.repeat(16)}`,
    originalLength: 70_020,
    hasHeaders: false,
  },
  {
    name: 'GSO of more than 64 KiB keeps its length',
    sight: sight(ethernet + ipv4, { device, len: 196_622, macOffset: 0, networkOffset: 14 }),
    linkType: 1,
    frame: ethernet + ipv4,
    originalLength: 196_622,
  },
];

for (const each of cases) {
  test(each.name, () => {
    const frame = frameOf(each.sight);
    assert.equal(frame.linkType, each.linkType);
    assert.equal(Buffer.concat(frame.data).toString('hex'), each.frame);
    assert.equal(frame.originalLength, each.originalLength);
    assert.equal(frame.hasHeaders, each.hasHeaders ?? true);
    const back = unframe(frame.linkType, Buffer.concat(frame.data), each.sight.vlan !== undefined);
    assert.deepEqual(back, Uint8Array.from(each.sight.bytes.subarray(frame.skipped)));
  });
}

test('a frame too short to be taken apart is refused', () => {
  assert.equal(unframe(276, new Uint8Array(19), false), undefined);
  assert.equal(unframe(1, new Uint8Array(17), true), undefined);
});
