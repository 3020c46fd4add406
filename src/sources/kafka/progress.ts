import type { Range } from './range.ts';

/** How far a topic has been read, by this reader and, as far as it has heard, by the others of its group. */
export interface Progress {
  /** The first record of a partition that is still to be read, and where reading ends; undefined: nothing of it is asked for. */
  left(partition: number): Range | undefined;
  /** Everything before `next` has been dealt with; what is behind already is no news. */
  note(partition: number, next: bigint): void;
  isDone(partition: number): boolean;
  isAllDone(): boolean;
}

/** Of the partitions that have a range. */
export function createProgress(ranges: ReadonlyMap<number, Range>): Progress {
  const positions = new Map<number, bigint>();

  const left = (partition: number): Range | undefined => {
    const range = ranges.get(partition);
    return range && { from: positions.get(partition) ?? range.from, to: range.to };
  };
  const isDone = (partition: number): boolean => {
    const range = left(partition);
    return range === undefined || range.from >= range.to;
  };
  return {
    left,
    note(partition, next) {
      const range = left(partition);
      if (range !== undefined && next > range.from) positions.set(partition, next);
    },
    isDone,
    isAllDone: () => [...ranges.keys()].every(isDone),
  };
}
