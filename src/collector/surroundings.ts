/** Records of sockets, connections and rules as exporters see them. */

import { conntrackEvent, conntrackTuple, ruleEvent, socketEvent } from '../event/layout.ts';
import { ipv4Text, ipv6Text } from '../event/network-address.ts';
import type {
  ConntrackSight,
  ConntrackTuple,
  FilterRule,
  SocketSight,
} from '../event/packet-path.ts';
import { transportName } from '../event/transport-headers.ts';
import { textAt } from './context-table.ts';
import { headerWord } from './decode.ts';
import type { Symbols } from './path-builder.ts';

/** include/linux/socket.h */
const AF_INET = 2;
const AF_INET6 = 10;
const AF_PACKET = 17;

/** enum sock_type, include/linux/net.h */
const socketTypes = ['', 'stream', 'dgram', 'raw', 'rdm', 'seqpacket', 'dccp'];
const SOCK_PACKET = 10;
const IPPROTO_TCP = 6;

/** include/net/tcp_states.h, as `ss` writes them */
const tcpStates: readonly string[] = [
  '',
  'ESTAB',
  'SYN-SENT',
  'SYN-RECV',
  'FIN-WAIT-1',
  'FIN-WAIT-2',
  'TIME-WAIT',
  'UNCONN',
  'CLOSE-WAIT',
  'LAST-ACK',
  'LISTEN',
  'CLOSING',
  'SYN-RECV',
];

/** IPS_* of include/uapi/linux/netfilter/nf_conntrack_common.h, by bit. */
const statusNames: readonly string[] = [
  'expected',
  'seen_reply',
  'assured',
  'confirmed',
  'src_nat',
  'dst_nat',
  'seq_adjust',
  'src_nat_done',
  'dst_nat_done',
  'dying',
  'fixed_timeout',
  'template',
  'nat_clash',
  'helper',
  'offload',
  'hw_offload',
];

/** enum ip_conntrack_info, same place */
const infos = ['established', 'related', 'new', 'established reply', 'related reply'];

/** enum nf_inet_hooks' families, include/uapi/linux/netfilter.h: NFPROTO_* */
const families: ReadonlyMap<number, string> = new Map([
  [1, 'inet'],
  [2, 'ip'],
  [3, 'arp'],
  [5, 'netdev'],
  [7, 'bridge'],
  [10, 'ip6'],
]);

const viewOf = (words: Uint32Array, at: number): DataView =>
  new DataView(words.buffer, words.byteOffset + at * 4);

function addressOf(view: DataView, at: number, family: number): string {
  const bytes = new Uint8Array(view.buffer, view.byteOffset + at, 16);
  if (bytes.every((byte) => byte === 0)) return '';
  return family === AF_INET ? ipv4Text(bytes, 0) : family === AF_INET6 ? ipv6Text(bytes, 0) : '';
}

const familyName = (family: number): string =>
  family === AF_INET
    ? 'ipv4'
    : family === AF_INET6
      ? 'ipv6'
      : family === AF_PACKET
        ? 'packet'
        : `family-${family}`;

export function readSocket(
  words: Uint32Array,
  at: number,
  offsetNs: number,
  symbols: Symbols,
): SocketSight {
  const view = viewOf(words, at);
  const family = view.getUint16(socketEvent.family, true);
  const type = view.getUint16(socketEvent.type, true);
  const isInternet = family === AF_INET || family === AF_INET6;
  const isFull = view.getUint8(socketEvent.full) !== 0;
  // What stands in for a socket is always TCP's (SYN_RECV, TIME_WAIT).
  const protocol = isFull ? view.getUint16(socketEvent.protocol, true) : IPPROTO_TCP;
  const netns = view.getUint32(socketEvent.netns, true);
  const cgroup = view.getBigUint64(socketEvent.cgroup, true);
  return {
    offsetNs,
    seq: words[at + headerWord.seq] ?? 0,
    address: view.getBigUint64(socketEvent.socket, true),
    // Inode numbers of sockets are counted in 32 bits (get_next_ino).
    inode: Number(view.getBigUint64(socketEvent.inode, true) & 0xffff_ffffn),
    uid: isFull ? view.getUint32(socketEvent.uid, true) : undefined,
    family: familyName(family),
    type: type === SOCK_PACKET ? 'packet' : (socketTypes[type] ?? ''),
    protocol: isInternet ? transportName(protocol) : '',
    state:
      isInternet && protocol === IPPROTO_TCP
        ? (tcpStates[view.getUint8(socketEvent.state)] ?? '')
        : '',
    localAddress: addressOf(view, socketEvent.localAddress, family),
    localPort: view.getUint16(socketEvent.localPort, true),
    remoteAddress: addressOf(view, socketEvent.remoteAddress, family),
    remotePort: view.getUint16(socketEvent.remotePort, true),
    netns,
    netnsName: netns === 0 ? '' : symbols.netnsName(netns),
    cgroup,
    ...symbols.owner(cgroup, 0),
  };
}

function readTuple(view: DataView, at: number): ConntrackTuple {
  const family = view.getUint16(at + conntrackTuple.family, true);
  const transport = transportName(view.getUint8(at + conntrackTuple.protocol));
  const hasPorts = transport === 'tcp' || transport === 'udp' || transport === 'sctp';
  const port = (offset: number): number | undefined =>
    hasPorts ? view.getUint16(at + offset, true) : undefined;
  return {
    transport,
    sourceAddress: addressOf(view, at + conntrackTuple.sourceAddress, family),
    destinationAddress: addressOf(view, at + conntrackTuple.destinationAddress, family),
    sourcePort: port(conntrackTuple.sourcePort),
    destinationPort: port(conntrackTuple.destinationPort),
  };
}

export function readConntrack(words: Uint32Array, at: number, offsetNs: number): ConntrackSight {
  const view = viewOf(words, at);
  const status = view.getUint32(conntrackEvent.status, true);
  return {
    offsetNs,
    seq: words[at + headerWord.seq] ?? 0,
    info: infos[view.getUint8(conntrackEvent.info)] ?? 'unknown',
    status: statusNames.filter((_name, bit) => (status & (1 << bit)) !== 0),
    zone: view.getUint16(conntrackEvent.zone, true),
    mark: view.getUint32(conntrackEvent.mark, true),
    original: readTuple(view, conntrackEvent.original),
    reply: readTuple(view, conntrackEvent.reply),
  };
}

export function readRule(words: Uint32Array, at: number): FilterRule {
  const view = viewOf(words, at);
  const family = view.getUint32(ruleEvent.family, true);
  return {
    family: families.get(family) ?? `family-${family}`,
    table: textAt(words, at + (ruleEvent.table >> 2), ruleEvent.chain - ruleEvent.table),
    chain: textAt(words, at + (ruleEvent.chain >> 2), ruleEvent.size - ruleEvent.chain),
    // A handle has 42 bits.
    handle: Number(view.getBigUint64(ruleEvent.handle, true)),
  };
}
