/**
 * What is counted of finished paths. Every call is recorded, up to a million a second, so this is a map and a few additions; a
 * metrics SDK's instruments, which hash the attributes of each value, would cost as much as sending the path does.
 */
import type { PacketPath } from '../../event/packet-path.ts';
import { createDurationHistogram, type DurationHistogram } from './histogram.ts';

export interface PathMetrics {
  readonly observe: (paths: readonly PacketPath[]) => void;
  readonly packets: ReadonlyMap<string, PacketSeries>;
  readonly drops: ReadonlyMap<string, DropSeries>;
  /** By function; those beyond the bound together under `overflow`. */
  readonly calls: ReadonlyMap<string, DurationHistogram>;
  /** By place. */
  readonly waits: ReadonlyMap<string, DurationHistogram>;
}

export interface PacketSeries {
  readonly transport: string;
  readonly direction: PacketPath['direction'];
  readonly duration: DurationHistogram;
  count: number;
  incomplete: number;
}

export interface DropSeries {
  readonly reason: string;
  readonly func: string;
  count: number;
}

/** Stands for all series beyond the bound, as the SDK has it. */
export const overflow = '';
/** A kernel has some 1500 functions that take an skb; the bound only keeps surprises small. */
const MOST_SERIES = 2000;

function seriesOf<T>(map: Map<string, T>, key: string, make: (isOverflow: boolean) => T): T {
  let series = map.get(key);
  if (series !== undefined) return series;
  const isOverflow = map.size >= MOST_SERIES - 1;
  const kept = isOverflow ? overflow : key;
  series = map.get(kept) ?? make(isOverflow);
  map.set(kept, series);
  return series;
}

export function createPathMetrics(): PathMetrics {
  const packets = new Map<string, PacketSeries>();
  const drops = new Map<string, DropSeries>();
  const calls = new Map<string, DurationHistogram>();
  const waits = new Map<string, DurationHistogram>();

  function observePath(path: PacketPath): void {
    const transport = path.flow?.transport ?? 'unknown';
    const { direction } = path;
    const series = seriesOf(packets, `${transport} ${direction}`, (isOverflow) => ({
      transport: isOverflow ? overflow : transport,
      direction,
      duration: createDurationHistogram(),
      count: 0,
      incomplete: 0,
    }));
    series.count++;
    series.duration.record(path.durationNs);
    if (path.losses.length > 0) series.incomplete++;
    for (const life of path.lives) {
      for (const { func, kind, timing, durationNs } of life.calls) {
        // A tracepoint lasts no time, and the end of an enter-only call is a guess.
        if (kind !== 'function' || durationNs === undefined || timing !== 'exit') continue;
        seriesOf(calls, func, createDurationHistogram).record(durationNs);
      }
      for (const { place, durationNs } of life.waits)
        seriesOf(waits, place, createDurationHistogram).record(durationNs);
      if (life.end?.how !== 'dropped') continue;
      const reason = life.end.reason ?? 'unknown';
      const func = life.end.location?.func ?? '';
      seriesOf(drops, `${reason} ${func}`, (isOverflow) => ({
        reason: isOverflow ? overflow : reason,
        func: isOverflow ? overflow : func,
        count: 0,
      })).count++;
    }
  }

  return {
    packets,
    drops,
    calls,
    waits,
    observe(paths) {
      for (const path of paths) observePath(path);
    },
  };
}
