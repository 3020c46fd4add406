/**
 * A batch: finished paths as raw records in one ArrayBuffer, the form in which they cross from the collector's thread, and
 * that recordings will have. Little-endian words of 32 bits; a u64 is its low half, then its high half.
 *
 *   batch    = magic "SKBP", version u16, header bytes u16, epoch offset i64, section*
 *   section  = type u32 (1 context, 2 path), body bytes u32 (a multiple of 4), body
 *   context  = record                                            a task or device; stands before all paths that need it
 *   path     = root life u64, ending u8, flags u8, 0 u16, lost u32, record*
 *   record   = bytes u32, one struct of bpf/event.h, 0..3 bytes of padding
 *
 * The epoch offset is what added to a record's CLOCK_MONOTONIC time gives nanoseconds since the Unix epoch. Flags: 1, the
 * path goes on from one that was handed out before. `lost` counts records thrown away because the path was too big.
 * Sections of a type that the reader does not know are skipped; another version is not read at all.
 */

import type { PathEnding } from '../event/packet-path.ts';
import { isContext, headerWord, kindOf, recordBytes, u53 } from './decode.ts';

const MAGIC = 0x50424b53; // "SKBP"
const VERSION = 1;
const HEADER_WORDS = 4;
const SECTION_WORDS = 2;
const PATH_WORDS = 4;
const SECTION_CONTEXT = 1;
const SECTION_PATH = 2;
const FLAG_CONTINUED = 1;

const endings = ['ended', 'idle', 'evicted', 'stopped'] as const satisfies readonly PathEnding[];

export interface BatchWriterOptions {
  /** A batch is handed over as soon as it is at least this big. */
  readonly targetBytes: number;
  /** Asked when a batch begins: nanoseconds from CLOCK_MONOTONIC to the Unix epoch. */
  readonly epochOffsetNs: () => bigint;
  readonly onBatch: (batch: ArrayBuffer) => void;
}

/** What stands before a path's records. Ids as two halves: this is written per path in the hot thread. */
export interface PathHeader {
  readonly rootLow: number;
  readonly rootHigh: number;
  readonly ending: PathEnding;
  readonly continued: boolean;
  readonly lost: number;
  /** Words of all records with their lengths. */
  readonly words: number;
}

export interface BatchWriter {
  context(words: Uint32Array, at: number, byteLength: number): void;
  /** `copyRecords` has to write `header.words` words to `target[at]` and on. */
  path(header: PathHeader, copyRecords: (target: Uint32Array, at: number) => void): void;
  /** Hands over what is there; nothing if there is nothing. */
  flush(): void;
}

export function createBatchWriter(options: BatchWriterOptions): BatchWriter {
  const capacity = Math.ceil((options.targetBytes * 5) / 4 / 4);
  let words = new Uint32Array(capacity);
  let length = 0;

  function reserve(more: number): void {
    if (length === 0) {
      const offset = BigInt.asUintN(64, options.epochOffsetNs());
      words[0] = MAGIC;
      words[1] = VERSION | ((HEADER_WORDS * 4) << 16);
      words[2] = Number(offset & 0xffffffffn);
      words[3] = Number(offset >> 32n);
      length = HEADER_WORDS;
    }
    if (length + more > words.length) {
      const bigger = new Uint32Array(Math.max(words.length * 2, length + more));
      bigger.set(words.subarray(0, length));
      words = bigger;
    }
  }

  function flush(): void {
    if (length === 0) return;
    const batch = words.buffer.slice(0, length * 4);
    length = 0;
    // Room for one huge path is not kept.
    if (words.length > 4 * capacity) words = new Uint32Array(capacity);
    options.onBatch(batch);
  }

  return {
    context(source, at, byteLength) {
      const recordWords = (byteLength + 3) >>> 2;
      reserve(SECTION_WORDS + 1 + recordWords);
      words[length++] = SECTION_CONTEXT;
      words[length++] = (1 + recordWords) * 4;
      words[length++] = byteLength;
      for (let index = 0; index < recordWords; index++) words[length++] = source[at + index] ?? 0;
      if (length * 4 >= options.targetBytes) flush();
    },

    path(header, copyRecords) {
      reserve(SECTION_WORDS + PATH_WORDS + header.words);
      words[length++] = SECTION_PATH;
      words[length++] = (PATH_WORDS + header.words) * 4;
      words[length++] = header.rootLow;
      words[length++] = header.rootHigh;
      words[length++] =
        endings.indexOf(header.ending) | (header.continued ? FLAG_CONTINUED << 8 : 0);
      words[length++] = header.lost;
      copyRecords(words, length);
      length += header.words;
      if (length * 4 >= options.targetBytes) flush();
    },

    flush,
  };
}

