/**
 * The pipeline: fan-out of finished packet paths over exporters, each behind its own lane (lane.ts).
 *
 * Pace. A full lane drops whole paths and counts them, so a slow backend never delays another exporter. But when *every*
 * lane is crowded nobody gains from hurrying, and what is written on this machine should be whole: then, or when a local
 * exporter's lane is crowded, `push` returns a promise, and its caller should wait. With a single exporter, or local ones
 * only, nothing is dropped as long as the source can wait. A lane that does not move for `patienceMs` is stalled and not
 * waited for until it has delivered again.
 */
import type { Exporter } from '../event/exporter.ts';
import type { PacketPath } from '../event/packet-path.ts';
import type { LossCause, Statistics } from '../event/statistics.ts';
import { type Clock, systemClock } from './clock.ts';
import type { Backoff } from './delivery.ts';
import { createLane, type Lane } from './lane.ts';

export interface PipelineOptions {
  /** In the order in which they are started, sinks first; stopped in the same order. */
  readonly exporters: readonly Exporter[];
  /** How long one batch may be tried, retries and their waits included. */
  readonly deadlineMs: number;
  /** Tells of runs of losses, one line each, when they begin and when they end; must not throw. */
  readonly onNotice: (message: string) => void;
  /** Bound of each exporter's queue; default 10 000 paths. */
  readonly queuePaths?: number;
  /** Bound of each exporter's queue in calls, which is what memory goes for; default 200 000 (some 60 MB). */
  readonly queueCalls?: number;
  /** A batch is exported when it has this many paths (default 512) ... */
  readonly batchPaths?: number;
  /** ... or when its first path has waited this long (default 200 ms). */
  readonly batchDelayMs?: number;
  /** Default: 500 ms, doubled up to 5 s. */
  readonly backoff?: Backoff;
  /** How long `push` holds back its caller for an exporter that does nothing; default 250 ms. */
  readonly patienceMs?: number;
  /** The source can wait for as long as it takes: hold it back for every exporter, however slow. Default: live, it can't. */
  readonly lossless?: boolean;
  readonly clock?: Clock;
  /** 0 up to 1; default Math.random. */
  readonly random?: () => number;
}

export interface Pipeline {
  /** Starts all exporters; if one fails, shuts down those already started and throws its error. */
  start(): Promise<void>;
  /** Queues `paths` for every exporter. A promise means: wait for it before the next push; it never rejects. */
  push(paths: readonly PacketPath[]): void | Promise<void>;
  /** Resolves when every exporter has dealt with all that was pushed: written it, or lost and counted it. */
  flush(): Promise<void>;
  /** What was lost so far, by cause, added up over exporters: a path that two of them lost counts twice. */
  losses(): ReadonlyMap<LossCause, number>;
  /** How full the queues are, one for each exporter. */
  queues(): readonly { exporter: string; paths: number; capacity: number }[];
  /**
   * Delivers what is queued, counts what is left at the deadline, shuts the exporters down. Returns `statistics` with the
   * pipeline's own losses added, which is also what the exporters get. Idempotent; never rejects.
   */
  shutdown(deadlineMs: number, statistics: Statistics): Promise<Statistics>;
}

const noStatistics: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: new Map(),
};

function addTo(
  sum: Map<LossCause, number>,
  more: ReadonlyMap<LossCause, number> | undefined,
): Map<LossCause, number> {
  for (const [cause, count] of more ?? []) sum.set(cause, (sum.get(cause) ?? 0) + count);
  return sum;
}

/** Share of the shutdown's time that draining may use; the rest is for exporters to end their output. */
const DRAIN_SHARE = 0.75;

