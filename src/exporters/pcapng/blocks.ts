/**
 * pcapng blocks as bytes (draft-ietf-opsawg-pcapng). Little-endian, times in nanoseconds.
 *
 *   block   = type u32, total bytes u32, body, 0..3 zeros, total bytes u32
 *   option  = code u16, bytes u16, value, 0..3 zeros;   a list of them ends with 0 u16, 0 u16
 *
 * What is undefined or empty is left out. Nonsense is refused with a RangeError before the first byte of its block, so
 * that the buffer holds whole blocks at any moment.
 */
import type { BlockBuffer } from './block-buffer.ts';
import {
  block,
  endOptions,
  option,
  optionBytesMax,
  optionTime,
  optionU32,
  optionU64,
  refuse,
  time,
} from './options.ts';

export const blockType = {
  sectionHeader: 0x0a0d0d0a,
  interface: 1,
  names: 4,
  statistics: 5,
  packet: 6,
  custom: 0x00000bad,
} as const;

export const byteOrderMagic = 0x1a2b3c4d;

export const optionCode = {
  end: 0,
  comment: 1,
  sectionHardware: 2,
  sectionOs: 3,
  sectionApplication: 4,
  interfaceName: 2,
  interfaceDescription: 3,
  interfaceIpv4: 4,
  interfaceIpv6: 5,
  interfaceMac: 6,
  interfaceSpeed: 8,
  interfaceTimeResolution: 9,
  interfaceFilter: 11,
  interfaceOs: 12,
  interfaceHardware: 15,
  packetFlags: 2,
  packetDropCount: 4,
  packetId: 5,
  packetQueue: 6,
  packetVerdict: 7,
  packetProcess: 8,
  statisticsStart: 2,
  statisticsEnd: 3,
  statisticsReceived: 4,
  statisticsDropped: 5,
  statisticsAccepted: 6,
  statisticsOsDropped: 7,
  statisticsDelivered: 8,
} as const;

export const linkType = {
  ethernet: 1,
  /** Begins with an IPv4 or IPv6 header. */
  raw: 101,
  /** LINKTYPE_LINUX_SLL2: a header of 20 bytes that says what follows. */
  cooked: 276,
} as const;

/** Who decided, and what: epb_verdict. */
export const verdictType = { hardware: 0, tc: 1, xdp: 2 } as const;

/** Wireshark calls a file with a longer packet damaged (measured with 4.0 and 4.4). */
export const capturedBytesMax = 262_144;
/** Type, length, interface, time, captured and original length. */
const PACKET_HEAD_BYTES = 28;

export interface SectionHeader {
  readonly hardware?: string;
  readonly os?: string;
  readonly application?: string;
  readonly comments?: readonly string[];
}

export interface InterfaceDescription {
  readonly linkType: number;
  /** Most bytes kept of a packet; 0: no limit. */
  readonly snaplen: number;
  readonly name?: string;
  readonly description?: string;
  readonly comments?: readonly string[];
  readonly ipv4?: { readonly address: Uint8Array; readonly mask: Uint8Array };
  readonly ipv6?: { readonly address: Uint8Array; readonly prefixBits: number };
  readonly mac?: Uint8Array;
  /** Bits per second. */
  readonly speed?: bigint;
  /** In libpcap's language. */
  readonly filter?: string;
  readonly os?: string;
  readonly hardware?: string;
}

export interface PacketHead {
  /** Nanoseconds since the Unix epoch in halves. */
  readonly timeHigh: number;
  readonly timeLow: number;
  /** The packet's bytes one after the other. */
  readonly data: readonly Uint8Array[];
  /** Bytes of the whole packet, at least those of `data`. */
  readonly originalLength: number;
  /** epb_flags; 0: nothing known. */
  readonly flags: number;
  /** A number up to 2^53 is as good, and quicker. */
  readonly packetId: bigint | number | undefined;
  readonly queue: number | undefined;
  /** Packets lost between this and the one before it on its interface. */
  readonly dropCount?: bigint;
  /** An action as a number, or, of type `hardware`, bytes. */
  readonly verdicts?:
    readonly { readonly type: number; readonly value: bigint | Uint8Array }[] | undefined;
  /** Of the task that made the packet. */
  readonly process?: { readonly tgid: number; readonly tid: number } | undefined;
}

export interface EnhancedPacket extends PacketHead {
  readonly comments: readonly string[];
}

/** A packet that writes its comments itself, each between `openComment` and `closeComment`. */
export interface SelfWrittenPacket extends PacketHead {
  putComments(out: BlockBuffer): void;
}