/** A path as it stands in a batch. */
export interface RawPath {
  readonly root: number;
  readonly ending: PathEnding;
  readonly continued: boolean;
  readonly lost: number;
  readonly words: Uint32Array;
  /** Word index of each record that can be decoded, in order; all members of its kind lie inside of `words`. */
  readonly records: readonly number[];
}

export interface BatchVisitor {
  /** Called before any path is read. */
  begin(epochOffsetNs: bigint): void;
  context(words: Uint32Array, at: number): void;
  path(path: RawPath): void;
}

/**
 * Reads a batch; returns how many records or sections could not be made sense of. Never throws whatever the bytes are:
 * what stands before the damage is handed out.
 */
export function readBatch(batch: ArrayBuffer, visitor: BatchVisitor): number {
  const words = new Uint32Array(batch, 0, batch.byteLength >>> 2);
  const [magic, version = 0, offsetLow = 0, offsetHigh = 0] = words;
  const headerWords = version >>> 18;
  const isReadable = magic === MAGIC && (version & 0xffff) === VERSION;
  if (!isReadable || headerWords < HEADER_WORDS || headerWords > words.length) return 1;
  visitor.begin(BigInt.asIntN(64, (BigInt(offsetHigh) << 32n) | BigInt(offsetLow)));

  let undecodable = 0;
  let at = headerWords;
  while (at < words.length) {
    const type = words[at];
    const bytes = words[at + 1] ?? 0;
    const body = at + SECTION_WORDS;
    const end = body + (bytes >>> 2);
    if (end > words.length || (bytes & 3) !== 0) return undecodable + 1;
    if (type === SECTION_CONTEXT) {
      const { records, broken } = readRecords(words, body, end);
      undecodable += broken;
      for (const record of records) {
        if (isContext(kindOf(words[record + headerWord.packed] ?? 0)))
          visitor.context(words, record);
        else undecodable++;
      }
    } else if (type === SECTION_PATH) {
      const path = readPath(words, body, end);
      if (path === undefined) undecodable++;
      else {
        undecodable += path.broken;
        visitor.path(path);
      }
    }
    at = end;
  }
  return undecodable + ((batch.byteLength & 3) === 0 ? 0 : 1);
}

function readPath(
  words: Uint32Array,
  body: number,
  end: number,
): (RawPath & { broken: number }) | undefined {
  const packed = words[body + 2] ?? 0;
  const ending = endings[packed & 0xff];
  if (end - body < PATH_WORDS || ending === undefined) return undefined;
  const { records, broken } = readRecords(words, body + PATH_WORDS, end);
  return {
    root: u53((words[body + 1] ?? 0) & 0x1fffff, words[body] ?? 0),
    ending,
    continued: ((packed >>> 8) & FLAG_CONTINUED) !== 0,
    lost: words[body + 3] ?? 0,
    words,
    records,
    broken,
  };
}

function readRecords(
  words: Uint32Array,
  from: number,
  end: number,
): { records: number[]; broken: number } {
  const records: number[] = [];
  let broken = 0;
  let at = from;
  while (at < end) {
    const byteLength = words[at] ?? 0;
    const record = at + 1;
    const next = record + Math.ceil(byteLength / 4);
    // A length that leads out of the section: nothing behind it can be found any more.
    if (next > end) return { records, broken: broken + 1 };
    if (recordBytes(words, record, byteLength) === 0) broken++;
    else records.push(record);
    at = next;
  }
  return { records, broken };
}
