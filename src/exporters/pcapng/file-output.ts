/** Where a pcapng goes: files, compressed if their name says so, one after the other if asked for; or a stream. */
import { once } from 'node:events';
import { createWriteStream, type WriteStream } from 'node:fs';
import { rm } from 'node:fs/promises';
import { parse } from 'node:path';
import type { Transform, Writable } from 'node:stream';
import { finished } from 'node:stream/promises';
import { constants, createGzip, createZstdCompress } from 'node:zlib';
import { outputError } from '../text/line-output.ts';

/** When the next file begins; undefined: not for this. The limits are looked at between paths. */
export interface Rotation {
  readonly bytes?: number | undefined;
  readonly milliseconds?: number | undefined;
  readonly packets?: number | undefined;
  /** How many files stay; older ones are removed. */
  readonly files?: number | undefined;
}

/** One open file or stream. */
export interface FileOutput {
  /** Bytes on their way to the disk, compressed if they are. */
  readonly bytesWritten: number;
  /** Resolves when the bytes are handed on, which is the back-pressure. Throws SKBSPAN_OUTPUT, then always. */
  write(bytes: Uint8Array): Promise<void>;
  /** Lets out what a compressor holds back, so that a reader of the file sees all that was written. */
  flush(): Promise<void>;
  close(): Promise<void>;
}

/** `trace.pcapng.gz` and 3: `trace-00003.pcapng.gz`. */
export function numberedFile(path: string, number: number): string {
  const { dir, base } = parse(path);
  const dot = base.indexOf('.', 1);
  const [stem, extension] = dot < 0 ? [base, ''] : [base.slice(0, dot), base.slice(dot)];
  const name = `${stem}-${String(number).padStart(5, '0')}${extension}`;
  return dir === '' ? name : `${dir === '/' ? '' : dir}/${name}`;
}

/** By the name's end: `.gz`, `.zst`; undefined: as it is. Quick rather than small: packets come fast. */
function compressorFor(path: string): Transform | undefined {
  if (path.endsWith('.gz')) return createGzip({ level: 1 });
  if (path.endsWith('.zst')) {
    return createZstdCompress({ params: { [constants.ZSTD_c_compressionLevel]: 1 } });
  }
  return undefined;
}

/** Creates or overwrites the file; throws SKBSPAN_OUTPUT. */
export async function openFile(path: string): Promise<FileOutput> {
  const file: WriteStream = createWriteStream(path);
  try {
    await once(file, 'open');
  } catch (cause) {
    throw outputError(path, cause);
  }
  const compressor = compressorFor(path);
  if (compressor === undefined) return createOutput(path, file, file, () => Promise.resolve());
  compressor.pipe(file);
  file.once('error', (error) => compressor.destroy(error));
  const flusher = compressor as Transform & { flush(callback: () => void): void };
  return createOutput(
    path,
    compressor,
    file,
    () =>
      new Promise((done) => {
        flusher.flush(done);
      }),
  );
}

/** A stream that belongs to the caller: it is not ended. */
export function streamOutput(stream: Writable, name: string): FileOutput {
  return createOutput(name, stream, undefined, () => Promise.resolve());
}

function createOutput(
  name: string,
  stream: Writable,
  file: WriteStream | undefined,
  flush: () => Promise<void>,
): FileOutput {
  let failure: Error | undefined;
  let handed = 0;
  const fail = (cause: unknown): Error => (failure ??= outputError(name, cause));
  stream.on('error', fail);
  file?.on('error', fail);

  return {
    get bytesWritten() {
      return file === undefined || file === stream ? handed : file.bytesWritten;
    },
    async write(bytes) {
      if (failure !== undefined) throw failure;
      handed += bytes.length;
      await new Promise<void>((resolve, reject) => {
        stream.write(bytes, (cause) => {
          if (cause) reject(fail(cause));
          else resolve();
        });
      });
    },
    async flush() {
      if (failure === undefined) await flush();
    },
    async close() {
      if (file === undefined) return;
      if (failure === undefined) stream.end();
      else stream.destroy();
      try {
        await finished(file);
      } catch (cause) {
        throw fail(cause);
      }
    },
  };
}

export const removeFile = (path: string): Promise<void> => rm(path, { force: true });
