/**
 * Writes pcapng while packets come: blocks gather in memory and leave in whole blocks only, so that a file can be read at
 * any moment, and after a crash up to its last block. One file after the other if asked for.
 */
import { arch, release } from 'node:os';
import type { Writable } from 'node:stream';
import type { PacketPath } from '../../event/packet-path.ts';
import { createBlockBuffer } from './block-buffer.ts';
import {
  type FileOutput,
  numberedFile,
  openFile,
  removeFile,
  type Rotation,
  streamOutput,
} from './file-output.ts';
import {
  type AddressName,
  createFileSection,
  type FilePacket,
  type FileSection,
  type RunNotes,
} from './file-section.ts';
import type { PcapngMode } from './words.ts';

export interface PcapngWriterOptions {
  /** Path of a file, which is made or overwritten; or a stream, which belongs to the caller and is not ended. */
  readonly output: string | Writable;
  readonly mode: PcapngMode;
  /** Of skbspan. */
  readonly version: string;
  readonly rotation?: Rotation | undefined;
}

export interface PcapngWriter {
  /** Opens the first file and writes its head. Throws SKBSPAN_OUTPUT. */
  open(): Promise<void>;
  /** To memory. RangeError: too big to be written; nothing was. */
  packet(packet: FilePacket): void;
  /** The same for all records of a path, in hop mode. */
  hops(path: PacketPath): void;
  /** To memory, once per address and file. */
  name(entry: AddressName): void;
  /** Call it before each path: writes out what has gathered, begins the next file if it is time. Throws SKBSPAN_OUTPUT. */
  settle(): Promise<void>;
  /** Everything gathered goes out. Throws SKBSPAN_OUTPUT. */
  flush(): Promise<void>;
  /** Ends the last file with the run's notes. Throws SKBSPAN_OUTPUT. */
  close(run: RunNotes): Promise<void>;
}

/** Memory that is written out at once. */
const GATHER_BYTES = 1024 * 1024;
/** A compressor is made to let go what it holds at most this often: each time costs some of its gain. */
const COMPRESSOR_FLUSH_MS = 1000;
const NAMES_MAX = 4096;

const nothingToSay: RunNotes = { comments: [], lost: undefined };

export function createPcapngWriter(options: PcapngWriterOptions): PcapngWriter {
  const { output, rotation, mode, version } = options;
  const out = createBlockBuffer(2 * GATHER_BYTES);
  const kept: string[] = [];
  const names = new Set<string>();
  let number = 0;
  let file: FileOutput | undefined;
  let section: FileSection | undefined;
  let packets = 0;
  let openedAt = 0;
  let flushedAt = 0;
  let waiting = 0;

  async function begin(): Promise<void> {
    if (typeof output !== 'string') file = streamOutput(output, 'the pcapng output');
    else {
      const path = rotation === undefined ? output : numberedFile(output, ++number);
      file = await openFile(path);
      kept.push(path);
    }
    names.clear();
    packets = 0;
    openedAt = performance.now();
    section = createFileSection(out, {
      mode,
      version,
      os: `Linux ${release()}`,
      hardware: arch(),
    });
    await flush();
  }

  async function flush(): Promise<void> {
    if (file === undefined) return;
    if (out.length > 0) {
      waiting = 0;
      await file.write(out.take());
    }
    const now = performance.now();
    if (now - flushedAt < COMPRESSOR_FLUSH_MS) return;
    flushedAt = now;
    await file.flush();
  }

  async function end(run: RunNotes): Promise<void> {
    if (file === undefined) return;
    const ending = file;
    file = undefined;
    try {
      section?.end(BigInt(Date.now()) * 1_000_000n, run);
      if (out.length > 0) await ending.write(out.take());
    } finally {
      await ending.close();
    }
  }

  const isDue = ({ bytes, milliseconds, packets: most }: Rotation): boolean =>
    (bytes !== undefined && (file?.bytesWritten ?? 0) + waiting >= bytes) ||
    (milliseconds !== undefined && performance.now() - openedAt >= milliseconds) ||
    (most !== undefined && packets >= most);

  return {
    open: begin,
    packet(packet) {
      if (section === undefined) throw new RangeError('pcapng: not open');
      section.packet(packet);
      packets++;
    },
    hops(path) {
      if (section === undefined) throw new RangeError('pcapng: not open');
      packets += section.hops(path);
    },
    name(entry) {
      const key = Buffer.from(entry.address).toString('hex');
      if (section === undefined || names.has(key) || names.size >= NAMES_MAX) return;
      names.add(key);
      section.name(entry);
    },
    async settle() {
      // A compressor makes less of what waits; how much less is only known once it has gone through.
      waiting = typeof output === 'string' && /\.(gz|zst)$/.test(output) ? 0 : out.length;
      if (out.length >= GATHER_BYTES) await flush();
      if (rotation === undefined || packets === 0 || !isDue(rotation)) return;
      await end(nothingToSay);
      await begin();
      const most = rotation.files ?? Infinity;
      while (kept.length > most) await removeFile(kept.shift() ?? '');
    },
    flush,
    close: end,
  };
}
