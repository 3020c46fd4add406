/**
 * Filter expressions for Ethernet: every primitive of the pcap-filter manual that a packet of packets.ts can be asked for,
 * alone and combined. Names are not used, for a test must not resolve any.
 */
const addresses = ['10.1.0.1', '10.1.0.2', '192.168.7.9', '224.0.0.5'];
const addresses6 = ['fd00:1::1', 'fd00:1::2', 'ff02::1', 'fe80::a'];
const macs = ['02:00:00:00:00:01', '02:00:00:00:00:02', 'ff:ff:ff:ff:ff:ff'];
const directions = ['', 'src ', 'dst ', 'src or dst ', 'src and dst '];

const cross = (format: (a: string, b: string) => string, left: string[], right: string[]) =>
  left.flatMap((a) => right.map((b) => format(a, b)));

const hosts = [
  ...cross((direction, host) => `${direction}host ${host}`, directions, addresses),
  ...cross((direction, host) => `ip6 ${direction}host ${host}`, directions, addresses6),
  ...cross((direction, host) => `ether ${direction}host ${host}`, directions.slice(0, 3), macs),
  'arp host 10.1.0.1',
  'rarp host 10.1.0.1',
  'arp src host 10.1.0.2',
  'ip host 10.1.0.1',
  'host 10.1.0.1 and 10.1.0.2',
  'host 10.1.0.1 or 192.168.7.9',
  'not host 10.1.0.1',
];

const networks = [
  ...cross(
    (direction, net) => `${direction}net ${net}`,
    ['', 'src ', 'dst '],
    ['10.1.0.0/16', '10', '192.168.7.0/24', '10.1.0.0 mask 255.255.255.252', '0.0.0.0/0'],
  ),
  ...cross(
    (direction, net) => `${direction}net ${net}`,
    ['', 'src ', 'dst '],
    ['fd00:1::/32', 'fd00::/8', 'ff00::/8', 'fd00:1::2/128', 'fd00:1::/126', '::/0'],
  ),
  'arp net 10.1.0.0/24',
];

const ports = [
  ...cross(
    (protocol, rest) => `${protocol}${rest}`,
    ['', 'tcp ', 'udp ', 'sctp '],
    ['port 80', 'src port 80', 'dst port 443', 'src or dst port 53', 'src and dst port 53'],
  ),
  ...cross(
    (protocol, rest) => `${protocol}${rest}`,
    ['', 'tcp ', 'udp '],
    ['portrange 50-100', 'src portrange 1-1023', 'dst portrange 400-500', 'portrange 53-53'],
  ),
  'port 65535',
  'port 0',
  'not port 22',
];

const protocols = [
  ...'ip ip6 arp rarp atalk aarp decnet iso stp ipx netbeui lat moprc mopdl sca'.split(' '),
  ...'tcp udp sctp icmp icmp6 igmp igrp pim ah esp vrrp carp'.split(' '),
  ...['tcp', 'udp', 'icmp', '50', '132', '0', '255'].map((name) => `ip proto ${protocol(name)}`),
  ...['tcp', 'udp', '58', '44', '0'].map((name) => `ip6 proto ${protocol(name)}`),
  ...['tcp', 'udp', '58', '89'].map((name) => `proto ${protocol(name)}`),
  ...['6', '17', '58', '51', '59'].flatMap((name) => [
    `protochain ${name}`,
    `ip6 protochain ${name}`,
    `ip protochain ${name}`,
  ]),
  ...['0x0800', '0x86dd', '0x88cc', '0x0806', '0x8847', '0x42', '0'].map(
    (type) => `ether proto ${type}`,
  ),
  ...['ip', 'ip6', 'arp', 'iso', 'stp', 'ipx', 'netbeui', 'atalk'].map(
    (name) => `ether proto ${protocol(name)}`,
  ),
  ...['clnp', 'esis', 'isis', 'l1', 'l2', 'iih', 'lsp', 'snp', 'csnp', 'psnp'],
  'iso proto 0x82',
  'clnp or esis',
  'isis proto 0x10',
  ...['llc', 'llc i', 'llc s', 'llc u', 'llc rr', 'llc rnr', 'llc rej', 'llc ui', 'llc ua'],
  ...['llc disc', 'llc sabme', 'llc test', 'llc xid', 'llc frmr'],
];

