/** A histogram with fixed boundaries; recording a value costs a few comparisons and no memory. */
export interface DurationHistogram {
  record(ns: number): void;
  /** In seconds, as OpenTelemetry wants durations. */
  value(): {
    readonly buckets: { readonly boundaries: number[]; readonly counts: number[] };
    readonly sum: number;
    readonly count: number;
    readonly min: number;
    readonly max: number;
  };
}

/** 100 ns to 10 s in steps of 1, 2.5 and 5: kernel functions take from less than a microsecond to a scheduler's tick. */
const boundariesNs: readonly number[] = [1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9]
  .flatMap((decade) => [decade, 2.5 * decade, 5 * decade])
  .concat(1e10);
const boundariesSeconds = boundariesNs.map((ns) => ns / 1e9);

const NS = 1e9;

export function createDurationHistogram(): DurationHistogram {
  const counts = new Array<number>(boundariesNs.length + 1).fill(0);
  let sumNs = 0;
  let count = 0;
  let min = Infinity;
  let max = 0;
  return {
    record(ns) {
      let low = 0;
      let high = boundariesNs.length;
      while (low < high) {
        const middle = (low + high) >> 1;
        // A boundary belongs to the bucket below it.
        if (ns <= (boundariesNs[middle] ?? 0)) high = middle;
        else low = middle + 1;
      }
      counts[low] = (counts[low] ?? 0) + 1;
      sumNs += ns;
      count++;
      if (ns < min) min = ns;
      if (ns > max) max = ns;
    },
    value: () => ({
      buckets: { boundaries: [...boundariesSeconds], counts: [...counts] },
      sum: sumNs / NS,
      count,
      min: count === 0 ? 0 : min / NS,
      max: max / NS,
    }),
  };
}
