import {
  closeSync,
  existsSync,
  fsyncSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { SkbspanError, UsageError } from '../../errors.ts';
import type { Headers, KafkaRecord } from './client.ts';
import {
  createFrames,
  decodeSegment,
  encodeHeader,
  type Segment,
  type SegmentHeader,
} from './spill-segment.ts';

/** A folder of records that wait for Kafka, oldest first; bounded, and one process at a time. */
export interface Spill {
  /** Bytes of files, those of earlier runs among them. */
  readonly bytes: number;
  /** Writes records at the end; gives those for which there was no room, by its bound or on the disk. */
  append<R extends KafkaRecord>(records: readonly R[]): readonly R[];
  /** Takes the oldest file to send it; undefined if there is none. Nothing is written to it any more. */
  oldest(): { readonly file: string; readonly segment: Segment } | undefined;
  /** Its records are sent or appended again. */
  remove(file: string): void;
  close(): void;
}

/** Small enough to be read at once; what is sent twice after a crash is one of these at most. */
const SEGMENT_BYTES = 4 * 1024 * 1024;
const SUFFIX = '.spill';

/** Throws UsageError or SKBSPAN_OUTPUT if the folder cannot be used. */
export function openSpill(folder: string, maxBytes: number, header: SegmentHeader): Spill {
  const unlock = lock(folder);
  /** In the order of their names, which is that of their making. */
  const files = new Map<string, number>();
  for (const name of readdirSync(folder)
    .filter((each) => each.endsWith(SUFFIX))
    .sort()) {
    const file = join(folder, name);
    files.set(file, statSync(file).size);
  }
  let bytes = [...files.values()].reduce((sum, size) => sum + size, 0);
  let active:
    | {
        readonly file: string;
        readonly descriptor: number;
        size: number;
        /** Of its last record. */
        headers: Headers;
      }
    | undefined;
  let count = 0;
  const started = Date.now();

  function endActive(): void {
    if (active === undefined) return;
    const { file, descriptor, size } = active;
    active = undefined;
    fsyncSync(descriptor);
    closeSync(descriptor);
    files.set(file, size);
  }

  function write(content: Buffer): boolean {
    if (active === undefined) return false;
    try {
      let written = 0;
      while (written < content.length)
        written += writeSync(active.descriptor, content, written, undefined, active.size + written);
      active.size += content.length;
      bytes += content.length;
      return true;
    } catch {
      // The disk is full: no half frame stays.
      ftruncateSync(active.descriptor, active.size);
      return false;
    }
  }

  function begin(): boolean {
    const name = `${started}-${process.pid}-${String(count).padStart(6, '0')}${SUFFIX}`;
    const file = join(folder, name);
    try {
      active = { file, descriptor: openSync(file, 'wx'), size: 0, headers: header.headers };
    } catch {
      return false;
    }
    count++;
    if (write(encodeHeader(header))) return true;
    closeSync(active.descriptor);
    active = undefined;
    rmSync(file, { force: true });
    return false;
  }

  return {
    get bytes() {
      return bytes;
    },
    append(records) {
      const rest: (typeof records)[number][] = [];
      const frames = createFrames(active?.headers ?? header.headers, header.headers);
      let size = 0;
      for (const record of records) {
        const more = frames.size(record);
        if (bytes + size + more > maxBytes) rest.push(record);
        else {
          frames.add(record);
          size += more;
        }
      }
      if (size === 0) return rest;
      if ((active === undefined && !begin()) || !write(frames.bytes())) return records;
      if (active !== undefined) active.headers = frames.headers;
      if (active !== undefined && active.size >= SEGMENT_BYTES) endActive();
      return rest;
    },
    oldest() {
      if (files.size === 0) endActive();
      for (const file of files.keys()) {
        const segment = decodeSegment(readFileSync(file));
        if (segment?.topic === header.topic) return { file, segment };
        // Not ours: it stays where it is, and counts.
        files.delete(file);
      }
      return undefined;
    },
    remove(file) {
      const size = files.get(file) ?? 0;
      rmSync(file, { force: true });
      if (files.delete(file)) bytes -= size;
    },
    close() {
      endActive();
      unlock();
    },
  };
}

/** One process at a time: two would send the same files. The lock of a process that is gone does not count. */
function lock(folder: string): () => void {
  const file = join(folder, 'lock');
  const take = (): void => {
    const descriptor = openSync(file, 'wx');
    writeSync(descriptor, String(process.pid));
    closeSync(descriptor);
  };
  try {
    // Not its parents: where none can be made (/proc) Node would try for ever.
    if (!existsSync(folder)) mkdirSync(folder);
    try {
      take();
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
      const owner = Number(readFileSync(file, 'utf8'));
      if (isAlive(owner)) {
        throw new UsageError(`--kafka-spill: process ${owner} uses '${folder}'.`, {
          advice: 'Give each skbspan a folder of its own.',
        });
      }
      rmSync(file);
      take();
    }
  } catch (cause) {
    if (cause instanceof SkbspanError) throw cause;
    const { code = 'unknown' } = cause as NodeJS.ErrnoException;
    throw new SkbspanError('SKBSPAN_OUTPUT', `--kafka-spill: cannot use '${folder}' (${code}).`, {
      advice: 'Give a folder that can be written to, in one that exists.',
      cause,
    });
  }
  return () => {
    rmSync(file, { force: true });
  };
}

function isAlive(pid: number): boolean {
  if (!Number.isSafeInteger(pid) || pid <= 0) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}