export interface InterfaceStatistics {
  readonly interface: number;
  readonly time: bigint;
  readonly comments?: readonly string[];
  readonly start?: bigint;
  readonly end?: bigint;
  readonly received?: bigint;
  readonly dropped?: bigint;
  readonly accepted?: bigint;
  readonly osDropped?: bigint;
  readonly delivered?: bigint;
}

function comments(out: BlockBuffer, texts: readonly string[] | undefined): void {
  if (texts !== undefined) for (const text of texts) option(out, optionCode.comment, text);
}

/** SHB: magic u32, version 1.0, section bytes i64 (-1: not known), options. */
export function appendSectionHeader(out: BlockBuffer, header: SectionHeader): void {
  block(out, blockType.sectionHeader, () => {
    out.u32(byteOrderMagic);
    out.u16(1);
    out.u16(0);
    out.u32(0xffffffff);
    out.u32(0xffffffff);
    comments(out, header.comments);
    option(out, optionCode.sectionHardware, header.hardware);
    option(out, optionCode.sectionOs, header.os);
    option(out, optionCode.sectionApplication, header.application);
    endOptions(out);
  });
}

/** IDB: link type u16, 0 u16, snap length u32, options. Its number is how many stand before it in the section. */
export function appendInterface(out: BlockBuffer, description: InterfaceDescription): void {
  const { ipv4, ipv6, mac, filter } = description;
  refuse((description.linkType & 0xffff) !== description.linkType, 'link type out of range');
  refuse(ipv4 !== undefined && ipv4.address.length + ipv4.mask.length !== 8, 'not an IPv4 address');
  refuse(ipv6 !== undefined && ipv6.address.length !== 16, 'not an IPv6 address');
  refuse(mac !== undefined && mac.length !== 6, 'not a MAC address');
  block(out, blockType.interface, () => {
    out.u16(description.linkType);
    out.u16(0);
    out.u32(description.snaplen);
    comments(out, description.comments);
    option(out, optionCode.interfaceName, description.name);
    option(out, optionCode.interfaceDescription, description.description);
    if (ipv4 !== undefined) {
      option(out, optionCode.interfaceIpv4, Buffer.concat([ipv4.address, ipv4.mask]));
    }
    if (ipv6 !== undefined) {
      const value = Buffer.concat([ipv6.address, Uint8Array.of(ipv6.prefixBits)]);
      option(out, optionCode.interfaceIpv6, value);
    }
    option(out, optionCode.interfaceMac, mac);
    optionU64(out, optionCode.interfaceSpeed, description.speed);
    option(out, optionCode.interfaceTimeResolution, Uint8Array.of(9));
    // The first byte says which language: 0 is libpcap's.
    if (filter !== undefined) option(out, optionCode.interfaceFilter, `\0${filter}`);
    option(out, optionCode.interfaceOs, description.os);
    option(out, optionCode.interfaceHardware, description.hardware);
    endOptions(out);
  });
}

/** Throws RangeError if appendPacket would: for whoever writes all of several packets or none. */
export function checkPacket(packet: EnhancedPacket): void {
  checkLengths(packet);
  for (const text of packet.comments) {
    // A character of UTF-16 becomes three bytes of UTF-8 at most.
    if (text.length * 3 <= optionBytesMax) continue;
    const bytes = Buffer.byteLength(text);
    refuse(bytes > optionBytesMax, `a comment of ${bytes} bytes, ${optionBytesMax} fit`);
  }
}

function checkLengths({ data, originalLength }: PacketHead): void {
  let captured = 0;
  for (const part of data) captured += part.length;
  if (captured <= capturedBytesMax && originalLength >= captured && originalLength <= U32_MAX) {
    return;
  }
  refuse(captured > capturedBytesMax, `a packet of ${captured} bytes`);
  refuse(originalLength < captured, `${captured} bytes of a packet of ${originalLength}`);
  refuse(true, `a packet of ${originalLength} bytes`);
}

const U32_MAX = 0xffff_ffff;

/**
 * EPB: interface u32, time high u32, time low u32, captured u32, original u32, data, 0..3 zeros, options. `at` is the number
 * of an interface of the same section.
 */
export function appendPacket(out: BlockBuffer, at: number, packet: EnhancedPacket): void {
  checkPacket(packet);
  const start = openPacket(out, at, packet);
  for (const text of packet.comments) {
    if (text === '') continue;
    const from = openComment(out);
    out.text(text);
    closeComment(out, from);
  }
  closePacket(out, start, packet);
}

/** The same. RangeError: the packet may be there in part; the caller truncates. */
export function appendSelfWritten(out: BlockBuffer, at: number, packet: SelfWrittenPacket): void {
  checkLengths(packet);
  const start = openPacket(out, at, packet);
  packet.putComments(out);
  closePacket(out, start, packet);
}

