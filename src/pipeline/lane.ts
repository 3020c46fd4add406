/**
 * A lane: one exporter with its queue and the loop that feeds it. Lanes know nothing of each other, so that a slow or broken
 * exporter costs only its own paths. One batch is in flight at a time, which keeps the order, unless the exporter asks for more
 * (Exporter.concurrency): then it makes the next one ready while a server works on the last. Each is tried, given up and
 * counted by itself; a lane is over when all of them are.
 *
 * What is lost is counted at once and told in runs: once when a run of losses begins and once, with the total, when it is
 * over. The run of a full queue is over when the queue is half empty again, not at the first free place: otherwise a queue
 * at its limit would tell of every batch.
 */
import type { Exporter } from '../event/exporter.ts';
import type { PacketPath } from '../event/packet-path.ts';
import type { LossCause } from '../event/statistics.ts';
import type { Clock } from './clock.ts';
import { type Backoff, type Delivery, deliver } from './delivery.ts';
import { createPathQueue, type QueueLimits } from './path-queue.ts';

export interface LaneOptions {
  readonly queue: QueueLimits;
  readonly batchPaths: number;
  readonly batchDelayMs: number;
  /** How long one batch may be tried. */
  readonly deadlineMs: number;
  readonly backoff: Backoff;
  readonly clock: Clock;
  readonly random: () => number;
  readonly onLoss: (cause: LossCause, count: number) => void;
  readonly onNotice: (message: string) => void;
  /** The queue has become half empty. */
  readonly onRoom: () => void;
}

export interface Lane {
  /** Worth waiting for: Exporter.local. */
  readonly local: boolean;
  run(): void;
  offer(paths: readonly PacketPath[]): void;
  /** `room`: less than half full. `stalled`: full, and not worth waiting for. */
  state(): 'room' | 'crowded' | 'stalled';
  /** Paths that wait. */
  queued(): number;
  /** Batches done with so far. */
  progress(): number;
  /** Whoever waited for this lane gave up; it counts as stalled until it has delivered something. */
  giveUpWaiting(): void;
  /** Resolves when what is queued now has been delivered, or given up and counted; it is not waited for a full batch then. */
  flush(): Promise<void>;
  /** Delivers what is queued until clock time `until`; what is left then is counted as not delivered. */
  close(until: number): Promise<void>;
}

const HALF = 0.5;

export function createLane(exporter: Exporter, options: LaneOptions): Lane {
  const { clock, batchPaths, batchDelayMs, onLoss, onRoom } = options;
  const notice = (message: string): void => {
    options.onNotice(`${exporter.name}: ${message}`);
  };
  const queue = createPathQueue(options.queue);
  const closing = new AbortController();
  let waker = new AbortController();
  let running: Promise<void> | undefined;
  let closeAt = Infinity;
  /** Batches that are being delivered, and how many paths they have. */
  const underWay = new Set<Promise<void>>();
  let inFlight = 0;
  /** Batches under way that failed at least once. */
  let retrying = 0;
  let closed = false;
  let stalled = false;
  let overflow = 0;
  let trouble: { lost: number } | undefined;
  let batchesDone = 0;
  /** Who waits until nothing is queued and nothing under way. */
  const flushing: (() => void)[] = [];

  const nap = async (ms: number): Promise<void> => {
    waker = new AbortController();
    await clock.sleep(ms, waker.signal);
  };

  /** Waits for a batch: until it is full, or its first path has waited long enough, or the lane closes. */
  async function gather(): Promise<readonly PacketPath[]> {
    while (queue.size === 0 && !closing.signal.aborted) await nap(Infinity);
    const until = clock.now() + batchDelayMs;
    while (
      queue.size < batchPaths &&
      flushing.length === 0 &&
      !closing.signal.aborted &&
      clock.now() < until
    ) {
      await nap(until - clock.now());
    }
    const wasRoom = queue.fill() < HALF;
    const paths = queue.take(batchPaths);
    inFlight += paths.length;
    if (!wasRoom && queue.fill() < HALF) onRoom();
    return paths;
  }

  function endOverflow(): void {
    if (overflow > 0) notice(`${overflow} paths were dropped while its queue was full`);
    overflow = 0;
  }

  function beginTrouble(what: string): void {
    if (trouble === undefined) notice(what);
    trouble ??= { lost: 0 };
  }

  function settle({ lost, cause, error }: Delivery): void {
    if (lost > 0) onLoss(cause, lost);
    if (error !== undefined) beginTrouble(`export failed: ${error.message}`);
    else if (lost > 0) beginTrouble('the backend refuses a part of what it gets');
    else if (trouble !== undefined && retrying === 0) {
      notice(`works again; ${trouble.lost} were lost`);
      trouble = undefined;
    }
    if (trouble !== undefined) trouble.lost += lost;
    if (error === undefined) stalled = false;
    if (queue.fill() < HALF) endOverflow();
  }

  async function endFlush(): Promise<void> {
    if (flushing.length === 0) return;
    const waiting = flushing.splice(0);
    await exporter.settled?.();
    for (const done of waiting) done();
  }

  async function deliverBatch(paths: readonly PacketPath[]): Promise<void> {
    const began = clock.now();
    let tries = 1;
    const delivery = await deliver(exporter, paths, {
      clock,
      backoff: options.backoff,
      random: options.random,
      giveUpAt: () => Math.min(began + options.deadlineMs, closeAt),
      closing: closing.signal,
      onRetry: (error) => {
        if (tries++ === 1) retrying++;
        beginTrouble(`${error.message}; trying again`);
      },
    });
    if (tries > 1) retrying--;
    // close() has already counted what was in flight.
    if (closed) return;
    inFlight -= paths.length;
    batchesDone++;
    settle(delivery);
    if (queue.size === 0 && inFlight === 0) await endFlush();
  }

  async function loop(): Promise<void> {
    while (true) {
      const paths = await gather();
      if (paths.length === 0) break;
      const batch = deliverBatch(paths).finally(() => underWay.delete(batch));
      underWay.add(batch);
      if (underWay.size >= (exporter.concurrency ?? 1)) await Promise.race(underWay);
    }
    await Promise.all(underWay);
  }

  return {
    local: exporter.local ?? false,
    run() {
      running ??= loop();
    },
    offer(paths) {
      const refused = closed || closing.signal.aborted ? paths.length : queue.offer(paths);
      if (refused > 0) {
        onLoss('export_queue', refused);
        if (overflow === 0) notice('its queue is full, dropping paths');
        overflow += refused;
      }
      waker.abort();
    },
    state: () => (queue.fill() < HALF ? 'room' : stalled ? 'stalled' : 'crowded'),
    queued: () => queue.size,
    progress: () => batchesDone,
    giveUpWaiting() {
      stalled = true;
    },
    flush() {
      if (closed || (queue.size === 0 && inFlight === 0))
        return exporter.settled?.() ?? Promise.resolve();
      return new Promise((resolve) => {
        flushing.push(resolve);
        waker.abort();
      });
    },
    async close(until) {
      if (closed) return;
      closeAt = until;
      closing.abort();
      waker.abort();
      exporter.closing?.(Math.max(0, until - clock.now()));
      const timer = new AbortController();
      if (running !== undefined) {
        await Promise.race([running, clock.sleep(until - clock.now(), timer.signal)]);
      }
      timer.abort();
      closed = true;
      const left = queue.take(Infinity).length + inFlight;
      if (left > 0) onLoss('export_failed', left);
      const lost = left + (trouble?.lost ?? 0);
      if (lost > 0) notice(`${lost} could not be delivered`);
      endOverflow();
      for (const done of flushing.splice(0)) done();
    },
  };
}
