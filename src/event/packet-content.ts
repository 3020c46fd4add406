/**
 * What of a packet is the same on every host that it passes: what routers, NAT and offloads leave alone, of its first headers.
 *
 *   content    = protocol ipId offset transport
 *   protocol   = u8                  ; IP protocol; IPv6: of the last header, extension headers are jumped over
 *   ipId       = u32                 ; IPv4 identification; of an IPv6 fragment header; else 0
 *   offset     = u16                 ; of the fragment, in units of 8 bytes; else 0
 *   transport  = tcp | icmp | other
 *   tcp        = the header with its options; ports, checksum, and the flags FIN, PSH, ECE, CWR as zeros
 *   icmp       = 32 bytes; checksum, and the identifier of an echo, as zeros
 *   other      = 32 bytes; ports and checksum of UDP as zeros
 *
 * Not in it: TTL, traffic class with ECN, lengths, checksums, MAC addresses, VLAN tags, IP addresses, ports. No payload of TCP:
 * a sender's is not in the linear part that can be read, a receiver's often is; sequence numbers and timestamps tell segments
 * apart. FIN and PSH are on the last segment of a GSO packet only: without them the first segment, which keeps the ipId, has
 * the content of the whole.
 *
 * The number of bytes must not hang on the host: 32 lie within a snap length of 128 whatever link header, VLAN tags and IPv6
 * options stand before them. A packet that is shorter counts as filled up with zeros, since that is what Ethernet does with short
 * frames, and a receiver may see them before they are cut off. Where fewer bytes were captured than the packet has, there is no
 * content: a guess would join nothing, or the wrong ones.
 */
import type { PacketPath, PacketSight } from './packet-path.ts';

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;
const FRAGMENT = 44;
/** Hop-by-hop, routing, destination options: `next header, length in 8 bytes - 1, ...`. */
const extensions: ReadonlySet<number> = new Set([0, 43, 60]);
const TCP_VOLATILE_FLAGS = 0x01 | 0x08 | 0x40 | 0x80;
const OTHER_BYTES = 32;
/** What stands before the transport header. */
const HEAD = 7;
const MOST = HEAD + 60;
/** An echo's identifier is what NAT changes instead of ports. */
const echoes: ReadonlySet<number> = new Set([8, 0, 128, 129]);

interface Network {
  readonly protocol: number;
  readonly id: number;
  readonly fragment: number;
  /** Its length by its own word; Infinity: it does not say yet, or is larger than it can say. */
  readonly bytes: number;
  /** Where the transport header begins. */
  readonly transport: number;
}

/** Big endian; what is not there counts as zeros, as in a frame that was filled up. */
const u8 = (bytes: Uint8Array, at: number): number => bytes[at] ?? 0;
const u16 = (bytes: Uint8Array, at: number): number => (u8(bytes, at) << 8) | u8(bytes, at + 1);
const u32 = (bytes: Uint8Array, at: number): number =>
  ((u16(bytes, at) << 16) | u16(bytes, at + 2)) >>> 0;

function readIpv4(bytes: Uint8Array, at: number): Network | undefined {
  if (bytes.length < at + 20) return undefined;
  return {
    protocol: u8(bytes, at + 9),
    id: u16(bytes, at + 4),
    fragment: u16(bytes, at + 6) & 0x1fff,
    bytes: u16(bytes, at + 2) || Infinity,
    transport: at + (u8(bytes, at) & 0xf) * 4,
  };
}

function readIpv6(bytes: Uint8Array, at: number): Network | undefined {
  if (bytes.length < at + 40) return undefined;
  let protocol = u8(bytes, at + 6);
  let transport = at + 40;
  let id = 0;
  let fragment = 0;
  while (extensions.has(protocol) || protocol === FRAGMENT) {
    if (bytes.length < transport + 8) return undefined;
    const length = protocol === FRAGMENT ? 8 : (u8(bytes, transport + 1) + 1) * 8;
    if (protocol === FRAGMENT) {
      fragment = u16(bytes, transport + 2) >> 3;
      id = u32(bytes, transport + 4);
    }
    protocol = u8(bytes, transport);
    transport += length;
  }
  const payload = u16(bytes, at + 4);
  return { protocol, id, fragment, transport, bytes: payload === 0 ? Infinity : 40 + payload };
}

/** Its memory is the same for every packet: making a small one for each takes longer than filling it. */
const scratch = new Uint8Array(MOST);

/**
 * The content of a packet as described above, which is there until the next call; undefined if it is not IP or not enough of it
 * was captured. Byte by byte: some forty are too few to be worth a call, or an object, for any of these steps.
 */
export function contentOf({ bytes, len, networkOffset: at }: PacketSight): Uint8Array | undefined {
  if (at === undefined || bytes.length <= at) return undefined;
  const version = u8(bytes, at) >> 4;
  const network =
    version === 4 ? readIpv4(bytes, at) : version === 6 ? readIpv6(bytes, at) : undefined;
  if (network === undefined) return undefined;
  const { protocol, id, fragment, transport: from } = network;
  if (bytes.length < from + 8) return undefined;

  let size = OTHER_BYTES;
  if (protocol === TCP && fragment === 0) {
    if (bytes.length < from + 20) return undefined;
    size = (u8(bytes, from + 12) >> 4) * 4;
    if (size < 20 || bytes.length < from + size) return undefined;
  }
  // There is more of the packet, but it was not captured: another host may have had it.
  if (bytes.length < Math.min(from + size, len, at + network.bytes)) return undefined;
  scratch[0] = protocol;
  for (let byte = 0; byte < 4; byte++) scratch[1 + byte] = id >>> (24 - 8 * byte);
  scratch[5] = fragment >> 8;
  scratch[6] = fragment;
  for (let byte = 0; byte < size; byte++) scratch[HEAD + byte] = u8(bytes, from + byte);
  if (fragment === 0) blank(protocol);
  return scratch.subarray(0, HEAD + size);
}

function blankBytes(from: number, to: number): void {
  for (let at = HEAD + from; at < HEAD + to; at++) scratch[at] = 0;
}

/** What the hosts on its way may change of a transport header in `scratch`. */
function blank(protocol: number): void {
  if (protocol === TCP) {
    blankBytes(0, 4);
    scratch[HEAD + 13] = u8(scratch, HEAD + 13) & ~TCP_VOLATILE_FLAGS;
    blankBytes(16, 18);
  } else if (protocol === UDP) {
    blankBytes(0, 4);
    blankBytes(6, 8);
  } else if (protocol === ICMP || protocol === ICMPV6) {
    blankBytes(2, 4);
    if (echoes.has(u8(scratch, HEAD))) blankBytes(4, 6);
  }
}

/** The headers seen first of all lives; a TCP segment's are on the clone that is sent. */
export function firstHeaders(path: PacketPath): PacketSight | undefined {
  let first: PacketSight | undefined;
  for (const { packets } of path.lives)
    for (const sight of packets)
      if (sight.flow !== undefined && (first === undefined || sight.offsetNs < first.offsetNs))
        first = sight;
  return first;
}
