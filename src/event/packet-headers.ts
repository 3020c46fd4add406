/**
 * From a packet's first bytes to its flow: Ethernet, VLAN tags, ARP, IPv4 and IPv6 with their options and extensions, then
 * transport-headers.ts. Begins where the kernel says the headers are. Total: bytes may be anything, of any length; what
 * is not there is left out, and bytes that contradict the protocol give `undefined`.
 */

import type { Flow } from '../event/packet-path.ts';
import { ipv4Text, ipv6Text, macText } from './network-address.ts';
import { parseTransport, transportName } from './transport-headers.ts';

export const etherType = {
  ipv4: 0x0800,
  arp: 0x0806,
  vlan: 0x8100,
  ipv6: 0x86dd,
  serviceVlan: 0x88a8,
} as const;

const ETHERNET_BYTES = 14;
const VLAN_BYTES = 4;

export interface HeaderPlaces {
  readonly macOffset: number | undefined;
  readonly networkOffset: number | undefined;
  /** Ethertype as the kernel has it; 0: not set yet. */
  readonly protocol: number;
}

const isVlan = (protocol: number): boolean =>
  protocol === etherType.vlan || protocol === etherType.serviceVlan;

export function parseFlow(bytes: Uint8Array, places: HeaderPlaces): Flow | undefined {
  const { macOffset } = places;
  let { networkOffset: at, protocol } = places;
  const u16 = (offset: number): number => ((bytes[offset] ?? 0) << 8) | (bytes[offset + 1] ?? 0);
  if (at === undefined) {
    // Before the network header is set, all there is is the link layer's word for it.
    if (macOffset === undefined || macOffset + ETHERNET_BYTES > bytes.length) return undefined;
    at = macOffset + ETHERNET_BYTES;
    protocol = u16(at - 2);
  } else if (isVlan(protocol) && macOffset !== undefined && at >= macOffset + ETHERNET_BYTES) {
    // The tag is still in the data: the network header is counted from behind the Ethernet header, or from behind the tag.
    at = macOffset + ETHERNET_BYTES;
  } else if (protocol === 0) {
    const version = (bytes[at] ?? 0) >> 4;
    protocol = version === 4 ? etherType.ipv4 : version === 6 ? etherType.ipv6 : 0;
  }
  while (isVlan(protocol) && at + VLAN_BYTES <= bytes.length) {
    protocol = u16(at + 2);
    at += VLAN_BYTES;
  }
  switch (protocol) {
    case etherType.ipv4:
      return parseIpv4(bytes, at);
    case etherType.ipv6:
      return parseIpv6(bytes, at);
    case etherType.arp:
      return parseArp(bytes, at);
    case 0:
      return undefined;
    default:
      return {
        ...nothingKnown,
        network: 'other',
        transport: `ethertype-0x${protocol.toString(16).padStart(4, '0')}`,
      };
  }
}

const nothingKnown = {
  sourceAddress: '',
  destinationAddress: '',
  sourcePort: undefined,
  destinationPort: undefined,
  tcpFlags: undefined,
  detail: '',
} as const;

function parseIpv4(bytes: Uint8Array, at: number): Flow | undefined {
  const headerBytes = ((bytes[at] ?? 0) & 15) * 4;
  if (at + 20 > bytes.length || (bytes[at] ?? 0) >> 4 !== 4 || headerBytes < 20) return undefined;
  const protocol = bytes[at + 9] ?? 0;
  const fragment = (((bytes[at + 6] ?? 0) & 0x1f) << 8) | (bytes[at + 7] ?? 0);
  return {
    network: 'ipv4',
    sourceAddress: ipv4Text(bytes, at + 12),
    destinationAddress: ipv4Text(bytes, at + 16),
    ...(fragment === 0
      ? parseTransport(protocol, bytes, at + headerBytes)
      : laterFragment(protocol, fragment * 8)),
  };
}

/** Only the first fragment has the transport header. */
const laterFragment = (protocol: number, offset: number): ReturnType<typeof parseTransport> => ({
  transport: transportName(protocol),
  sourcePort: undefined,
  destinationPort: undefined,
  tcpFlags: undefined,
  detail: `fragment at ${offset}`,
});

/** Extension headers that say what follows them, and how long they are in bytes (RFC 8200, RFC 4302 for 51). */
const extensionBytes: ReadonlyMap<number, (length: number) => number> = new Map([
  ...[0, 43, 60, 135, 139, 140].map(
    (header) => [header, (length: number) => (length + 1) * 8] as const,
  ),
  [44, () => 8] as const,
  [51, (length: number) => (length + 2) * 4] as const,
]);
const FRAGMENT_HEADER = 44;

function parseIpv6(bytes: Uint8Array, at: number): Flow | undefined {
  if (at + 40 > bytes.length || (bytes[at] ?? 0) >> 4 !== 6) return undefined;
  const addresses = {
    network: 'ipv6',
    sourceAddress: ipv6Text(bytes, at + 8),
    destinationAddress: ipv6Text(bytes, at + 24),
  } as const;
  let protocol = bytes[at + 6] ?? 0;
  let next = at + 40;
  for (
    let measure = extensionBytes.get(protocol);
    measure !== undefined;
    measure = extensionBytes.get(protocol)
  ) {
    if (next + 8 > bytes.length) break;
    const fragment =
      protocol === FRAGMENT_HEADER
        ? (((bytes[next + 2] ?? 0) << 8) | (bytes[next + 3] ?? 0)) & 0xfff8
        : 0;
    const length = measure(bytes[next + 1] ?? 0);
    protocol = bytes[next] ?? 0;
    next += length;
    if (fragment !== 0) return { ...addresses, ...laterFragment(protocol, fragment) };
  }
  return { ...addresses, ...parseTransport(protocol, bytes, next) };
}

function parseArp(bytes: Uint8Array, at: number): Flow | undefined {
  if (at + 8 > bytes.length) return undefined;
  const hardwareBytes = bytes[at + 4] ?? 0;
  const isIpv4 =
    bytes[at + 2] === 8 && bytes[at + 3] === 0 && bytes[at + 5] === 4 && hardwareBytes <= 32;
  const sender = at + 8 + hardwareBytes;
  const target = sender + 4 + hardwareBytes;
  const arp = { ...nothingKnown, network: 'arp', transport: 'arp' } as const;
  if (!isIpv4 || target + 4 > bytes.length) return arp;
  const sourceAddress = ipv4Text(bytes, sender);
  const destinationAddress = ipv4Text(bytes, target);
  const operation = ((bytes[at + 6] ?? 0) << 8) | (bytes[at + 7] ?? 0);
  const detail =
    operation === 1
      ? `who-has ${destinationAddress} tell ${sourceAddress}`
      : operation === 2 && hardwareBytes === 6
        ? `${sourceAddress} is-at ${macText(bytes, at + 8)}`
        : `operation ${operation}`;
  return { ...arp, sourceAddress, destinationAddress, detail };
}
