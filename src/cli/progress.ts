import type { TracingProgress } from '../collector/tracing.ts';

const doing = { load: 'loading', attach: 'attaching', detach: 'detaching' } as const;
const did = { load: 'loaded', attach: 'attached', detach: 'detached' } as const;
const barCells = 30;
/** Redrawing a terminal line more often than this only costs time. */
const redrawMs = 50;

export interface Progress {
  update(progress: TracingProgress): void;
  /** Wipes an unfinished bar, so that the next line starts on a clean one. */
  clear(): void;
}

/** The part of a stream that is used: process.stderr is one. */
export interface ProgressStream {
  readonly isTTY?: boolean;
  write(text: string): unknown;
}

/**
 * Shows how far loading, attaching and detaching have come: a bar on one line of a terminal, wiped when done; elsewhere one
 * plain line when a stage of more than one step is done.
 */
export function createProgress(
  stream: ProgressStream,
  now: () => number = () => performance.now(),
): Progress {
  let drawnMs = -Infinity;
  let drawn = false;

  function clear(): void {
    if (drawn) stream.write('\r\u001b[K');
    drawn = false;
  }

  return {
    update({ stage, done, total }) {
      const finished = done >= total;
      if (stream.isTTY !== true) {
        if (finished && total > 1) stream.write(`skbspan: ${did[stage]} ${done} of ${total}\n`);
        return;
      }
      if (finished) {
        clear();
        return;
      }
      if (now() - drawnMs < redrawMs) return;
      drawnMs = now();
      drawn = true;
      const cells = total > 0 ? Math.floor((done / total) * barCells) : 0;
      const bar = '#'.repeat(cells).padEnd(barCells, '.');
      stream.write(`\r\u001b[K${doing[stage]} [${bar}] ${done}/${total}`);
    },
    clear,
  };
}
