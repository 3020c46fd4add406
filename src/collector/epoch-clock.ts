/**
 * Nanoseconds from CLOCK_MONOTONIC, which the kernel's records carry, to the Unix epoch.
 *
 * Node tells the wall clock in whole milliseconds only, but the moment at which a new millisecond begins can be seen to a
 * fraction of a microsecond by reading it over and over: a measurement spins for one millisecond at most. What another
 * process or an interrupt spoiled shows by the time between two readings, and does not count.
 */

/** On a busy machine the first ones may all be spoiled. */
const FIRST_ATTEMPTS = 4;
const MOST_ATTEMPTS = 20;
const GOOD_WIDTH_NS = 20_000n;
/** How much wider than the best one so far a later measurement may be: what is read on two hosts must be in order by microseconds. */
const SPARE_WIDTH_NS = 1000n;

export interface EpochClock {
  offsetNs(): bigint;
  /** Measures again, because the wall clock may have been set or drifted; takes up to a millisecond. */
  refresh(): void;
}

interface Measured {
  readonly offsetNs: bigint;
  /** Between the readings around the tick: the error is less. */
  readonly widthNs: bigint;
}

export function createEpochClock(): EpochClock {
  let { offsetNs, widthNs } = measure();
  for (
    let attempt = 1;
    attempt < (widthNs < GOOD_WIDTH_NS ? FIRST_ATTEMPTS : MOST_ATTEMPTS);
    attempt++
  ) {
    const measured = measure();
    if (measured.widthNs < widthNs) ({ offsetNs, widthNs } = measured);
  }
  return {
    offsetNs: () => offsetNs,
    refresh() {
      const measured = measure();
      if (measured.widthNs > 2n * widthNs + SPARE_WIDTH_NS) return;
      ({ offsetNs } = measured);
      if (measured.widthNs < widthNs) ({ widthNs } = measured);
    },
  };
}

function measure(): Measured {
  const first = Date.now();
  let before = process.hrtime.bigint();
  while (true) {
    const wall = Date.now();
    const after = process.hrtime.bigint();
    if (wall !== first)
      return {
        offsetNs: BigInt(wall) * 1_000_000n - (before + after) / 2n,
        widthNs: after - before,
      };
    before = after;
  }
}
