import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ipv6Text } from '../../src/event/network-address.ts';
import { parseFlow, type HeaderPlaces } from '../../src/event/packet-headers.ts';

const hex = (text: string): Uint8Array =>
  Uint8Array.from(Buffer.from(text.replace(/\s/g, ''), 'hex'));

const ethernet = (type: string): string => `ffffffffffff 020000000001 ${type}`;
const ipv4 = (protocol: string, options = '', flags = '0000'): string =>
  `4${(5 + options.replace(/\s/g, '').length / 8).toString(16)}00 0054 1234 ${flags} 40${protocol} 0000 0a000001 0a000002 ${options}`;
const ipv6 = (next: string): string =>
  `60000000 0020 ${next}40 fe800000000000000000000000000001 20010db8000000000000000000000002`;
const tcp = (flags: string): string => `1f90 0050 00000001 00000000 50${flags} ffff 0000 0000`;

interface Case {
  readonly bytes: string;
  readonly places: Partial<HeaderPlaces>;
  /** `network transport source:port > destination:port flags detail` */
  readonly flow: string | undefined;
}

const l3 = (protocol: number): Partial<HeaderPlaces> => ({ networkOffset: 0, protocol });

const cases: Readonly<Record<string, Case>> = {
  'TCP SYN with Ethernet': {
    bytes: ethernet('0800') + ipv4('06') + tcp('02'),
    places: { macOffset: 0, networkOffset: 14, protocol: 0x800 },
    flow: 'ipv4 tcp 10.0.0.1:8080 > 10.0.0.2:80 S',
  },
  'TCP SYN, ACK': {
    bytes: ipv4('06') + tcp('12'),
    places: l3(0x800),
    flow: 'ipv4 tcp 10.0.0.1:8080 > 10.0.0.2:80 S.',
  },
  'TCP without flags': {
    bytes: ipv4('06') + tcp('00'),
    places: l3(0x800),
    flow: 'ipv4 tcp 10.0.0.1:8080 > 10.0.0.2:80 none',
  },
  'TCP with all flags': {
    bytes: ipv4('06') + tcp('ff'),
    places: l3(0x800),
    flow: 'ipv4 tcp 10.0.0.1:8080 > 10.0.0.2:80 FSRP.UEW',
  },
  'IPv4 options are stepped over': {
    bytes: ipv4('11', '01010101 01010101') + '0035 1234 0008 0000',
    places: l3(0x800),
    flow: 'ipv4 udp 10.0.0.1:53 > 10.0.0.2:4660',
  },
  'a later fragment has no ports': {
    bytes: ipv4('11', '', '00b9') + '0035 1234 0008 0000',
    places: l3(0x800),
    flow: 'ipv4 udp 10.0.0.1 > 10.0.0.2 fragment at 1480',
  },
  'the first fragment has': {
    bytes: ipv4('11', '', '2000') + '0035 1234 0008 0000',
    places: l3(0x800),
    flow: 'ipv4 udp 10.0.0.1:53 > 10.0.0.2:4660',
  },
  'ICMP echo request': {
    bytes: ipv4('01') + '0800 0000 000c 0001',
    places: l3(0x800),
    flow: 'ipv4 icmp 10.0.0.1 > 10.0.0.2 echo request id 12 seq 1',
  },
  'ICMP unreachable': {
    bytes: ipv4('01') + '0303 0000 0000 0000',
    places: l3(0x800),
    flow: 'ipv4 icmp 10.0.0.1 > 10.0.0.2 destination unreachable code 3',
  },
  GRE: { bytes: ipv4('2f'), places: l3(0x800), flow: 'ipv4 ip-proto-47 10.0.0.1 > 10.0.0.2' },
  'SCTP over IPv6': {
    bytes: ipv6('84') + '0b59 0b5a 00000000 00000000',
    places: l3(0x86dd),
    flow: 'ipv6 sctp fe80::1:2905 > 2001:db8::2:2906',
  },
  'ICMPv6 echo reply': {
    bytes: ipv6('3a') + '8100 0000 0001 0009',
    places: l3(0x86dd),
    flow: 'ipv6 icmpv6 fe80::1 > 2001:db8::2 echo reply id 1 seq 9',
  },
  'IPv6 hop-by-hop, then ICMPv6 report': {
    bytes: ipv6('00') + '3a00 0502 0000 0100' + '8f00 0000 0000 0001',
    places: l3(0x86dd),
    flow: 'ipv6 icmpv6 fe80::1 > 2001:db8::2 multicast listener report v2',
  },
  'IPv6 fragment, later': {
    bytes: ipv6('2c') + '1100 05a9 00000001' + '0035 1234 0008 0000',
    places: l3(0x86dd),
    flow: 'ipv6 udp fe80::1 > 2001:db8::2 fragment at 1448',
  },
  'IPv6 authentication header': {
    bytes: ipv6('33') + '0604 0000 00000001 00000001 000000000000000000000000' + tcp('10'),
    places: l3(0x86dd),
    flow: 'ipv6 tcp fe80::1:8080 > 2001:db8::2:80 .',
  },
  'ARP request': {
    bytes: '0001 0800 0604 0001 020000000001 0a000001 000000000000 0a000002',
    places: l3(0x806),
    flow: 'arp arp 10.0.0.1 > 10.0.0.2 who-has 10.0.0.2 tell 10.0.0.1',
  },
  'ARP reply': {
    bytes: '0001 0800 0604 0002 020000000001 0a000001 020000000002 0a000002',
    places: l3(0x806),
    flow: 'arp arp 10.0.0.1 > 10.0.0.2 10.0.0.1 is-at 02:00:00:00:00:01',
  },
  'VLAN tag in the data, network header behind Ethernet': {
    bytes: ethernet('8100') + '0064 0800' + ipv4('06') + tcp('02'),
    places: { macOffset: 0, networkOffset: 14, protocol: 0x8100 },
    flow: 'ipv4 tcp 10.0.0.1:8080 > 10.0.0.2:80 S',
  },
  'VLAN tag in the data, network header behind the tag': {
    bytes: ethernet('8100') + '0064 0800' + ipv4('06') + tcp('02'),
    places: { macOffset: 0, networkOffset: 18, protocol: 0x8100 },
    flow: 'ipv4 tcp 10.0.0.1:8080 > 10.0.0.2:80 S',
  },
  'two VLAN tags, no network header yet': {
    bytes: ethernet('88a8') + '0064 8100 0065 86dd' + ipv6('11') + '0035 0035 0008 0000',
    places: { macOffset: 0, protocol: 0 },
    flow: 'ipv6 udp fe80::1:53 > 2001:db8::2:53',
  },
  'no protocol yet: the version tells': {
    bytes: ipv4('06') + tcp('18'),
    places: l3(0),
    flow: 'ipv4 tcp 10.0.0.1:8080 > 10.0.0.2:80 P.',
  },
  LLDP: { bytes: ethernet('88cc'), places: { macOffset: 0 }, flow: 'other ethertype-0x88cc  > ' },
  'ports cut off': {
    bytes: ipv4('06') + '1f90',
    places: l3(0x800),
    flow: 'ipv4 tcp 10.0.0.1 > 10.0.0.2',
  },
  'no bytes': { bytes: '', places: l3(0x800), flow: undefined },
  'no offsets': { bytes: ipv4('06'), places: { protocol: 0x800 }, flow: undefined },
  'IPv4 cut off': { bytes: '4500 0054', places: l3(0x800), flow: undefined },
  'IPv6 where IPv4 should be': { bytes: ipv6('06'), places: l3(0x800), flow: undefined },
  'a header length of 16': {
    bytes: ipv4('06').replace('45', '44'),
    places: l3(0x800),
    flow: undefined,
  },
};