/** Names of protocols are keywords too: they must be escaped. */
function protocol(name: string): string {
  return /^[a-z]/.test(name) ? `\\${name}` : name;
}

const kinds = [
  'ether broadcast',
  'broadcast',
  'ether multicast',
  'multicast',
  'ip multicast',
  'ip6 multicast',
  'less 100',
  'greater 100',
  'len > 64',
  'len == 1514',
  'len & 1 == 0',
  'not (less 200)',
];

const encapsulations = [
  'vlan',
  'vlan 7',
  'vlan 4095',
  'vlan and ip',
  'vlan and tcp port 80',
  'vlan 7 and udp',
  'vlan and vlan',
  'vlan 7 and vlan 8 and ip',
  'vlan or ip',
  'not vlan',
  'mpls',
  'mpls 100',
  'mpls 1048575',
  'mpls and ip host 10.1.0.1',
  'mpls 100 and mpls 200',
  'mpls and mpls and ip6',
  'vlan and mpls',
  'pppoed',
  'pppoes',
  'pppoes 0x27',
  'pppoes and ip',
  'pppoes and ip6',
  'pppoes 0x27 and tcp port 80',
  'vlan and pppoes and ip host 10.1.0.1',
  'geneve',
  'geneve 77',
  'geneve and ip',
  'geneve 77 and tcp',
  'geneve and vlan 7',
];

const bytesOfHeaders = [
  'tcp[tcpflags] & (tcp-syn|tcp-fin) != 0',
  'tcp[tcpflags] == tcp-syn',
  'tcp[tcpflags] & tcp-ack != 0 and tcp[tcpflags] & tcp-push == 0',
  'tcp[13] = 18',
  'tcp[0:2] = 80',
  'tcp[4:4] > 0x40000000',
  'tcp[((tcp[12] & 0xf0) >> 2):4] = 0x47455420',
  'tcp[12:1] >> 4 > 5',
  'udp[4:2] > 100',
  'udp[8:4] & 0xff != 0',
  'udp[8] = udp[9]',
  'udp[0:2] = udp[2:2]',
  'icmp[icmptype] = icmp-echo',
  'icmp[icmptype] != icmp-echoreply',
  'icmp[icmpcode] = 0',
  'icmp[0] = icmp-unreach and icmp[1] = 3',
  'icmp6[icmp6type] = icmp6-echo',
  'icmp6[0] > 127',
  'ip[0] & 0xf != 5',
  'ip[8] < 5',
  'ip[9] = 6',
  'ip[6:2] & 0x1fff = 0',
  'ip[6:2] & 0x3fff != 0',
  'ip[2:2] > 576',
  'ip[2:2] - ((ip[0] & 0xf) << 2) > 100',
  'ip[12:4] = ip[16:4]',
  'ip[16:4] & 0xf0000000 = 0xe0000000',
  'ip[1] & 0xfc != 0',
  'ip6[6] = 44',
  'ip6[4:2] > 200',
  'ip6[7] <= 64',
  'ip6[0:2] & 0x0ff0 != 0',
  'ip6[40] = 58',
  'ip6[8:4] = 0xfd000001',
  'ether[0] & 1 = 1',
  'ether[12:2] = 0x0800',
  'ether[6:4] = 0x02000000',
  'ether[0:4] + ether[4:2] > 0x10000000',
  'ether[len - 1] = 0',
  'ether[len - 4:4] != 0',
  'ether[1000] = 0',
  'ether[1500:4] = 0',
  'ether[0xfffffff0] = 0',
  'ether[ether[14]:2] > 7',
  'ether[ether[20]:1] = 0',
  'link[12:2] = 0x86dd',
  'arp[6:2] = 1',
  'arp[14:4] = 0x0a010001',
  'ip[8] * 2 > 100',
  'ip[8] / 2 = 32',
  'ip[8] % 7 = 1',
  'ip[8] ^ 0x40 = 0',
  'ip[8] | 1 = 65',
  '1000 / ip[1] > 3',
  '1000 % ip[1] = 0',
  'ip[8] << ip[1] > 1000',
  'ip[12:4] >> ip[8] = 0',
  'ip[12:4] << ip[8] = 0',
  '-ip[8] = 0xffffffc0',
  '(ip[8] - 65) > 0x7fffffff',
  'len / ip[8] > 3',
  'len % (ip[8] + 1) < 3',
  'ip[4:2] = 0 or ip[4:2] > 0x8000',
  'sctp[0:2] = 80',
  'igmp[0] = 0x16',
  'pim[0] = 0x20',
  'vlan and ip[8] > 60',
];

