/**
 * Takes pcapng apart (grammar: src/exporters/pcapng/blocks.ts), strictly: every length is checked before it is used, and
 * what contradicts itself is an error that says where. Little-endian only, as skbspan and every tool on x86-64 and arm64
 * writes it.
 */
import { SkbspanError } from '../../errors.ts';
import { blockType, byteOrderMagic, optionCode } from '../../exporters/pcapng/blocks.ts';

/** Good until `visit` returns. */
export interface Block {
  readonly type: number;
  /** What it is a part of ... */
  readonly bytes: Buffer;
  /** ... from here, behind type and length ... */
  readonly from: number;
  /** ... to here, before the second length. */
  readonly to: number;
  /** The same as a buffer; its memory is used again. */
  readonly body: Buffer;
}

export interface BlockParser {
  /** Hands each whole block to `visit`; throws SKBSPAN_INPUT at the first byte that makes no sense. */
  push(chunk: Uint8Array, visit: (block: Block) => void): void;
  /** Bytes of a block that was not finished. */
  readonly left: number;
}

/** Nobody writes bigger ones; a length that says so is damage. */
const BLOCK_BYTES_MAX = 16 * 1024 * 1024;
const BLOCK_BYTES_MIN = 12;
const SWAPPED_MAGIC = 0x4d3c2b1a;

// Buffer's own readers check what has been checked.
const u16At = (bytes: Uint8Array, at: number): number =>
  (bytes[at] ?? 0) | ((bytes[at + 1] ?? 0) << 8);
const u32At = (bytes: Uint8Array, at: number): number =>
  (u16At(bytes, at) | (u16At(bytes, at + 2) << 16)) >>> 0;

export const damaged = (what: string, offset: number): SkbspanError =>
  new SkbspanError('SKBSPAN_INPUT', `damaged at byte ${offset}: ${what}`, {
    advice: 'What stands before that was read. `capinfos` and `tshark -r` may tell more.',
  });

class BlockPart implements Block {
  type = 0;
  bytes: Buffer;
  from = 0;
  to = 0;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  get body(): Buffer {
    return this.bytes.subarray(this.from, this.to);
  }
}

export function createBlockParser(): BlockParser {
  /** The same memory for all chunks; in front the bytes of a block that was not finished. */
  let memory = Buffer.alloc(0);
  let left = 0;
  let offset = 0;
  let isFirst = true;

  function lengthAt(bytes: Buffer, at: number): number {
    const type = u32At(bytes, at);
    const length = u32At(bytes, at + 4);
    if (isFirst && type !== blockType.sectionHeader) throw damaged('no section header', offset);
    if (type === blockType.sectionHeader && u32At(bytes, at + 8) !== byteOrderMagic) {
      const isSwapped = u32At(bytes, at + 8) === SWAPPED_MAGIC;
      throw damaged(isSwapped ? 'big-endian, which skbspan never writes' : 'no byte order', offset);
    }
    if (length < BLOCK_BYTES_MIN || length > BLOCK_BYTES_MAX || (length & 3) !== 0) {
      throw damaged(`a block of ${length} bytes`, offset);
    }
    return length;
  }

  return {
    get left() {
      return left;
    },
    push(chunk, visit) {
      const end = left + chunk.length;
      if (end > memory.length) {
        const bigger = Buffer.alloc(Math.max(end, 2 * left));
        memory.copy(bigger, 0, 0, left);
        memory = bigger;
      }
      memory.set(chunk, left);
      const block = new BlockPart(memory);
      let at = 0;
      while (at + BLOCK_BYTES_MIN <= end) {
        const length = lengthAt(memory, at);
        if (at + length > end) break;
        if (u32At(memory, at + length - 4) !== length) {
          throw damaged('the two lengths of a block differ', offset);
        }
        isFirst = false;
        block.type = u32At(memory, at);
        block.from = at + 8;
        block.to = at + length - 4;
        visit(block);
        at += length;
        offset += length;
      }
      memory.copyWithin(0, at, end);
      left = end - at;
    },
  };
}

/** Calls `visit` for each option of the list from `at` to `end`; false: the list makes no sense. */
export function eachOption(
  bytes: Uint8Array,
  at: number,
  end: number,
  visit: (code: number, from: number, to: number) => void,
): boolean {
  while (at + 4 <= end) {
    const code = u16At(bytes, at);
    const length = u16At(bytes, at + 2);
    if (code === optionCode.end) return length === 0;
    const from = at + 4;
    if (from + length > end) return false;
    visit(code, from, from + length);
    at = from + ((length + 3) & ~3);
  }
  // A list without options needs no end.
  return at === end;
}

/** An EPB: where its parts are in `bytes`. */
class PacketParts {
  readonly interface: number;
  readonly bytes: Buffer;
  /** The packet's bytes are those from here ... */
  readonly dataAt: number;
  /** ... as many as this. */
  readonly captured: number;
  /** Of each comment where it begins and where it ends, one after the other. */
  readonly spans: readonly number[];

  constructor(
    at: number,
    bytes: Buffer,
    dataAt: number,
    captured: number,
    spans: readonly number[],
  ) {
    this.interface = at;
    this.bytes = bytes;
    this.dataAt = dataAt;
    this.captured = captured;
    this.spans = spans;
  }

  get comments(): string[] {
    return textsOf(this.bytes, this.spans);
  }
}

export type ReadPacket = PacketParts;

const PACKET_HEAD_BYTES = 20;

/** The EPB from `from` to `end`; undefined: its lengths contradict each other. */
export function readPacket(bytes: Buffer, from = 0, end = bytes.length): ReadPacket | undefined {
  const dataAt = from + PACKET_HEAD_BYTES;
  if (dataAt > end) return undefined;
  const captured = u32At(bytes, from + 12);
  if (captured > end - dataAt) return undefined;
  const options = dataAt + ((captured + 3) & ~3);
  if (options > end) return undefined;
  const spans = commentSpans(bytes, options, end);
  if (spans === undefined) return undefined;
  return new PacketParts(u32At(bytes, from), bytes, dataAt, captured, spans);
}

function commentSpans(bytes: Buffer, at: number, end: number): number[] | undefined {
  const spans: number[] = [];
  const isWhole = eachOption(bytes, at, end, (code, from, to) => {
    if (code === optionCode.comment) spans.push(from, to);
  });
  return isWhole ? spans : undefined;
}

function textsOf(bytes: Buffer, spans: readonly number[]): string[] {
  const texts: string[] = [];
  for (let at = 0; at < spans.length; at += 2) {
    texts.push(bytes.toString('utf8', spans[at], spans[at + 1]));
  }
  return texts;
}

/** The comments of the option list at `at`; undefined: the list makes no sense. */
export function readComments(body: Buffer, at: number): string[] | undefined {
  const spans = commentSpans(body, at, body.length);
  return spans === undefined ? undefined : textsOf(body, spans);
}
