import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
import { Duplex, type Readable } from 'node:stream';
import { constants, createGunzip, createZstdDecompress } from 'node:zlib';
import { SkbspanError } from '../../errors.ts';
import type { PacketPath } from '../../event/packet-path.ts';
import type { PathSource } from '../../event/source.ts';
import type { Statistics } from '../../event/statistics.ts';
import { noLosses } from './read-records.ts';
import { addStatistics, createRecordingReader, type RecordingReader } from './recording.ts';

export interface PcapngSourceOptions {
  /** Paths of files, read one after the other. Compressed ones are known by their content. */
  readonly files: readonly string[];
  /** What the file `-` stands for. */
  readonly stdin: Readable;
  /** A file was cut off or has packets of others in it; must not throw. */
  readonly onNotice: (message: string) => void;
}

const nothing: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: noLosses(),
};

/**
 * Packet paths out of recordings: pcapng files of hop mode. `open` throws SKBSPAN_INPUT if one of the files cannot be
 * opened; `paths` if one is no recording, or, after what stands before it, at damage.
 */
export function createPcapngSource(options: PcapngSourceOptions): PathSource {
  const { files, stdin, onNotice } = options;
  let total = nothing;
  let reading: Readable | undefined;
  /** Of the file that is being read. */
  let current: RecordingReader | undefined;

  async function* readFile(file: string): AsyncGenerator<readonly PacketPath[]> {
    const name = file === '-' ? 'standard input' : file;
    const reader = createRecordingReader(name);
    current = reader;
    reading = await decompressed(
      file === '-' ? stdin : createReadStream(file, { highWaterMark: CHUNK_BYTES }),
      name,
    );
    try {
      for await (const chunk of reading) {
        const paths = reader.push(chunk as Uint8Array);
        if (paths.length > 0) yield paths;
      }
      reader.end();
    } catch (cause) {
      const paths = reader.salvage();
      if (paths.length > 0) yield paths;
      throw inputError(name, cause);
    } finally {
      current = undefined;
      total = addStatistics(total, reader.statistics());
    }
    if (reader.cutOff > 0)
      onNotice(`${name} was cut off: its last ${reader.cutOff} bytes are no whole block`);
    if (reader.foreign > 0) onNotice(`${name}: ${reader.foreign} packets are not of skbspan`);
  }

  return {
    name: files.join(', '),
    async open() {
      for (const file of files) {
        if (file === '-') continue;
        try {
          await (await open(file, 'r')).close();
        } catch (cause) {
          throw inputError(file, cause);
        }
      }
    },
    async *paths() {
      for (const file of files) yield* readFile(file);
    },
    statistics: () => (current === undefined ? total : addStatistics(total, current.statistics())),
    close() {
      reading?.destroy();
      return Promise.resolve();
    },
  };
}

const CHUNK_BYTES = 256 * 1024;
const GZIP_MAGIC = 0x8b1f;
const ZSTD_MAGIC = 0xfd2fb528;

/** What is compressed is opened up. One that was cut off gives what there is. */
async function decompressed(stream: Readable, name: string): Promise<Readable> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Buffer>;
  const first = await nextChunk(chunks, name);
  const head = first ?? Buffer.alloc(0);
  async function* all(): AsyncGenerator<Buffer> {
    if (first === undefined) return;
    yield first;
    for (let next = await chunks.next(); next.done !== true; next = await chunks.next()) {
      yield next.value;
    }
  }
  const isGzip = head.length >= 2 && head.readUInt16LE(0) === GZIP_MAGIC;
  const isZstd = head.length >= 4 && head.readUInt32LE(0) === ZSTD_MAGIC;
  const opener = isGzip
    ? createGunzip({ finishFlush: constants.Z_SYNC_FLUSH, chunkSize: CHUNK_BYTES })
    : isZstd
      ? createZstdDecompress({ finishFlush: constants.ZSTD_e_flush, chunkSize: CHUNK_BYTES })
      : undefined;
  return opener === undefined ? Duplex.from(all()) : compose(all(), opener);
}

function compose(chunks: AsyncIterable<Buffer>, opener: Duplex): Readable {
  const source = Duplex.from(chunks);
  source.on('error', (error) => opener.destroy(error));
  return source.pipe(opener);
}

async function nextChunk(chunks: AsyncIterator<Buffer>, name: string): Promise<Buffer | undefined> {
  try {
    const next = await chunks.next();
    return next.done === true ? undefined : next.value;
  } catch (cause) {
    throw inputError(name, cause);
  }
}

const advices: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'no permission to read it',
  EISDIR: 'this is a directory: name a file',
};

function inputError(name: string, cause: unknown): SkbspanError {
  if (cause instanceof SkbspanError) return cause;
  const message = cause instanceof Error ? cause.message : String(cause);
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const advice = advices[code];
  return new SkbspanError('SKBSPAN_INPUT', `cannot read ${name}: ${message}`, {
    cause,
    ...(advice === undefined ? {} : { advice }),
  });
}
