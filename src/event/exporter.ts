import type { PacketPath } from './packet-path.ts';
import type { LossCause, Statistics } from './statistics.ts';

/**
 * What became of a batch. `failure` is final; `retryable` may be tried again after `retryAfterMs`. `lost` are the paths (or
 * spans, as `unit` says) that will not arrive, by cause; a partial success is a success with losses.
 */
export type ExportResult =
  | { readonly status: 'success'; readonly lost: number; readonly cause?: LossCause }
  | {
      readonly status: 'failure';
      readonly error: Error;
      readonly lost: number;
      readonly cause: LossCause;
    }
  | {
      readonly status: 'retryable';
      readonly error: Error;
      readonly retryAfterMs: number | undefined;
    };

/**
 * A sink for packet paths. `export` never throws, never changes what it gets, and does not queue, retry or batch: the
 * pipeline does. `shutdown` is safe twice and before `start`, flushes within `deadlineMs`, and nothing is called after it.
 */
export interface Exporter {
  /** Short name for messages: `text`, `json`, `otlp`. */
  readonly name: string;
  /** It writes to this machine (a file, the terminal): the pipeline waits for it a while before it drops paths. */
  readonly local?: boolean;
  /** Batches that it may have at once, default 1. With more, the order of paths is only roughly kept. */
  readonly concurrency?: number;
  /** Opens what it needs; throws SkbspanError with advice if it can't. Nothing is half-written on failure. */
  start(): Promise<void>;
  export(paths: readonly PacketPath[]): Promise<ExportResult>;
  /** Resolves when what `export` has answered for is settled; only where an answer may come before that. Never rejects. */
  settled?(): Promise<void>;
  /** The run ends: what is in flight should be settled within `ms`, so that its losses are known and not guessed. */
  closing?(ms: number): void;
  /**
   * What it lost so far, by cause, beyond what the results of `export` said: found out later, or for another reason than the
   * rest of a batch. Still asked after `shutdown`.
   */
  losses?(): ReadonlyMap<LossCause, number>;
  /** `statistics` are those of the whole run, for outputs that end with a summary record. */
  shutdown(deadlineMs: number, statistics: Statistics): Promise<void>;
}
