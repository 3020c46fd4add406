/**
 * One file of a spill:
 *
 *   segment = header frame*
 *   header  = JSON of SegmentHeader, "\n"
 *   frame   = record | headers
 *   record  = length keyLength crc key value
 *   headers = length 0xffffffff crc text      ; Kafka headers of the records after it, as JSON
 *   length, keyLength, crc = u32 little endian; length of what stands behind the crc, CRC-32 of it
 *
 * A frame that is cut off (a crash, a full disk) or whose CRC is wrong ends the segment; what came before it is good.
 * Version 1 had no headers frames.
 */
import { crc32 } from 'node:zlib';
import type { Headers, KafkaRecord } from './client.ts';

export interface SegmentHeader {
  readonly skbspan_spill: 1 | 2;
  readonly topic: string;
  /** Those of the records up to the first headers frame: their boot may be an earlier one. */
  readonly headers: Headers;
}

const FRAME_HEADER = 12;
const NEWLINE = 10;
/** No key is as long as that. */
const HEADERS = 0xffff_ffff;

export const encodeHeader = (header: SegmentHeader): Buffer =>
  Buffer.from(`${JSON.stringify(header)}\n`);

const isSame = (one: Headers, other: Headers): boolean =>
  one === other || JSON.stringify(one) === JSON.stringify(other);

/** Makes a file's frames, one after the other. */
export interface Frames {
  /** Bytes of a record's frame if it is the next, that of its headers included. */
  size(record: KafkaRecord): number;
  add(record: KafkaRecord): void;
  /** All that were added. */
  bytes(): Buffer;
  /** Headers of the last one: what the file's next record is compared with. */
  readonly headers: Headers;
}

/** `before`: the headers in force at the end of the file; `own`: of records that have none. */
export function createFrames(before: Headers, own: Headers): Frames {
  const parts: Buffer[] = [];
  let headers = before;

  const headersText = (of: Headers): Buffer | undefined =>
    isSame(of, headers) ? undefined : Buffer.from(JSON.stringify(of));

  function frame(keyLength: number, body: readonly Buffer[]): void {
    const head = Buffer.alloc(FRAME_HEADER);
    head.writeUInt32LE(
      body.reduce((sum, { length }) => sum + length, 0),
      0,
    );
    head.writeUInt32LE(keyLength, 4);
    head.writeUInt32LE(
      body.reduce((sum, part) => crc32(part, sum), 0),
      8,
    );
    parts.push(head, ...body);
  }

  return {
    get headers() {
      return headers;
    },
    size({ key, value, headers: of = own }) {
      const more = headersText(of);
      const extra = more === undefined ? 0 : FRAME_HEADER + more.length;
      return extra + FRAME_HEADER + key.length + value.length;
    },
    add({ key, value, headers: of = own }) {
      const more = headersText(of);
      if (more !== undefined) frame(HEADERS, [more]);
      headers = of;
      frame(key.length, [key, value]);
    },
    bytes: () => Buffer.concat(parts),
  };
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
  let { headers } = header;
  let at = newline + 1;
  while (bytes.length - at >= FRAME_HEADER) {
    const length = bytes.readUInt32LE(at);
    const keyLength = bytes.readUInt32LE(at + 4);
    const body = at + FRAME_HEADER;
    const end = body + length;
    const isHeaders = keyLength === HEADERS;
    if (end > bytes.length || (keyLength > length && !isHeaders)) break;
    if (crc32(bytes.subarray(body, end)) !== bytes.readUInt32LE(at + 8)) break;
    if (isHeaders) headers = JSON.parse(bytes.toString('utf8', body, end)) as Headers;
    else
      records.push({
        key: bytes.subarray(body, body + keyLength),
        value: bytes.subarray(body + keyLength, end),
        headers,
      });
    at = end;
  }
  return { topic: header.topic, records, torn: bytes.length - at };
}

function parseHeader(text: string): SegmentHeader | undefined {
  try {
    const header = JSON.parse(text) as { readonly skbspan_spill?: unknown };
    return header.skbspan_spill === 1 || header.skbspan_spill === 2
      ? (header as SegmentHeader)
      : undefined;
  } catch {
    return undefined;
  }
}
