/**
 * `--output-file`: what would go to standard output, into a file. When it would grow beyond its limit it is renamed (`out.log` to
 * `out-2026-11-23T10-20-30.123.log`), as pwru does it, and begun anew; a line is never cut in two. Packing and removing of
 * old files happens beside the writing.
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, extname, join } from 'node:path';
import { Writable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGzip } from 'node:zlib';
import { outputError } from '../exporters/text/line-output.ts';
import type { OutputFileOptions } from './output-file-options.ts';
import { say } from './say.ts';

export interface OutputFile extends Writable {
  /** Resolves when everything is on disk and old files are dealt with. Throws SKBSPAN_OUTPUT if writing failed. */
  finish(): Promise<void>;
}

const stampForm = /^\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}$/;

function backupName(path: string, now: Date): string {
  const extension = extname(path);
  const stem = basename(path, extension);
  const stamp = now.toISOString().slice(0, -1).replaceAll(':', '-');
  return join(dirname(path), `${stem}-${stamp}${extension}`);
}

/** Full files of `path`, newest first. */
async function backupsOf(path: string): Promise<string[]> {
  const extension = extname(path);
  const stem = `${basename(path, extension)}-`;
  const isBackup = (name: string): boolean => {
    const plain = name.endsWith('.gz') ? name.slice(0, -3) : name;
    if (!plain.startsWith(stem) || !plain.endsWith(extension)) return false;
    return stampForm.test(plain.slice(stem.length, plain.length - extension.length));
  };
  const names = (await readdir(dirname(path))).filter(isBackup);
  return names.sort().reverse();
}

async function pack(file: string): Promise<void> {
  const packed = `${file}.gz`;
  await pipeline(createReadStream(file), createGzip({ level: 1 }), createWriteStream(packed));
  await rm(file);
}

async function removeOld({ path, maxBackups, maxAgeMs }: OutputFileOptions): Promise<void> {
  const folder = dirname(path);
  for (const [index, name] of (await backupsOf(path)).entries()) {
    const file = join(folder, name);
    const tooMany = maxBackups !== undefined && index >= maxBackups;
    const tooOld = maxAgeMs !== undefined && Date.now() - (await stat(file)).mtimeMs > maxAgeMs;
    if (tooMany || tooOld) await rm(file, { force: true });
  }
}

/** Bytes of `text` that fit `room`, up to a line's end; 0: not even one line. */
function fitting(text: Buffer, room: number): number {
  if (text.length <= room) return text.length;
  return text.lastIndexOf(0x0a, Math.max(0, room - 1)) + 1;
}

/** Appends to the file if it is there, as pwru does. Throws SKBSPAN_OUTPUT if it cannot be opened. */
export async function openOutputFile(options: OutputFileOptions): Promise<OutputFile> {
  const { path, maxBytes = Infinity, compress } = options;
  let file: FileHandle;
  let size: number;
  let keeping = Promise.resolve();
  let stampMs = 0;
  let failure: unknown;
  const begin = async (): Promise<void> => {
    file = await open(path, 'a');
    size = (await file.stat()).size;
  };

  /** Old files are nobody's output any more: what goes wrong with them is said, and ends nothing. */
  const keepOld = async (full: string): Promise<void> => {
    try {
      await removeOld(options);
      if (compress && (await exists(full))) await pack(full);
    } catch (error) {
      say(`${path}: ${error instanceof Error ? error.message : String(error)}`);
    }
  };

  const turn = async (): Promise<void> => {
    await file.close();
    // Names in the order of time, also of two in one millisecond.
    stampMs = Math.max(Date.now(), stampMs + 1);
    const full = backupName(path, new Date(stampMs));
    await rename(path, full);
    await begin();
    keeping = keeping.then(() => keepOld(full));
  };

  const append = async (text: Buffer): Promise<void> => {
    let rest = text;
    while (rest.length > 0) {
      let length = fitting(rest, maxBytes - size);
      if (length === 0 && size > 0) {
        await turn();
        continue;
      }
      // A line longer than a whole file.
      if (length === 0) length = rest.indexOf(0x0a) + 1 || rest.length;
      await file.appendFile(rest.subarray(0, length));
      size += length;
      rest = rest.subarray(length);
    }
  };

  try {
    await begin();
  } catch (cause) {
    throw outputError(path, cause);
  }
  const stream = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      append(chunk).then(
        () => {
          callback();
        },
        (error: unknown) => {
          failure ??= error;
          callback(error instanceof Error ? error : new Error(String(error)));
        },
      );
    },
  });
  return Object.assign(stream, {
    async finish(): Promise<void> {
      if (failure === undefined) {
        await new Promise<void>((resolve) => stream.end(resolve));
      }
      await keeping;
      await file.close();
      if (failure !== undefined) throw outputError(path, failure);
    },
  });
}

const exists = (path: string): Promise<boolean> =>
  stat(path).then(
    () => true,
    () => false,
  );