// Straight on, without `block`: there is one of these per call of a kernel function.

function openPacket(out: BlockBuffer, at: number, packet: PacketHead): number {
  const start = out.length;
  out.u32(blockType.packet);
  out.u32(0);
  out.u32(at);
  out.u32(packet.timeHigh);
  out.u32(packet.timeLow);
  out.u32(0);
  out.u32(packet.originalLength);
  for (const part of packet.data) out.bytes(part);
  out.setU32(start + 20, out.length - start - PACKET_HEAD_BYTES);
  out.pad();
  return start;
}

function closePacket(out: BlockBuffer, start: number, packet: PacketHead): void {
  const { packetId, verdicts, process } = packet;
  if (packet.flags !== 0) optionU32(out, optionCode.packetFlags, packet.flags);
  optionU64(out, optionCode.packetDropCount, packet.dropCount);
  if (typeof packetId === 'number') {
    out.u32(optionCode.packetId | (8 << 16));
    out.u32(packetId % 0x1_0000_0000);
    out.u32(packetId / 0x1_0000_0000);
  } else optionU64(out, optionCode.packetId, packetId);
  if (packet.queue !== undefined) optionU32(out, optionCode.packetQueue, packet.queue);
  if (verdicts !== undefined) {
    try {
      for (const { type, value } of verdicts) verdict(out, type, value);
    } catch (error) {
      out.truncate(start);
      throw error;
    }
  }
  if (process !== undefined) {
    out.u32(optionCode.packetProcess | (8 << 16));
    out.u32(process.tgid);
    out.u32(process.tid);
  }
  endOptions(out);
  const total = out.length - start + 4;
  out.setU32(start + 4, total);
  out.u32(total);
}

/** What is appended from here to `closeComment`, which wants what this returns, is a comment. */
export function openComment(out: BlockBuffer): number {
  out.u32(optionCode.comment);
  return out.length;
}

/** RangeError: it is too long for an option. */
export function closeComment(out: BlockBuffer, from: number): void {
  const bytes = out.length - from;
  if (bytes > optionBytesMax) refuse(true, `a comment of ${bytes} bytes, ${optionBytesMax} fit`);
  out.setU16(from - 2, bytes);
  out.pad();
}

/** epb_verdict: type u8, then bytes (hardware) or an action u64 (tc, XDP). */
function verdict(out: BlockBuffer, type: number, value: bigint | Uint8Array): void {
  const isNumber = typeof value === 'bigint';
  refuse(isNumber === (type === verdictType.hardware), `a verdict of type ${type} like this`);
  const bytes = Buffer.alloc(1 + (isNumber ? 8 : value.length));
  bytes[0] = type;
  if (isNumber) bytes.writeBigInt64LE(value, 1);
  else bytes.set(value, 1);
  option(out, optionCode.packetVerdict, bytes);
}

/** ISB: interface u32, time high u32, time low u32, options. */
export function appendStatistics(out: BlockBuffer, statistics: InterfaceStatistics): void {
  block(out, blockType.statistics, () => {
    out.u32(statistics.interface);
    time(out, statistics.time);
    comments(out, statistics.comments);
    optionTime(out, optionCode.statisticsStart, statistics.start);
    optionTime(out, optionCode.statisticsEnd, statistics.end);
    optionU64(out, optionCode.statisticsReceived, statistics.received);
    optionU64(out, optionCode.statisticsDropped, statistics.dropped);
    optionU64(out, optionCode.statisticsAccepted, statistics.accepted);
    optionU64(out, optionCode.statisticsOsDropped, statistics.osDropped);
    optionU64(out, optionCode.statisticsDelivered, statistics.delivered);
    endOptions(out);
  });
}

/**
 * NRB: records, then options. record = type u16 (1 IPv4, 2 IPv6, 0 the end), bytes u16, address and names that end with a
 * zero byte, 0..3 zeros. `address` has 4 or 16 bytes.
 */
export function appendNames(
  out: BlockBuffer,
  names: readonly { readonly address: Uint8Array; readonly name: string }[],
): void {
  for (const { address, name } of names) {
    refuse(address.length !== 4 && address.length !== 16, `an address of ${address.length} bytes`);
    refuse(name === '' || name.includes('\0'), 'a name that is none');
  }
  block(out, blockType.names, () => {
    for (const { address, name } of names) {
      out.u16(address.length === 4 ? 1 : 2);
      const lengthAt = out.length;
      out.u16(0);
      out.bytes(address);
      const length = address.length + out.text(name) + 1;
      refuse(length > optionBytesMax, `a name of ${length} bytes`);
      out.u8(0);
      out.setU16(lengthAt, length);
      out.pad();
    }
    out.u32(0);
    endOptions(out);
  });
}
