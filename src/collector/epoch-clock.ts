/**
 * Nanoseconds from CLOCK_MONOTONIC, which the kernel's records carry, to the Unix epoch.
 *
 * Node tells the wall clock in whole milliseconds only, but the moment at which a new millisecond begins can be seen to a
 * fraction of a microsecond by reading it over and over: a measurement spins for one millisecond at most. What another
 * process or an interrupt spoiled shows by the time between the readings around the tick, and does not count. It lies between two looks at
 * the wall, so it is the monotonic readings before the first and after the second of them that count: with the one between them, an
 * interrupt after a look at the old millisecond would not show.
 */

/** What is read; for tests. */
export interface Clocks {
  wallMs(): number;
  monotonicNs(): bigint;
}

const system: Clocks = { wallMs: () => Date.now(), monotonicNs: () => process.hrtime.bigint() };

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

export function createEpochClock(clocks: Clocks = system): EpochClock {
  let { offsetNs, widthNs } = measure(clocks);
  for (
    let attempt = 1;
    attempt < (widthNs < GOOD_WIDTH_NS ? FIRST_ATTEMPTS : MOST_ATTEMPTS);
    attempt++
  ) {
    const measured = measure(clocks);
    if (measured.widthNs < widthNs) ({ offsetNs, widthNs } = measured);
  }
  return {
    offsetNs: () => offsetNs,
    refresh() {
      const measured = measure(clocks);
      if (measured.widthNs > 2n * widthNs + SPARE_WIDTH_NS) return;
      ({ offsetNs } = measured);
      if (measured.widthNs < widthNs) ({ widthNs } = measured);
    },
  };
}

function measure(clocks: Clocks): Measured {
  const first = clocks.wallMs();
  let before = clocks.monotonicNs();
  let earlier = before;
  while (true) {
    const wall = clocks.wallMs();
    const after = clocks.monotonicNs();
    if (wall !== first)
      return {
        offsetNs: BigInt(wall) * 1_000_000n - (earlier + after) / 2n,
        widthNs: after - earlier,
      };
    earlier = before;
    before = after;
  }
}
