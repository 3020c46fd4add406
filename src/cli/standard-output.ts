import { Writable } from 'node:stream';

export interface StandardOutputOptions {
  /** undefined: no limit. */
  readonly limitLines: number | undefined;
  /** Called once: the limit is reached, or nobody reads any more (`| head`). */
  readonly onEnd: (why: 'limit' | 'closed') => void;
}

/** Length of the first `lines` lines of `text`, and how many there were. */
function measure(text: string, lines: number): { readonly end: number; readonly count: number } {
  let end = 0;
  for (let count = 0; count < lines; count++) {
    const newline = text.indexOf('\n', end);
    if (newline === -1) return { end: text.length, count };
    end = newline + 1;
  }
  return { end, count: lines };
}

/**
 * A stream in front of `target` (standard output) that ends quietly: after a number of lines, or when the reader has gone.
 * What is written after that is thrown away, so that exporters never see an error that is none.
 */
export function createStandardOutput(
  target: NodeJS.WritableStream,
  { limitLines, onEnd }: StandardOutputOptions,
): Writable {
  let left = limitLines ?? Number.POSITIVE_INFINITY;
  let ended = false;

  function end(why: 'limit' | 'closed'): void {
    if (ended) return;
    ended = true;
    onEnd(why);
  }
  target.on('error', () => {
    end('closed');
  });

  return new Writable({
    decodeStrings: false,
    write(chunk: string | Buffer, _encoding, callback) {
      if (ended) {
        callback();
        return;
      }
      let text = chunk;
      if (left !== Number.POSITIVE_INFINITY) {
        const whole = chunk.toString();
        const { end: length, count } = measure(whole, left);
        text = whole.slice(0, length);
        left -= count;
      }
      // A write that fails makes an `error` event as well.
      target.write(text, () => {
        callback();
      });
      if (left === 0) end('limit');
    },
  });
}
