/**
 * The content id: one packet has the same one on every host that it passes, so that its paths can be joined.
 *
 * It is made of what no router, NAT or checksum offload changes, of the first headers seen:
 *
 *   content     = protocol ipId transport payload
 *   protocol    = u8        ; IP protocol or IPv6 next header
 *   ipId        = u16       ; IPv4 only, else 0
 *   transport   = the transport header, with ports and checksum as zeros (TCP, UDP); as it is for others
 *   payload     = what follows it; header and payload together at most 96 bytes
 *
 * The id is the first 16 hex digits of SHA-256 of that. Addresses and ports are left out because NAT changes them; TTL, DSCP,
 * lengths and checksums because hosts do. A TCP segment is still known by its sequence numbers and timestamps, others by ipId
 * and payload. Two packets may be alike (keep-alives without ipId): a join must also look at the time. Packets that are split
 * or merged on the way (GSO, GRO, fragments) have other contents afterwards, and so other ids.
 */
import { hash } from 'node:crypto';
import type { PacketPath, PacketSight } from '../../event/packet-path.ts';

const MOST = 96;
const TCP = 6;
const UDP = 17;
const IPV4_MIN = 20;
const IPV6_HEADER = 40;
const scratch = Buffer.alloc(3 + MOST);

const firstHeaders = (path: PacketPath): PacketSight | undefined => {
  let first: PacketSight | undefined;
  for (const { packets } of path.lives) {
    for (const sight of packets) {
      if (sight.flow === undefined || sight.networkOffset === undefined) continue;
      if (first === undefined || sight.offsetNs < first.offsetNs) first = sight;
    }
  }
  return first;
};

/** The content id of the path's packet, 16 hex digits; undefined if it is no IP packet, or its headers were not captured. */
export function contentId(path: PacketPath): string | undefined {
  const sight = firstHeaders(path);
  if (sight?.networkOffset === undefined) return undefined;
  const { bytes, networkOffset: at } = sight;
  const version = (bytes[at] ?? 0) >> 4;
  let protocol: number;
  let transport: number;
  if (version === 4 && bytes.length >= at + IPV4_MIN) {
    protocol = bytes[at + 9] ?? 0;
    transport = at + ((bytes[at] ?? 0) & 0xf) * 4;
    scratch[1] = bytes[at + 4] ?? 0;
    scratch[2] = bytes[at + 5] ?? 0;
  } else if (version === 6 && bytes.length >= at + IPV6_HEADER) {
    protocol = bytes[at + 6] ?? 0;
    transport = at + IPV6_HEADER;
    scratch.fill(0, 1, 3);
  } else return undefined;
  if (bytes.length < transport + 8) return undefined;

  scratch[0] = protocol;
  const end = Math.min(bytes.length, transport + MOST);
  scratch.set(bytes.subarray(transport, end), 3);
  const length = 3 + end - transport;
  if (protocol === TCP || protocol === UDP) {
    scratch.fill(0, 3, 3 + 4);
    const checksum = 3 + (protocol === TCP ? 16 : 6);
    if (checksum + 2 <= length) scratch.fill(0, checksum, checksum + 2);
    // A UDP length stays what it is; it is the payload's.
  }
  return hash('sha256', scratch.subarray(0, length), 'hex').slice(0, 16);
}