function describe(bytes: Uint8Array, places: Partial<HeaderPlaces>): string | undefined {
  const flow = parseFlow(bytes, {
    macOffset: undefined,
    networkOffset: undefined,
    protocol: 0,
    ...places,
  });
  if (flow === undefined) return undefined;
  const end = (address: string, port: number | undefined): string =>
    port === undefined ? address : `${address}:${port}`;
  return [
    flow.network,
    flow.transport,
    end(flow.sourceAddress, flow.sourcePort),
    '>',
    end(flow.destinationAddress, flow.destinationPort),
    ...(flow.tcpFlags === undefined ? [] : [flow.tcpFlags]),
    ...(flow.detail === '' ? [] : [flow.detail]),
  ].join(' ');
}

for (const [name, { bytes, places, flow }] of Object.entries(cases)) {
  test(name, () => {
    assert.equal(describe(hex(bytes), places), flow);
  });
}

test('every packet cut at every place, and with offsets that lead anywhere: never throws', () => {
  let parsed = 0;
  for (const { bytes, places } of Object.values(cases)) {
    const whole = hex(bytes);
    for (let length = 0; length <= whole.length; length++) {
      for (const shift of [0, 1, 7, 1000, 65534]) {
        const networkOffset = (places.networkOffset ?? 0) + shift;
        if (describe(whole.subarray(0, length), { ...places, networkOffset }) !== undefined)
          parsed++;
      }
    }
  }
  assert.ok(parsed > 100);
});

test('20,000 packets of noise: never throws', () => {
  let state = 12345;
  const random = (): number => (state = (Math.imul(state, 1103515245) + 12345) >>> 0) >>> 8;
  const protocols = [0, 0x800, 0x86dd, 0x806, 0x8100, 0x88a8, 0x88cc];
  for (let round = 0; round < 20_000; round++) {
    const bytes = Uint8Array.from({ length: random() % 80 }, () => random() & 0xff);
    bytes[0] = [0x45, 0x60, 0x4f, random() & 0xff][random() & 3] ?? 0;
    describe(bytes, {
      protocol: protocols[random() % protocols.length] ?? 0,
      networkOffset: random() % 4 === 0 ? random() % 100 : 0,
      macOffset: random() % 2 === 0 ? random() % 20 : undefined,
    });
  }
});

test('IPv6 addresses as RFC 5952 writes them', () => {
  const cases = {
    '::': '0000 0000 0000 0000 0000 0000 0000 0000',
    '::1': '0000 0000 0000 0000 0000 0000 0000 0001',
    '1::': '0001 0000 0000 0000 0000 0000 0000 0000',
    '2001:db8::1': '2001 0db8 0000 0000 0000 0000 0000 0001',
    '2001:db8:0:1:1:1:1:1': '2001 0db8 0000 0001 0001 0001 0001 0001',
    '2001:0:0:1::1': '2001 0000 0000 0001 0000 0000 0000 0001',
    '2001:db8::1:0:0:1': '2001 0db8 0000 0000 0001 0000 0000 0001',
    '1:2:3:4:5:6:7:8': '0001 0002 0003 0004 0005 0006 0007 0008',
    '::ffff:10.1.2.3': '0000 0000 0000 0000 0000 ffff 0a01 0203',
    'ff02::16': 'ff02 0000 0000 0000 0000 0000 0000 0016',
  };
  for (const [text, bytes] of Object.entries(cases)) assert.equal(ipv6Text(hex(bytes), 0), text);
});
