/**
 * One file's section while it is written: interfaces get their block before their first packet, names of addresses theirs,
 * and at the end each interface's statistics. Only bytes; where they go is file-output.ts's business.
 */
import { hostname } from 'node:os';
import type { BlockBuffer } from './block-buffer.ts';
import {
  appendInterface,
  appendNames,
  appendPacket,
  appendSectionHeader,
  appendSelfWritten,
  appendStatistics,
  type EnhancedPacket,
} from './blocks.ts';
import type { PacketPath } from '../../event/packet-path.ts';
import { eachHop } from './hop-records.ts';
import { commentKind, encodeWord, recordingFormat, type PcapngMode } from './words.ts';

/** Which interface a packet belongs to. */
export interface OnInterface {
  /** With the link type it is the interface's identity. */
  readonly interfaceName: string;
  readonly linkType: number;
  /** Asked for at its first packet. */
  describeInterface(): string;
}

/** A packet and the interface that it belongs to. */
export interface FilePacket extends EnhancedPacket, Omit<OnInterface, 'describeInterface'> {
  readonly interfaceDescription: string;
}

export interface AddressName {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly name: string;
}

export interface FileSection {
  /** RangeError: the packet is too big to be written; nothing was. */
  packet(packet: FilePacket): void;
  /** All records of a path, as hop mode has them; how many. RangeError: one is too big to be written; none was. */
  hops(path: PacketPath): number;
  name(entry: AddressName): void;
  /** Statistics of every interface at `time`; `run` goes to the first one. */
  end(time: bigint, run: RunNotes): void;
}

export interface RunNotes {
  readonly comments: readonly string[];
  /** Everything that was lost, added up; undefined: not known. */
  readonly lost: bigint | undefined;
}

export interface FileSectionOptions {
  readonly mode: PcapngMode;
  /** Of skbspan. */
  readonly version: string;
  /** `Linux 6.12.1`; where the packets were seen. */
  readonly os: string;
  readonly hardware: string;
}

interface Interface {
  readonly index: number;
  readonly name: string;
  readonly linkType: number;
  packets: number;
}

/** Functions and devices there are a few thousand of; beyond this a file says no more which it was. */
const INTERFACES_MAX = 60_000;

export function createFileSection(out: BlockBuffer, options: FileSectionOptions): FileSection {
  const interfaces: Interface[] = [];
  /** By link type, then by name: a lookup per packet. */
  const known = new Map<number, Map<string, Interface>>();

  appendSectionHeader(out, {
    hardware: options.hardware,
    os: options.os,
    application: `skbspan ${options.version}`,
    comments: [
      `${commentKind.file} format=${recordingFormat} mode=${options.mode} host=${encodeWord(hostname())}`,
    ],
  });

  function open(linkType: number, interfaceName: string, describe: () => string): Interface {
    let ofType = known.get(linkType);
    if (ofType === undefined) known.set(linkType, (ofType = new Map<string, Interface>()));
    const isFull = interfaces.length >= INTERFACES_MAX;
    const name = isFull ? 'other' : interfaceName;
    let found = ofType.get(name);
    if (found === undefined) {
      found = { index: interfaces.length, name, linkType, packets: 0 };
      const description = isFull ? 'one of too many interfaces' : describe();
      appendInterface(out, { linkType, snaplen: 0, name, description });
      ofType.set(name, found);
      interfaces.push(found);
    }
    return found;
  }

  /** Takes the interfaces from `count` on for never seen: their blocks were taken back. */
  function close(count: number): void {
    for (const { linkType, name } of interfaces.splice(count)) known.get(linkType)?.delete(name);
  }

  return {
    packet(packet) {
      const at =
        known.get(packet.linkType)?.get(packet.interfaceName) ??
        open(packet.linkType, packet.interfaceName, () => packet.interfaceDescription);
      appendPacket(out, at.index, packet);
      at.packets++;
    },
    hops(path) {
      const start = out.length;
      const before = interfaces.length;
      const written: Interface[] = [];
      try {
        eachHop(path, (record) => {
          const at =
            known.get(record.linkType)?.get(record.interfaceName) ??
            open(record.linkType, record.interfaceName, () => record.describeInterface());
          appendSelfWritten(out, at.index, record);
          written.push(at);
        });
      } catch (error) {
        out.truncate(start);
        close(before);
        throw error;
      }
      for (const at of written) at.packets++;
      return written.length;
    },
    name(entry) {
      appendNames(out, [entry]);
    },
    end(time, { comments, lost }) {
      for (const { index, packets } of interfaces) {
        const isFirst = index === 0;
        appendStatistics(out, {
          interface: index,
          time,
          received: BigInt(packets),
          delivered: BigInt(packets),
          ...(isFirst ? { comments } : {}),
          ...(isFirst && lost !== undefined ? { osDropped: lost } : {}),
        });
      }
    },
  };
}
