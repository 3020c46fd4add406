/**
 * One file of a spill:
 *
 *   segment = header frame*
 *   header  = JSON of SegmentHeader, "\n"
 *   frame   = length keyLength crc key value
 *   length, keyLength, crc = u32 little endian; length of key and value together, CRC-32 of both
 *
 * A frame that is cut off (a crash, a full disk) or whose CRC is wrong ends the segment; what came before it is good.
 */
import { crc32 } from 'node:zlib';
import type { Headers, KafkaRecord } from './client.ts';

export interface SegmentHeader {
  readonly skbspan_spill: 1;
  readonly topic: string;
  /** Those of the records: their boot may be an earlier one. */
  readonly headers: Headers;
}

const FRAME_HEADER = 12;
const NEWLINE = 10;

export const frameSize = ({ key, value }: KafkaRecord): number =>
  FRAME_HEADER + key.length + value.length;

export const encodeHeader = (header: SegmentHeader): Buffer =>
  Buffer.from(`${JSON.stringify(header)}\n`);

export function encodeFrames(records: readonly KafkaRecord[]): Buffer {
  const bytes = Buffer.allocUnsafe(records.reduce((sum, record) => sum + frameSize(record), 0));
  let at = 0;
  for (const { key, value } of records) {
    const length = key.length + value.length;
    const body = at + FRAME_HEADER;
    bytes.set(key, body);
    bytes.set(value, body + key.length);
    bytes.writeUInt32LE(length, at);
    bytes.writeUInt32LE(key.length, at + 4);
    bytes.writeUInt32LE(crc32(bytes.subarray(body, body + length)), at + 8);
    at = body + length;
  }
  return bytes;
}

export interface Segment {
  readonly topic: string;
  readonly records: readonly KafkaRecord[];
  /** Bytes at the end that are no whole frame. */
  readonly torn: number;
}

/** undefined: the file is no segment. */
export function decodeSegment(bytes: Buffer): Segment | undefined {
  const newline = bytes.indexOf(NEWLINE);
  const header = newline < 0 ? undefined : parseHeader(bytes.toString('utf8', 0, newline));
  if (header === undefined) return undefined;
  const records: KafkaRecord[] = [];
  let at = newline + 1;
  while (bytes.length - at >= FRAME_HEADER) {
    const length = bytes.readUInt32LE(at);
    const keyLength = bytes.readUInt32LE(at + 4);
    const body = at + FRAME_HEADER;
    const end = body + length;
    if (end > bytes.length || keyLength > length) break;
    if (crc32(bytes.subarray(body, end)) !== bytes.readUInt32LE(at + 8)) break;
    records.push({
      key: bytes.subarray(body, body + keyLength),
      value: bytes.subarray(body + keyLength, end),
      headers: header.headers,
    });
    at = end;
  }
  return { topic: header.topic, records, torn: bytes.length - at };
}

function parseHeader(text: string): SegmentHeader | undefined {
  try {
    const header = JSON.parse(text) as Partial<SegmentHeader>;
    return header.skbspan_spill === 1 ? (header as SegmentHeader) : undefined;
  } catch {
    return undefined;
  }
}
