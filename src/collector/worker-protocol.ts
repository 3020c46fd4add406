/** What the main thread and the collector's thread say to each other. */

import type { TrackerLimits, TrackerStatistics } from './tracker.ts';

/** Given at start. */
export interface WorkerSettings {
  /** Of the BPF ring buffer map; file descriptors belong to the process, not to a thread. */
  readonly ringFd: number;
  readonly ringBytes: number;
  readonly limits: TrackerLimits;
}

export type ToWorker =
  /** A batch of so many bytes has been dealt with. */
  | { readonly type: 'taken'; readonly bytes: number }
  | { readonly type: 'statistics'; readonly request: number }
  | { readonly type: 'stop' };

export type FromWorker =
  | { readonly type: 'batch'; readonly batch: ArrayBuffer }
  | {
      readonly type: 'statistics';
      readonly request: number;
      readonly statistics: TrackerStatistics;
    }
  /** The last word. All batches came before. */
  | { readonly type: 'stopped'; readonly statistics: TrackerStatistics };
