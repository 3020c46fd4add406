import type { Writable } from 'node:stream';

import { SkbspanError } from '../../errors.ts';

/** A stream that lines go to; the text and the JSON exporter write through it. */
export interface LineOutput {
  /**
   * Resolves when the stream has handed the text on, which is the back-pressure. Throws SKBSPAN_OUTPUT if that failed, and
   * from then on always: what follows a hole is not written.
   */
  write(text: string | Uint8Array): Promise<void>;
}

const advices: Readonly<Record<string, string>> = {
  EPIPE: 'whatever read the output has gone away',
  ENOSPC: 'the file system is full: free some space or write elsewhere',
  EDQUOT: 'the disk quota is used up: free some space or write elsewhere',
  EFBIG: 'the file has reached its size limit (ulimit -f)',
  ENOENT: 'the directory does not exist',
  ENOTDIR: 'a part of this path is not a directory',
  EISDIR: 'this is a directory: name a file',
  EACCES: 'no permission to write there',
  EPERM: 'no permission to write there',
  EROFS: 'the file system is read-only',
};

/** An error of a stream or file as SKBSPAN_OUTPUT; `name` is what the user calls the output. */
export function outputError(name: string, cause: unknown): SkbspanError {
  const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
  const message = cause instanceof Error ? cause.message : String(cause);
  const advice = advices[code];
  return new SkbspanError('SKBSPAN_OUTPUT', `cannot write to ${name}: ${message}`, {
    cause,
    ...(advice === undefined ? {} : { advice }),
  });
}

/** A failed stream never makes an uncaught exception: its first error is kept for the next `write`. */
export function createLineOutput(stream: Writable, name: string): LineOutput {
  let failure: SkbspanError | undefined;
  stream.on('error', (cause) => {
    failure ??= outputError(name, cause);
  });

  return {
    write(text) {
      if (failure !== undefined) return Promise.reject(failure);
      return new Promise((resolve, reject) => {
        stream.write(text, (cause) => {
          if (cause) reject((failure ??= outputError(name, cause)));
          else resolve();
        });
      });
    },
  };
}
