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
  appendStatistics,
  type EnhancedPacket,
} from './blocks.ts';
import { commentKind, encodeWord, recordingFormat, type PcapngMode } from './words.ts';

/** A packet and the interface that it belongs to. */
export interface FilePacket extends EnhancedPacket {
  /** Name of its interface; with the link type it is the interface's identity. */
  readonly interfaceName: string;
  readonly interfaceDescription: string;
  readonly linkType: number;
}

export interface AddressName {
  /** 4 or 16 bytes. */
  readonly address: Uint8Array;
  readonly name: string;
}

export interface FileSection {
  /** RangeError: the packet is too big to be written; nothing was. */
  packet(packet: FilePacket): void;
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

  function open(packet: FilePacket): Interface {
    let ofType = known.get(packet.linkType);
    if (ofType === undefined) known.set(packet.linkType, (ofType = new Map<string, Interface>()));
    const isFull = interfaces.length >= INTERFACES_MAX;
    const name = isFull ? 'other' : packet.interfaceName;
    let found = ofType.get(name);
    if (found === undefined) {
      found = { index: interfaces.length, packets: 0 };
      appendInterface(out, {
        linkType: packet.linkType,
        snaplen: 0,
        name,
        description: isFull ? 'one of too many interfaces' : packet.interfaceDescription,
      });
      ofType.set(name, found);
      interfaces.push(found);
    }
    return found;
  }

  return {
    packet(packet) {
      const at = known.get(packet.linkType)?.get(packet.interfaceName) ?? open(packet);
      appendPacket(out, at.index, packet);
      at.packets++;
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