const combinations = [
  'tcp and port 80 and host 10.1.0.1',
  'tcp port 80 or udp port 53',
  'not (tcp port 80 or udp port 53)',
  'ip and not (net 10.0.0.0/8 and port 80)',
  'host 10.1.0.1 and not (port 22 or port 80)',
  'src net 10.1.0.0/16 and dst net 192.168.0.0/16',
  '(ip or ip6) and (tcp or udp) and portrange 1-1024',
  'icmp or icmp6 or arp',
  'ip6 and tcp and dst port 443',
  'ip6 and not icmp6',
  'ip[6:2] & 0x1fff != 0 and udp',
  'tcp[tcpflags] & tcp-rst != 0 or icmp[icmptype] = icmp-unreach',
  'ether src 02:00:00:00:00:01 and ip dst 10.1.0.2',
  'ether host 02:00:00:00:00:01 and not arp',
  'ip proto 47 or ip proto 4 or ip proto 41',
  'greater 60 and less 128 and ip',
  'not ip and not ip6 and not arp',
  'multicast and not ip6',
  'vlan 7 and (host 10.1.0.1 or host 10.1.0.2)',
  'ip6 protochain 6 and dst port 80',
  'tcp port 80 and (((ip[2:2] - ((ip[0]&0xf)<<2)) - ((tcp[12]&0xf0)>>2)) != 0)',
  'host 10.1.0.1 and tcp[tcpflags] & tcp-syn != 0 and not src port 22',
  Array.from({ length: 40 }, (_, i) => `port ${i * 7 + 3}`).join(' or '),
  Array.from({ length: 60 }, (_, i) => `host 10.1.${i}.1`).join(' or '),
  Array.from({ length: 12 }, (_, i) => `net fd00:${i}::/32`).join(' or '),
  Array.from({ length: 30 }, (_, i) => `not port ${i + 60}`).join(' and '),
];

export const expressions: readonly string[] = [
  ...new Set([
    ...hosts,
    ...networks,
    ...ports,
    ...protocols,
    ...kinds,
    ...encapsulations,
    ...bytesOfHeaders,
    ...combinations,
  ]),
];

/** What libpcap refuses, and a part of what it says. */
export const refusals: readonly (readonly [string, RegExp])[] = [
  ['tcp prt 80', /syntax error/],
  ['host', /syntax error/],
  ['port 65536', /illegal port number 65536 > 65535/],
  ['ip broadcast', /netmask not known/],
  ['vlan 5000', /vlan tag 5000 is too big|greater than/],
  ['mpls 2000000', /label 2000000 greater than maximum/],
  ['tcp[0:3] = 1', /data size must be 1, 2, or 4/],
  ['ip and arp', /expression rejects all packets/],
  ['net 10.0.0.1/8', /non-network bits set/],
  ['1 / 0 = 1', /division by zero/],
  ['(tcp', /syntax error/],
];
