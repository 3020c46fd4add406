/**
 * What a tunnel's packet carries: the header behind the outermost IP header, if it is one of a tunnel, and the flow of the
 * packet in there. Ports alone prove nothing, so whoever asks compares that flow with one that was really seen.
 *
 *   vxlan  = flags u8 (0x08: VNI valid), 0 u24, VNI u24, 0 u8, Ethernet frame            RFC 7348, 5
 *   geneve = version and option length/4 u8, flags u8, ethertype u16, VNI u24, 0 u8, options, packet or frame   RFC 8926, 3.4
 *   gre    = flags and version u16, ethertype u16, [checksum u16, 0 u16], [key u32], [sequence u32], packet or frame
 *            RFC 2784, 2; RFC 2890, 2
 */
import type { Flow, PacketSight, Tunnel } from './packet-path.ts';
import { etherType, parseFlow } from './packet-headers.ts';

export interface Wrapped {
  readonly tunnel: Tunnel;
  readonly inner: Flow;
}

const ETHERNET_BYTES = 14;
const UDP_BYTES = 8;
/** Ethernet over GRE (RFC 1701) and Geneve; ERSPAN wraps it once more and is not read. */
const TRANSPARENT_ETHERNET = 0x6558;

const ipProtocolNumbers: ReadonlyMap<string, number> = new Map([
  ['udp', 17],
  ['ip-proto-4', 4],
  ['ip-proto-41', 41],
  ['ip-proto-47', 47],
]);

/** undefined: no tunnel that is known here, or not enough of it was captured. */
export function unwrap(sight: PacketSight): Wrapped | undefined {
  const { flow, bytes, networkOffset } = sight;
  if (flow === undefined || networkOffset === undefined) return undefined;
  const protocol = ipProtocolNumbers.get(flow.transport);
  if (protocol === undefined) return undefined;
  const at =
    networkOffset + (flow.network === 'ipv4' ? ((bytes[networkOffset] ?? 0) & 15) * 4 : 40);
  switch (protocol) {
    case 17:
      return unwrapVxlan(bytes, at + UDP_BYTES) ?? unwrapGeneve(bytes, at + UDP_BYTES);
    case 47:
      return unwrapGre(bytes, at);
    default:
      return wrapped(
        { kind: kindOfIpInIp(flow.network, protocol), id: undefined },
        bytes,
        at,
        protocol === 4 ? etherType.ipv4 : etherType.ipv6,
      );
  }
}

const kindOfIpInIp = (network: Flow['network'], protocol: number): Tunnel['kind'] =>
  network === 'ipv6' ? 'ip6tnl' : protocol === 4 ? 'ipip' : 'sit';

const u16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);
const u24 = (bytes: Uint8Array, at: number): number => (u16(bytes, at) << 8) | (bytes[at + 2] ?? 0);

/** `protocol` is that of the packet at `at`. */
function wrapped(
  tunnel: Tunnel,
  bytes: Uint8Array,
  at: number,
  protocol: number,
): Wrapped | undefined {
  const isFrame = protocol === TRANSPARENT_ETHERNET;
  const inner = parseFlow(bytes, {
    macOffset: isFrame ? at : undefined,
    networkOffset: isFrame ? undefined : at,
    protocol,
  });
  return inner === undefined || at + ETHERNET_BYTES > bytes.length ? undefined : { tunnel, inner };
}

function unwrapVxlan(bytes: Uint8Array, at: number): Wrapped | undefined {
  if (((bytes[at] ?? 0) & 0x08) === 0) return undefined;
  const tunnel = { kind: 'vxlan', id: u24(bytes, at + 4) } as const;
  return wrapped(tunnel, bytes, at + 8, TRANSPARENT_ETHERNET);
}

function unwrapGeneve(bytes: Uint8Array, at: number): Wrapped | undefined {
  const first = bytes[at] ?? 0;
  if (first >> 6 !== 0) return undefined;
  const tunnel = { kind: 'geneve', id: u24(bytes, at + 4) } as const;
  return wrapped(tunnel, bytes, at + 8 + (first & 0x3f) * 4, u16(bytes, at + 2));
}

function unwrapGre(bytes: Uint8Array, at: number): Wrapped | undefined {
  const flags = u16(bytes, at);
  if ((flags & 7) !== 0) return undefined;
  const checksum = (flags & 0x8000) === 0 ? 0 : 4;
  const key = (flags & 0x2000) === 0 ? 0 : 4;
  const sequence = (flags & 0x1000) === 0 ? 0 : 4;
  const keyAt = at + 4 + checksum;
  const id = key === 0 ? undefined : u16(bytes, keyAt) * 0x10000 + u16(bytes, keyAt + 2);
  const inside = at + 4 + checksum + key + sequence;
  return wrapped({ kind: 'gre', id }, bytes, inside, u16(bytes, at + 2));
}
