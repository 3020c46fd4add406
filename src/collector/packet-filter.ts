/** Which packets are followed, as the programs are told: in their configuration, and by code put into them. */
import { config, filter as filterBit, glance as glanceBit } from '../event/layout.ts';
import type { Code } from '../filter/assembler.ts';
import { injectFunction } from '../filter/inject.ts';
import type { InPlace } from '../filter/packet-loads.ts';
import { injectPcapFilter, type PcapFilter } from '../filter/pcap-filter.ts';

/** All that are there must hold when a packet is first seen; from then on it is followed whatever becomes of it. */
export interface PacketFilter {
  readonly pcap?: PcapFilter | undefined;
  /** Code for skb_filter() in bpf/filter.h. */
  readonly expression?: Code | undefined;
  readonly mark?: { readonly value: number; readonly mask: number } | undefined;
  /** At most 15 bytes. */
  readonly ifname?: string | undefined;
  /** Process id of the sender. */
  readonly process?: number | undefined;
  /** Of the packet's socket. `level` is the depth below the root, which is 0. */
  readonly cgroup?: { readonly id: bigint; readonly level: number } | undefined;
  /** One of this many. */
  readonly sampleRate?: number | undefined;
  readonly direction?: 'transmit' | 'receive' | undefined;
}

/** enum filter of bpf/config.h: what is asked for. */
export function filterBits(filter: PacketFilter): number {
  const chosen: readonly (readonly [number, boolean])[] = [
    [filterBit.pcap, filter.pcap?.packet === true],
    [filterBit.tunnelLink, filter.pcap?.tunnelLink === true],
    [filterBit.tunnelNetwork, filter.pcap?.tunnelNetwork === true],
    [filterBit.mark, filter.mark !== undefined],
    [filterBit.ifname, filter.ifname !== undefined],
    [filterBit.process, filter.process !== undefined],
    [filterBit.cgroup, filter.cgroup !== undefined],
    [filterBit.expression, filter.expression !== undefined],
    [filterBit.sample, filter.sampleRate !== undefined && filter.sampleRate > 1],
    [filterBit.transmit, filter.direction === 'transmit'],
    [filterBit.receive, filter.direction === 'receive'],
  ];
  return chosen.reduce((bits, [bit, on]) => (on ? bits | bit : bits), 0);
}

/** enum glance. */
const glanceOf = ({ pcap }: PacketFilter): number =>
  pcap?.glance.possible === true
    ? glanceBit.possible | (pcap.glance.either ? glanceBit.either : 0)
    : 0;

/** Filters whose code is generated. */
const asking = [
  filterBit.pcap,
  filterBit.tunnelLink,
  filterBit.tunnelNetwork,
  filterBit.expression,
];

/** Writes struct config's members of the filter. Before load. */
export function configureFilter(view: DataView, filter: PacketFilter): void {
  const bits = filterBits(filter);
  view.setUint32(config.filters, bits, true);
  view.setUint32(config.glance, glanceOf(filter), true);
  view.setUint32(config.questions, asking.filter((bit) => (bits & bit) !== 0).length, true);
  if (filter.mark !== undefined) {
    view.setUint32(config.mark, filter.mark.value, true);
    view.setUint32(config.markMask, filter.mark.mask, true);
  }
  view.setUint32(config.tgid, filter.process ?? 0, true);
  view.setBigUint64(config.cgroup, filter.cgroup?.id ?? 0n, true);
  view.setUint32(config.cgroupLevel, filter.cgroup?.level ?? 0, true);
  view.setUint32(config.sampleRate, filter.sampleRate ?? 1, true);
  Buffer.from(filter.ifname ?? '').forEach((byte, index) => {
    view.setUint8(config.ifname + index, byte);
  });
}

/** The object file with the filter's code in it, if the filter needs any. `inPlace`: if this kernel can do it. */
export function injectFilter(
  object: Uint8Array,
  { pcap, expression }: PacketFilter,
  inPlace?: InPlace,
): Uint8Array {
  const filtered = pcap === undefined ? object : injectPcapFilter(object, pcap.code(inPlace));
  return expression === undefined ? filtered : injectFunction(filtered, 'skb_filter', expression);
}
