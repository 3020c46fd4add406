/**
 * Raw records as 32-bit words: where the members that the hot path needs stand, and what makes bytes a record at all.
 *
 * Records are little-endian, as is every machine we run on, and begin 4-byte aligned, so a member of 32 bits is one load
 * from a Uint32Array, and a u64 is two halves; a bigint is only made where a value leaves the collector.
 */

import {
  conntrackEvent,
  detailEvent,
  deviceEvent,
  dropEvent,
  enterEvent,
  eventHeader,
  eventKind,
  exitEvent,
  freeEvent,
  linkEvent,
  packetEvent,
  ruleEvent,
  socketEvent,
  taskEvent,
} from '../event/layout.ts';

/** Word index, from a record's start, of members that stand in every record. The high half of a u64 is one further. */
export const headerWord = {
  time: eventHeader.timeNs >> 2,
  life: eventHeader.life >> 2,
  seq: eventHeader.seq >> 2,
  probe: eventHeader.probe >> 2,
  tid: eventHeader.tid >> 2,
  /** cpu, kind and flags share a word: see cpuOf, kindOf and flagsOf. */
  packed: eventHeader.cpu >> 2,
} as const;

const KIND_SHIFT = (eventHeader.kind & 3) * 8;
const FLAGS_SHIFT = (eventHeader.flags & 3) * 8;
const CPU_SHIFT = (eventHeader.cpu & 3) * 8;

export const cpuOf = (packed: number): number => (packed >>> CPU_SHIFT) & 0xffff;
export const kindOf = (packed: number): number => (packed >>> KIND_SHIFT) & 0xff;
export const flagsOf = (packed: number): number => (packed >>> FLAGS_SHIFT) & 0xff;

/** A u64 below 2^53 from its halves: life ids (below 2^48) exactly. */
export const u53 = (high: number, low: number): number => high * 0x100000000 + low;
export const u64 = (high: number, low: number): bigint => (BigInt(high) << 32n) | BigInt(low);

const minimumBytes = new Uint16Array(256);
minimumBytes[eventKind.enter] = enterEvent.size;
minimumBytes[eventKind.exit] = exitEvent.size;
minimumBytes[eventKind.packet] = packetEvent.size;
minimumBytes[eventKind.link] = linkEvent.size;
minimumBytes[eventKind.free] = freeEvent.size;
minimumBytes[eventKind.drop] = dropEvent.size;
minimumBytes[eventKind.detail] = detailEvent.size;
minimumBytes[eventKind.task] = taskEvent.size;
minimumBytes[eventKind.device] = deviceEvent.size;
minimumBytes[eventKind.socket] = socketEvent.size;
minimumBytes[eventKind.conntrack] = conntrackEvent.size;
minimumBytes[eventKind.rule] = ruleEvent.size;

const CAPLEN_WORD = packetEvent.caplen >> 2;
const DETAIL_BYTES_WORD = detailEvent.bytes >> 2;

/** Task and device records belong to no life. */
export const isContext = (kind: number): boolean =>
  kind === eventKind.task || kind === eventKind.device;

/**
 * How many of the `byteLength` bytes at `words[at]` mean something, 0 if they are no record: too short, of unknown kind, a
 * life out of range, more captured than there is. The snap length that a packet did not fill is not counted.
 */
export function recordBytes(words: Uint32Array, at: number, byteLength: number): number {
  if (byteLength < eventHeader.size) return 0;
  const kind = kindOf(words[at + headerWord.packed] ?? 0);
  const minimum = minimumBytes[kind] ?? 0;
  if (minimum === 0 || byteLength < minimum) return 0;
  if (isContext(kind)) return minimum;
  const lifeHigh = words[at + headerWord.life + 1] ?? 0;
  if (lifeHigh > 0xffff || (lifeHigh === 0 && words[at + headerWord.life] === 0)) return 0;
  if (kind === eventKind.detail) {
    const told = words[at + DETAIL_BYTES_WORD] ?? 0;
    return told <= byteLength - detailEvent.data ? detailEvent.data + told : 0;
  }
  if (kind !== eventKind.packet) return minimum;
  const captured = words[at + CAPLEN_WORD] ?? 0;
  return captured <= byteLength - packetEvent.data ? packetEvent.data + captured : 0;
}
