import { Writable } from 'node:stream';

export interface Collected {
  readonly output: Writable;
  readonly text: () => string;
}

/** A stream that keeps what is written. */
export function collect(): Collected {
  const chunks: Buffer[] = [];
  const output = new Writable({
    write(chunk: Buffer, _encoding, callback) {
      chunks.push(chunk);
      callback();
    },
  });
  return { output, text: () => Buffer.concat(chunks).toString('utf8') };
}

/** A stream whose writes fail with this errno. */
export const failing = (code: string): Writable =>
  new Writable({
    write(_chunk, _encoding, callback) {
      callback(Object.assign(new Error(`write ${code}`), { code }));
    },
  });
