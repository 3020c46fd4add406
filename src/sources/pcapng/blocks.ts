/**
 * Takes pcapng apart (grammar: src/exporters/pcapng/blocks.ts), strictly: every length is checked before it is used, and
 * what contradicts itself is an error that says where. Little-endian only, as skbspan and every tool on x86-64 and arm64
 * writes it.
 */
import { SkbspanError } from '../../errors.ts';
import { blockType, byteOrderMagic, optionCode } from '../../exporters/pcapng/blocks.ts';

export interface Block {
  readonly type: number;
  /** Without type and lengths; a part of what was pushed, not a copy where that can be. */
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

export const damaged = (what: string, offset: number): SkbspanError =>
  new SkbspanError('SKBSPAN_INPUT', `damaged at byte ${offset}: ${what}`, {
    advice: 'What stands before that was read. `capinfos` and `tshark -r` may tell more.',
  });

export function createBlockParser(): BlockParser {
  let rest: Buffer = Buffer.alloc(0);
  let offset = 0;
  let isFirst = true;

  function lengthAt(bytes: Buffer, at: number): number {
    const type = bytes.readUInt32LE(at);
    const length = bytes.readUInt32LE(at + 4);
    if (isFirst && type !== blockType.sectionHeader) throw damaged('no section header', offset);
    if (type === blockType.sectionHeader && bytes.readUInt32LE(at + 8) !== byteOrderMagic) {
      const isSwapped = bytes.readUInt32LE(at + 8) === SWAPPED_MAGIC;
      throw damaged(isSwapped ? 'big-endian, which skbspan never writes' : 'no byte order', offset);
    }
    if (length < BLOCK_BYTES_MIN || length > BLOCK_BYTES_MAX || (length & 3) !== 0) {
      throw damaged(`a block of ${length} bytes`, offset);
    }
    return length;
  }

  return {
    get left() {
      return rest.length;
    },
    push(chunk, visit) {
      const more = Buffer.from(chunk.buffer, chunk.byteOffset, chunk.byteLength);
      const bytes = rest.length === 0 ? more : Buffer.concat([rest, more]);
      let at = 0;
      while (at + BLOCK_BYTES_MIN <= bytes.length) {
        const length = lengthAt(bytes, at);
        if (at + length > bytes.length) break;
        if (bytes.readUInt32LE(at + length - 4) !== length) {
          throw damaged('the two lengths of a block differ', offset);
        }
        isFirst = false;
        visit({
          type: bytes.readUInt32LE(at),
          body: bytes.subarray(at + 8, at + length - 4),
        });
        at += length;
        offset += length;
      }
      rest = at === 0 ? bytes : Buffer.from(bytes.subarray(at));
    },
  };
}

/** Calls `visit` for each option of the list at `at`; false: the list makes no sense. */
export function eachOption(
  body: Buffer,
  at: number,
  visit: (code: number, from: number, to: number) => void,
): boolean {
  while (at + 4 <= body.length) {
    const code = body.readUInt16LE(at);
    const length = body.readUInt16LE(at + 2);
    if (code === optionCode.end) return length === 0;
    const from = at + 4;
    if (from + length > body.length) return false;
    visit(code, from, from + length);
    at = from + ((length + 3) & ~3);
  }
  // A list without options needs no end.
  return at === body.length;
}

export interface ReadPacket {
  readonly interface: number;
  readonly body: Buffer;
  /** How many bytes of the packet there are: packetData. */
  readonly captured: number;
  readonly comments: readonly string[];
}

const PACKET_HEAD_BYTES = 20;

/** An EPB; undefined: its lengths contradict each other. */
export function readPacket(body: Buffer): ReadPacket | undefined {
  if (body.length < PACKET_HEAD_BYTES) return undefined;
  const captured = body.readUInt32LE(12);
  if (captured > body.length - PACKET_HEAD_BYTES) return undefined;
  const options = PACKET_HEAD_BYTES + ((captured + 3) & ~3);
  if (options > body.length) return undefined;
  const comments = readComments(body, options);
  return comments === undefined
    ? undefined
    : {
        interface: body.readUInt32LE(0),
        body,
        captured,
        comments,
      };
}

/** The packet's bytes, not copied. */
export const packetData = ({ body, captured }: ReadPacket): Buffer =>
  body.subarray(PACKET_HEAD_BYTES, PACKET_HEAD_BYTES + captured);

/** The comments of the option list at `at`; undefined: the list makes no sense. */
export function readComments(body: Buffer, at: number): string[] | undefined {
  const comments: string[] = [];
  const isWhole = eachOption(body, at, (code, from, to) => {
    if (code === optionCode.comment) comments.push(body.toString('utf8', from, to));
  });
  return isWhole ? comments : undefined;
}
