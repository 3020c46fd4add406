/**
 * From a sight of a packet to a frame that Wireshark can dissect: link type, bytes, length.
 *
 * The kernel's bytes begin at the MAC header, else at the network header, else wherever skb->data was. So a frame is
 *
 *   Ethernet   there is a MAC header, and it is Ethernet's: 14 bytes before the network header (18, 22: tags in the data).
 *              A VLAN tag that the kernel keeps beside the packet is put where the wire has it, as libpcap does.
 *   raw        no such header, but IPv4 or IPv6 from the network header on. Bytes before it are of a link layer that
 *              nobody names here (`skipped`).
 *   cooked     everything else (ARP without Ethernet, MPLS, a packet without headers yet): 20 bytes of LINUX_SLL2 with
 *              what the kernel says of it, then the bytes.
 *
 * What was put in is known again by the link type and by the word `vlan`: `unframe` takes it out.
 */
import type { PacketSight } from '../../event/packet-path.ts';
import { linkType } from './blocks.ts';

export interface Frame {
  readonly linkType: number;
  /** The frame's bytes one after the other; parts of the sight's own bytes are not copied. */
  readonly data: readonly Uint8Array[];
  readonly originalLength: number;
  /** The sight's bytes before the frame, which the frame does not have. */
  readonly skipped: number;
  /** The layer above the link is known: worth a frame of its own. */
  readonly hasHeaders: boolean;
}

const ETHERNET_BYTES = 14;
const ADDRESSES_BYTES = 12;
const TAG_BYTES = 4;
const COOKED_BYTES = 20;
const LENGTH_MAX = 0xffff_ffff - COOKED_BYTES;
const ARPHRD_NONE = 0xfffe;
const etherType = { ipv4: 0x0800, ipv6: 0x86dd } as const;

const u16 = (bytes: Uint8Array, at: number): number =>
  ((bytes[at] ?? 0) << 8) | (bytes[at + 1] ?? 0);

/** Whether the bytes at 0 are an Ethernet header; the network header tells, or else the EtherType. */
function isEthernet({ bytes, macOffset, networkOffset, protocol }: PacketSight): boolean {
  if (macOffset !== 0 || bytes.length < ETHERNET_BYTES) return false;
  if (networkOffset === undefined) return protocol === 0 || u16(bytes, 12) === protocol;
  const more = networkOffset - ETHERNET_BYTES;
  return more >= 0 && more <= 2 * TAG_BYTES && more % TAG_BYTES === 0;
}

/** Where IPv4 or IPv6 begins; -1: it does not. */
function ipOffset({ bytes, networkOffset, protocol }: PacketSight): number {
  // A packet without a network header yet begins with it if the protocol and the version agree.
  const at = networkOffset ?? 0;
  const version = (bytes[at] ?? 0) >> 4;
  const wanted = protocol === etherType.ipv4 ? 4 : protocol === etherType.ipv6 ? 6 : 0;
  if (wanted !== 0) return version === wanted ? at : -1;
  // Packets made here have no protocol until late.
  const isMadeHere = protocol === 0 && networkOffset !== undefined;
  return isMadeHere && (version === 4 || version === 6) ? at : -1;
}

/** The kernel's number is believed as far as the field for it goes: an skb of more than 4 GB there is not. */
const lengthOf = ({ len, bytes }: PacketSight): number =>
  Math.max(Math.min(len, LENGTH_MAX), bytes.length);

export function frameOf(sight: PacketSight): Frame {
  const { bytes, vlan } = sight;
  if (isEthernet(sight)) {
    const more = vlan === undefined ? 0 : TAG_BYTES;
    return {
      linkType: linkType.ethernet,
      data:
        vlan === undefined
          ? [bytes]
          : [bytes.subarray(0, ADDRESSES_BYTES), tag(vlan), bytes.subarray(ADDRESSES_BYTES)],
      originalLength: lengthOf(sight) + more,
      skipped: 0,
      hasHeaders: true,
    };
  }
  const ip = ipOffset(sight);
  if (ip >= 0) {
    return {
      linkType: linkType.raw,
      data: [bytes.subarray(ip)],
      originalLength: lengthOf(sight) - ip,
      skipped: ip,
      hasHeaders: true,
    };
  }
  const skipped = sight.networkOffset ?? 0;
  return {
    linkType: linkType.cooked,
    data: [cookedHeader(sight), bytes.subarray(skipped)],
    originalLength: lengthOf(sight) - skipped + COOKED_BYTES,
    skipped,
    hasHeaders: sight.networkOffset !== undefined && sight.protocol !== 0,
  };
}

/** For a packet of `length` bytes of which nothing was seen: a cooked header that says nothing. */
export const blankFrame = (length: number): Frame => ({
  linkType: linkType.cooked,
  data: [blankHeader],
  originalLength: Math.min(length, LENGTH_MAX) + COOKED_BYTES,
  skipped: 0,
  hasHeaders: false,
});

/** The sight's bytes from `skipped` on, out of a frame that frameOf made; undefined if it is too short for that. */
export function unframe(
  type: number,
  data: Uint8Array,
  hasTag: boolean,
): Uint8Array<ArrayBuffer> | undefined {
  if (type === linkType.cooked) {
    return data.length < COOKED_BYTES ? undefined : new Uint8Array(data.subarray(COOKED_BYTES));
  }
  if (type !== linkType.ethernet || !hasTag) return new Uint8Array(data);
  if (data.length < ETHERNET_BYTES + TAG_BYTES) return undefined;
  const bytes = new Uint8Array(data.length - TAG_BYTES);
  bytes.set(data.subarray(0, ADDRESSES_BYTES));
  bytes.set(data.subarray(ADDRESSES_BYTES + TAG_BYTES), ADDRESSES_BYTES);
  return bytes;
}

const tag = ({ tci, protocol }: NonNullable<PacketSight['vlan']>): Uint8Array =>
  Uint8Array.of(protocol >> 8, protocol & 0xff, tci >> 8, tci & 0xff);

interface CookedFacts extends Pick<PacketSight, 'protocol' | 'packetType'> {
  readonly device: { readonly ifindex: number };
}

/**
 * LINKTYPE_LINUX_SLL2: protocol be16, 0 be16, ifindex be32, ARPHRD be16, packet type u8, address bytes u8, address[8].
 * What the device's own link layer is, nobody told: "none".
 */
function cookedHeader({ protocol, device, packetType }: CookedFacts): Uint8Array {
  const { ifindex } = device;
  const header = new Uint8Array(COOKED_BYTES);
  header[0] = protocol >> 8;
  header[1] = protocol;
  header[4] = ifindex >> 24;
  header[5] = ifindex >> 16;
  header[6] = ifindex >> 8;
  header[7] = ifindex;
  header[8] = ARPHRD_NONE >> 8;
  header[9] = ARPHRD_NONE & 0xff;
  header[10] = packetType;
  return header;
}

const blankHeader = cookedHeader({ protocol: 0, device: { ifindex: 0 }, packetType: 0 });
