/**
 * Trace ids by content: one packet has the same id wherever it is seen, so that skbspan on two hosts puts it into one trace.
 *
 * The id is the first half of SHA-256 over what routers, NAT and offloads leave alone, of the first headers seen:
 *
 *   content    = protocol ipId offset transport
 *   protocol   = u8                  ; IP protocol; IPv6: of the last header, extension headers are jumped over
 *   ipId       = u16 | u32           ; IPv4 identification; of an IPv6 fragment header; else 0
 *   offset     = u16                 ; of the fragment, in units of 8 bytes; else 0
 *   transport  = tcp | icmp | other
 *   tcp        = the header with its options; ports, checksum, and the flags FIN, PSH, ECE, CWR as zeros
 *   icmp       = 32 bytes; checksum, and the identifier of an echo, as zeros
 *   other      = 32 bytes; ports and checksum of UDP as zeros
 *
 * Not in it: TTL, traffic class with ECN, lengths, checksums, MAC addresses, VLAN tags, IP addresses, ports. No payload of TCP:
 * a sender's is not in the linear part that can be read, a receiver's often is; sequence numbers and timestamps tell segments
 * apart. FIN and PSH are on the last segment of a GSO packet only: without them the first segment, which keeps the ipId, has
 * the content of the whole. Only 32 bytes of others, since hosts differ in what of a packet lies within the snap length.
 *
 * The same content again is another packet: a retransmission without timestamps, a duplicate, a repeated datagram. The n-th
 * one that is seen going the same way in the same namespace gets an id of its own, which the n-th one has on the next host as
 * well as long as none was lost between. Linux gives a retransmitted segment a new ipId (IPv4) and timestamp, so that its
 * content differs anyway; skbspan shows it in the path of the segment that waits in the socket for its acknowledgement.
 */
import type { PacketPath, PacketSight } from '../event/packet-path.ts';

export type TraceIds = (path: PacketPath) => PacketPath;

const TCP = 6;
const UDP = 17;
const ICMP = 1;
const ICMPV6 = 58;
const FRAGMENT = 44;
/** Hop-by-hop, routing, destination options: `next header, length in 8 bytes - 1, ...`. */
const extensions: ReadonlySet<number> = new Set([0, 43, 60]);
const TCP_VOLATILE_FLAGS = 0x01 | 0x08 | 0x40 | 0x80;
const OTHER_BYTES = 32;
const MOST = 7 + 60;
/** An echo's identifier is what NAT changes instead of ports. */
const echoes: ReadonlySet<number> = new Set([8, 0, 128, 129]);

interface Network {
  readonly protocol: number;
  readonly id: number;
  readonly fragment: number;
  /** Where the transport header begins. */
  readonly transport: number;
}

function readIpv4(view: DataView, at: number): Network | undefined {
  if (view.byteLength < at + 20) return undefined;
  return {
    protocol: view.getUint8(at + 9),
    id: view.getUint16(at + 4),
    fragment: view.getUint16(at + 6) & 0x1fff,
    transport: at + (view.getUint8(at) & 0xf) * 4,
  };
}

function readIpv6(view: DataView, at: number): Network | undefined {
  if (view.byteLength < at + 40) return undefined;
  let protocol = view.getUint8(at + 6);
  let transport = at + 40;
  let id = 0;
  let fragment = 0;
  while (extensions.has(protocol) || protocol === FRAGMENT) {
    if (view.byteLength < transport + 8) return undefined;
    const length = protocol === FRAGMENT ? 8 : (view.getUint8(transport + 1) + 1) * 8;
    if (protocol === FRAGMENT) {
      fragment = view.getUint16(transport + 2) >> 3;
      id = view.getUint32(transport + 4);
    }
    protocol = view.getUint8(transport);
    transport += length;
  }
  return { protocol, id, fragment, transport };
}

/** The content of a packet as described above; undefined if it is not IP or not enough of it was captured. */
export function contentOf({ bytes, networkOffset: at }: PacketSight): Uint8Array | undefined {
  if (at === undefined || bytes.length <= at) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const version = view.getUint8(at) >> 4;
  const network =
    version === 4 ? readIpv4(view, at) : version === 6 ? readIpv6(view, at) : undefined;
  if (network === undefined) return undefined;
  const { protocol, id, fragment, transport: from } = network;
  if (bytes.length < from + 8) return undefined;

  const content = Buffer.alloc(MOST);
  content.writeUInt8(protocol, 0);
  content.writeUInt32BE(id, 1);
  content.writeUInt16BE(fragment, 5);
  let size = OTHER_BYTES;
  if (protocol === TCP && fragment === 0) {
    if (bytes.length < from + 20) return undefined;
    size = (view.getUint8(from + 12) >> 4) * 4;
    if (size < 20 || bytes.length < from + size) return undefined;
  }
  const taken = bytes.subarray(from, from + size);
  content.set(taken, 7);
  if (fragment === 0) blank(content.subarray(7), protocol);
  return content.subarray(0, 7 + taken.length);
}

function blank(header: Buffer, protocol: number): void {
  if (protocol === TCP) {
    header.fill(0, 0, 4);
    header.writeUInt8(header.readUInt8(13) & ~TCP_VOLATILE_FLAGS, 13);
    header.fill(0, 16, 18);
  } else if (protocol === UDP) {
    header.fill(0, 0, 4);
    header.fill(0, 6, 8);
  } else if (protocol === ICMP || protocol === ICMPV6) {
    header.fill(0, 2, 4);
    if (echoes.has(header.readUInt8(0))) header.fill(0, 4, 6);
  }
}

/** The headers seen first of all lives; a TCP segment's are on the clone that is sent. */
function firstHeaders(path: PacketPath): PacketSight | undefined {
  let first: PacketSight | undefined;
  for (const { packets } of path.lives)
    for (const sight of packets)
      if (sight.flow !== undefined && (first === undefined || sight.offsetNs < first.offsetNs))
        first = sight;
  return first;
}

/** After so long the same content is not counted as a repetition, but as what it was the first time. */
const FORGET_NS = 60_000_000_000n;
const REMEMBERED = 65_536;

/** Gives paths their trace id by content. What has no content to go by keeps the id it has. */
export function createContentTraceIds(): TraceIds {
  // Here, not above: to load it takes a tenth of a start, and few runs need it.
  const { hash } = process.getBuiltinModule('node:crypto');
  /** In the order of their last sight. */
  const seen = new Map<string, { readonly times: number; readonly atNs: bigint }>();

  return (path) => {
    const sight = firstHeaders(path);
    const content = sight === undefined ? undefined : contentOf(sight);
    if (sight === undefined || content === undefined) return path;
    const digest = hash('sha256', content, 'hex');
    const key = `${digest.slice(0, 32)} ${path.direction} ${sight.device.netns}`;
    const before = seen.get(key);
    const atNs = path.startTimeNs;
    const times = before !== undefined && atNs - before.atNs < FORGET_NS ? before.times + 1 : 0;
    seen.delete(key);
    seen.set(key, { times, atNs });
    if (seen.size > REMEMBERED) {
      const [oldest] = seen.keys();
      if (oldest !== undefined) seen.delete(oldest);
    }
    const traceId = (times === 0 ? digest : hash('sha256', `${digest} ${times}`, 'hex')).slice(
      0,
      32,
    );
    return { ...path, traceId };
  };
}
