/** The main thread's side of the collector's thread. */

import { setImmediate } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { SkbspanError } from '../errors.ts';
import { programFile } from '../package-files.ts';
import { defaultTrackerLimits, type TrackerLimits, type TrackerStatistics } from './tracker.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './worker-protocol.ts';

export interface CollectorWorkerOptions {
  /** File descriptor of the BPF ring buffer map; must stay open until `stop` is done. */
  readonly ringFd: number;
  /** The map's max_entries. */
  readonly ringBytes: number;
  readonly limits?: TrackerLimits;
  /**
   * A batch for PathBuilder.build. Until a returned promise is settled the batch counts as not dealt with; beyond 64 MiB of
   * those the worker drops whole paths and counts them as `paths_dropped`.
   */
  readonly onBatch: (batch: ArrayBuffer) => void | Promise<void>;
  /** The worker died, or onBatch failed. */
  readonly onError: (error: Error) => void;
}

export interface CollectorWorker {
  /** Fails with SKBSPAN_INTERNAL if the worker died. */
  statistics(): Promise<TrackerStatistics>;
  /**
   * Reads the ring empty, hands out all paths in flight, and ends the worker; done when onBatch is done with the last batch.
   * The kernel side has to be switched off before. Idempotent.
   */
  stop(): Promise<TrackerStatistics>;
}

interface Waiting {
  readonly resolve: (statistics: TrackerStatistics) => void;
  readonly reject: (error: Error) => void;
}

export function startCollectorWorker(options: CollectorWorkerOptions): CollectorWorker {
  const settings: WorkerSettings = {
    ringFd: options.ringFd,
    ringBytes: options.ringBytes,
    limits: options.limits ?? defaultTrackerLimits,
  };
  const worker = new Worker(programFile('collector/worker'), {
    workerData: settings,
    name: 'skbspan-collector',
    // It keeps nothing but typed arrays, which do not count here.
    resourceLimits: { maxYoungGenerationSizeMb: 4, maxOldGenerationSizeMb: 64 },
  });
  const tell = (message: ToWorker): void => {
    worker.postMessage(message);
  };
  const requests = new Map<number, Waiting>();
  /** One batch at a time: those that wait stay raw bytes, a tenth of what their paths would take. */
  let taking = Promise.resolve();
  let lastRequest = 0;
  let stopping: Promise<TrackerStatistics> | undefined;
  let stopped: Waiting | undefined;
  let final: TrackerStatistics | undefined;
  let failure: Error | undefined;

  async function take(batch: ArrayBuffer): Promise<void> {
    const bytes = batch.byteLength;
    // What the exporters write must get its turn between two batches.
    await setImmediate();
    try {
      await options.onBatch(batch);
    } catch (error) {
      options.onError(error instanceof Error ? error : new Error(String(error)));
    }
    if (final === undefined) tell({ type: 'taken', bytes });
  }

  function fail(reason: string, cause?: unknown): void {
    if (failure !== undefined) return;
    failure = new SkbspanError('SKBSPAN_INTERNAL', `The collector's thread ended: ${reason}`, {
      advice: 'Tracing cannot go on: start again. If it happens again, please report it.',
      cause,
    });
    for (const waiting of requests.values()) waiting.reject(failure);
    requests.clear();
    stopped?.reject(failure);
    options.onError(failure);
  }

  worker.on('message', (message: FromWorker) => {
    if (message.type === 'batch') {
      const { batch } = message;
      taking = taking.then(() => take(batch));
    } else if (message.type === 'statistics') {
      requests.get(message.request)?.resolve(message.statistics);
      requests.delete(message.request);
    } else {
      final = message.statistics;
      for (const waiting of requests.values()) waiting.resolve(final);
      requests.clear();
      stopped?.resolve(final);
    }
  });
  worker.on('error', (error: unknown) => {
    fail(error instanceof Error ? error.message : String(error), error);
  });
  worker.on('exit', (code) => {
    if (final === undefined) fail(`exit code ${code}`);
  });

  async function stop(): Promise<TrackerStatistics> {
    if (failure !== undefined) throw failure;
    const statistics = await new Promise<TrackerStatistics>((resolve, reject) => {
      stopped = { resolve, reject };
      tell({ type: 'stop' });
    });
    await taking;
    return statistics;
  }

  return {
    statistics() {
      if (failure !== undefined) return Promise.reject(failure);
      if (final !== undefined) return Promise.resolve(final);
      return new Promise((resolve, reject) => {
        const request = ++lastRequest;
        requests.set(request, { resolve, reject });
        tell({ type: 'statistics', request });
      });
    },
    stop: () => (stopping ??= stop()),
  };
}