export function createPipeline(options: PipelineOptions): Pipeline {
  const { exporters, onNotice, patienceMs = 250, lossless = false, clock = systemClock } = options;
  const queuePaths = options.queuePaths ?? 10_000;
  const losses = new Map<LossCause, number>();
  let roomWaiter: AbortController | undefined;
  let stopping: Promise<Statistics> | undefined;

  const lanes = exporters.map((exporter): Lane =>
    createLane(exporter, {
      queue: { paths: queuePaths, calls: options.queueCalls ?? 200_000 },
      batchPaths: options.batchPaths ?? 512,
      batchDelayMs: options.batchDelayMs ?? 200,
      deadlineMs: options.deadlineMs,
      backoff: options.backoff ?? { initialMs: 500, maxMs: 5_000 },
      clock,
      random: options.random ?? Math.random,
      onNotice,
      onLoss: (cause, count) => {
        losses.set(cause, (losses.get(cause) ?? 0) + count);
      },
      onRoom: () => roomWaiter?.abort(),
    }),
  );

  const mustWait = (): boolean =>
    lanes.some((lane) => (lossless || lane.local) && lane.state() === 'crowded') ||
    (lanes.some((lane) => lane.state() === 'crowded') &&
      !lanes.some((lane) => lane.state() === 'room'));

  async function waitForRoom(): Promise<void> {
    roomWaiter ??= new AbortController();
    const { signal } = roomWaiter;
    const before = lanes.map((lane) => lane.progress());
    await clock.sleep(patienceMs, signal);
    roomWaiter = undefined;
    if (signal.aborted) return;
    for (const [index, lane] of lossless ? [] : lanes.entries()) {
      if (lane.state() === 'crowded' && lane.progress() === before[index]) lane.giveUpWaiting();
    }
    if (mustWait()) await waitForRoom();
  }

  async function stopExporter(
    exporter: Exporter,
    until: number,
    statistics: Statistics,
  ): Promise<void> {
    const timer = new AbortController();
    const left = Math.max(0, until - clock.now());
    try {
      const late = clock.sleep(left, timer.signal).then(() => 'late' as const);
      if ((await Promise.race([exporter.shutdown(left, statistics), late])) === 'late') {
        onNotice(`${exporter.name}: did not stop in time`);
      }
    } catch (error) {
      onNotice(`${exporter.name}: ${error instanceof Error ? error.message : String(error)}`);
    } finally {
      timer.abort();
    }
  }

  /** The pipeline's own and what exporters found out by themselves. */
  function allLosses(): Map<LossCause, number> {
    const all = new Map(losses);
    for (const exporter of exporters) addTo(all, exporter.losses?.());
    return all;
  }

  async function stop(deadlineMs: number, statistics: Statistics): Promise<Statistics> {
    const began = clock.now();
    await Promise.all(lanes.map((lane) => lane.close(began + deadlineMs * DRAIN_SHARE)));
    const withLosses = (): Statistics => ({
      ...statistics,
      losses: addTo(new Map(statistics.losses), allLosses()),
    });
    const drained = withLosses();
    await Promise.all(
      exporters.map((exporter) => stopExporter(exporter, began + deadlineMs, drained)),
    );
    return withLosses();
  }

  return {
    async start() {
      for (const [index, exporter] of exporters.entries()) {
        try {
          await exporter.start();
        } catch (error) {
          const until = clock.now() + options.deadlineMs;
          const started = exporters.slice(0, index);
          await Promise.all(started.map((each) => stopExporter(each, until, noStatistics)));
          throw error;
        }
      }
      for (const lane of lanes) lane.run();
    },
    push(paths) {
      for (const lane of lanes) lane.offer(paths);
      return mustWait() ? waitForRoom() : undefined;
    },
    async flush() {
      await Promise.all(lanes.map((lane) => lane.flush()));
    },
    losses: allLosses,
    queues: () =>
      lanes.map((lane, index) => ({
        exporter: exporters[index]?.name ?? '',
        paths: lane.queued(),
        capacity: queuePaths,
      })),
    shutdown: (deadlineMs, statistics) => (stopping ??= stop(deadlineMs, statistics)),
  };
}
