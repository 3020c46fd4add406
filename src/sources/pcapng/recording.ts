/**
 * A recording (pcapng in hop mode) as it comes in: bytes to packet paths. Refuses what is none before the first path, and
 * says what it is instead.
 */
import { SkbspanError } from '../../errors.ts';
import type { PacketPath } from '../../event/packet-path.ts';
import type { Statistics } from '../../event/statistics.ts';
import { blockType, optionCode } from '../../exporters/pcapng/blocks.ts';
import { key } from '../../exporters/pcapng/word-keys.ts';
import { commentKind, recordingFormat } from '../../exporters/pcapng/words.ts';
import { type Block, createBlockParser, eachOption, readComments, readPacket } from './blocks.ts';
import { createPathAssembler } from './path-assembler.ts';
import { noLosses, readRun } from './read-records.ts';
import { parseWords, Unreadable } from './read-words.ts';

export interface RecordingReader {
  /** The paths that are whole now. Throws SKBSPAN_INPUT; paths of this chunk before the damage are in `salvage`. */
  push(chunk: Uint8Array): PacketPath[];
  /** Paths that a `push` that threw had made whole. */
  salvage(): PacketPath[];
  /** To be called after the last chunk. */
  end(): void;
  /** The run's own, if the recording has them, and what could not be read. */
  statistics(): Statistics;
  /** Bytes behind the last whole block: the recording was cut off. */
  readonly cutOff: number;
  /** Packets that are not of skbspan. */
  readonly foreign: number;
}

/** `name` is for messages. */
export function createRecordingReader(name: string): RecordingReader {
  const parser = createBlockParser();
  const assembler = createPathAssembler();
  let isFirst = true;
  let head = Buffer.alloc(0);
  let linkTypes: number[] = [];
  let paths: PacketPath[] = [];
  let handed = 0;
  let run: Statistics | undefined;

  function visit(block: Block): void {
    switch (block.type) {
      case blockType.sectionHeader:
        checkSection(name, block.body);
        linkTypes = [];
        break;
      case blockType.interface:
        if (block.body.length < 8) throw broken('an interface of less than 8 bytes');
        linkTypes.push(block.body.readUInt16LE(0));
        break;
      case blockType.packet:
        visitPacket(block);
        break;
      case blockType.statistics:
        for (const comment of readComments(block.body, 12) ?? []) visitRun(comment);
        break;
      // Names, and what other tools may have added, say nothing about paths.
    }
  }

  function visitPacket({ bytes, from, to }: Block): void {
    const packet = readPacket(bytes, from, to);
    if (packet === undefined) throw broken('a packet whose lengths contradict each other');
    const linkType = linkTypes[packet.interface];
    if (linkType === undefined) throw broken('a packet of an interface that is not there');
    const path = assembler.add(packet, linkType);
    if (path !== undefined) paths.push(path);
  }

  function visitRun(comment: string): void {
    if (!comment.startsWith(`${commentKind.run} `)) return;
    try {
      const more = readRun(comment);
      run = run === undefined ? more : addStatistics(run, more);
    } catch (error) {
      if (!(error instanceof Unreadable)) throw error;
    }
  }

  const broken = (what: string): SkbspanError =>
    new SkbspanError('SKBSPAN_INPUT', `${name} is damaged: ${what}`);

  function take(): PacketPath[] {
    const taken = paths;
    paths = [];
    handed += taken.length;
    return taken;
  }

  return {
    get cutOff() {
      return parser.left;
    },
    get foreign() {
      return assembler.foreign;
    },
    push(chunk) {
      let bytes = chunk;
      if (isFirst) {
        bytes = head = Buffer.concat([head, chunk]);
        if (head.length < 4) return [];
        isFirst = false;
        checkMagic(name, head);
      }
      parser.push(bytes, visit);
      return take();
    },
    salvage: take,
    end() {
      if (isFirst) throw notOurs(name, head.length === 0 ? 'is empty' : 'is no pcapng');
      assembler.end();
    },
    statistics() {
      const losses = new Map(run?.losses ?? noLosses());
      losses.set('recording', (losses.get('recording') ?? 0) + assembler.broken);
      // A recording that was cut off has no statistics of its own.
      return { ...(run ?? { events: 0, lives: 0, paths: handed, drops: new Map() }), losses };
    },
  };
}

const notOurs = (name: string, what: string, advice?: string): SkbspanError =>
  new SkbspanError('SKBSPAN_INPUT', `${name} ${what}`, {
    advice: advice ?? 'Make a recording with: skbspan trace --pcapng FILE --pcapng-mode hop',
  });

const pcapMagics: readonly number[] = [0xa1b2c3d4, 0xd4c3b2a1, 0xa1b23c4d, 0x4d3cb2a1];

function checkMagic(name: string, bytes: Buffer): void {
  const magic = bytes.readUInt32LE(0);
  if (magic === blockType.sectionHeader) return;
  if (pcapMagics.includes(magic)) {
    throw notOurs(name, 'is a pcap file: it has packets, but not what the kernel did with them');
  }
  if (bytes[0] === 0x7b) throw notOurs(name, 'is JSON, not a recording');
  throw notOurs(name, 'is no pcapng');
}

function checkSection(name: string, body: Buffer): void {
  let application = '';
  const isWhole = eachOption(body, 16, body.length, (code, from, to) => {
    if (code === optionCode.sectionApplication) application = body.toString('utf8', from, to);
  });
  const comments = readComments(body, 16) ?? [];
  const ours = comments.find((comment) => comment.startsWith(`${commentKind.file} format=`));
  if (ours === undefined || !isWhole) {
    const by = application === '' ? 'by another tool' : `by '${application.slice(0, 80)}'`;
    throw notOurs(name, `is a pcapng written ${by}: it has packets, but no packet paths`);
  }
  const { format, mode } = fileWords(name, ours);
  if (format !== recordingFormat) {
    throw notOurs(
      name,
      `is a recording of format ${format}; this skbspan reads ${recordingFormat}`,
      'Convert it with the version of skbspan that wrote it.',
    );
  }
  if (mode !== 'hop') {
    throw notOurs(name, `was written in mode ${mode}: each packet once, without all of its calls`);
  }
}

function fileWords(name: string, comment: string): { format: number; mode: string } {
  try {
    const words = parseWords(comment);
    return { format: words.number(key.format), mode: words.text(key.mode) };
  } catch (error) {
    if (error instanceof Unreadable) throw notOurs(name, 'has a section header that is damaged');
    throw error;
  }
}

/** Of several runs in one file, or of several files. */
export function addStatistics(left: Statistics, right: Statistics): Statistics {
  return {
    events: left.events + right.events,
    lives: left.lives + right.lives,
    paths: left.paths + right.paths,
    drops: addCounts(left.drops, right.drops),
    losses: addCounts(left.losses, right.losses),
  };
}

function addCounts<Key>(
  left: ReadonlyMap<Key, number>,
  right: ReadonlyMap<Key, number>,
): Map<Key, number> {
  const sum = new Map(left);
  for (const [key, count] of right) sum.set(key, (sum.get(key) ?? 0) + count);
  return sum;
}
