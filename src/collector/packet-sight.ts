/** A packet record as exporters see it. */

import { packetEvent } from '../event/layout.ts';
import type { PacketSight } from '../event/packet-path.ts';
import type { ContextTable } from './context-table.ts';
import { headerWord } from './decode.ts';
import { parseFlow } from '../event/packet-headers.ts';
import { wideAt } from './path-records.ts';

const OFFSET_NONE = 0xffff;

/** The record at word `at`, which recordBytes has found right. `bytes` of the sight are those of the batch, not a copy. */
export function readSight(
  words: Uint32Array,
  at: number,
  offsetNs: number,
  context: ContextTable,
): PacketSight {
  const view = new DataView(words.buffer, words.byteOffset + at * 4);
  const u32 = (offset: number): number => view.getUint32(offset, true);
  const u16 = (offset: number): number => view.getUint16(offset, true);
  const caplen = u32(packetEvent.caplen);
  const bytes = new Uint8Array(words.buffer, words.byteOffset + at * 4 + packetEvent.data, caplen);
  const place = (offset: number): number | undefined => {
    const value = u16(offset);
    return value === OFFSET_NONE || value > caplen ? undefined : value;
  };
  const macOffset = place(packetEvent.macOffset);
  const networkOffset = place(packetEvent.networkOffset);
  const protocol = u16(packetEvent.protocol);
  const vlanProtocol = u16(packetEvent.vlanProto);
  const gsoSize = u16(packetEvent.gsoSize);
  return {
    offsetNs,
    seq: words[at + headerWord.seq] ?? 0,
    flow: parseFlow(bytes, { macOffset, networkOffset, protocol }),
    len: u32(packetEvent.len),
    bytes,
    macOffset,
    networkOffset,
    transportOffset: place(packetEvent.transportOffset),
    protocol,
    vlan:
      vlanProtocol === 0 ? undefined : { tci: u16(packetEvent.vlanTci), protocol: vlanProtocol },
    queue: u16(packetEvent.queueMapping),
    gso: gsoSize === 0 ? undefined : { size: gsoSize, segments: u16(packetEvent.gsoSegs) },
    hash: u32(packetEvent.hash),
    mark: u32(packetEvent.mark),
    device: context.device(u32(packetEvent.netns), u32(packetEvent.ifindex)),
    packetType: view.getUint8(packetEvent.pktType),
    socket: wideAt(words, at + (packetEvent.socket >> 2)),
  };
}
