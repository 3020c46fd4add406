/**
 * One run from the first probe to the last byte of output; `trace` and `demo` share it.
 *
 * Order: exporters start before the first packet can come, and stop after the last one has been handed out:
 * pipeline.start -> startTracing -> (stop asked for) -> tracing.stop -> pipeline.shutdown.
 */
import { startTracing, type Tracing, type TracingOptions } from '../collector/tracing.ts';
import type { Exporter } from '../event/exporter.ts';
import type { Statistics } from '../event/statistics.ts';
import { createPipeline, type Pipeline } from '../pipeline/pipeline.ts';
import { createProgress } from './progress.ts';
import type { Intake } from './intake.ts';
import { say } from './say.ts';
import type { StopRequest } from './stop-request.ts';

/** One batch may be tried for so long before its paths count as not delivered. */
const deliverMs = 60_000;
/** At the end a person waits: whoever has not taken its paths by then does not get them. */
const shutdownMs = 5_000;

/** What the run has counted so far, the outputs' losses included, and how full their queues are. */
export type ReadState = () => Promise<{
  readonly statistics: Statistics;
  readonly queues: ReturnType<Pipeline['queues']>;
}>;

export interface SessionOptions {
  readonly tracing: Omit<TracingOptions, 'onProgress' | 'onPaths' | 'onError'>;
  readonly exporters: readonly Exporter[];
  readonly stop: StopRequest;
  /** What paths go through before the exporters; default: nothing. */
  readonly intake?: Intake;
  /** Called once all probes record; if it throws, the session ends and throws that. */
  readonly onReady: (tracing: Tracing, state: ReadState) => void | Promise<void>;
}

export interface SessionResult {
  readonly statistics: Statistics;
  /** From recording to being asked to stop. */
  readonly elapsedMs: number;
  /** What ended the run, if nobody asked for it. The summary holds for what came before. */
  readonly broken: Error | undefined;
}

const noStatistics: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: new Map(),
};

/** Fewer are gone before anybody could look. */
const worthSaying = 64;

function sayDetaching({ detaching }: Tracing): void {
  if (detaching === undefined || detaching.links < worthSaying) return;
  say(`the kernel removes ${detaching.links} probes in the background (process ${detaching.pid})`);
}

/**
 * Traces until `stop` is asked for, then drains. Returns undefined if that came before anything was recorded. Throws what
 * starting or `onReady` threw, after everything is closed.
 */
export async function runSession(options: SessionOptions): Promise<SessionResult | undefined> {
  const { stop, intake, onReady } = options;
  const progress = createProgress(process.stderr);
  const pipeline = createPipeline({
    exporters: options.exporters,
    deadlineMs: deliverMs,
    onNotice: say,
  });
  let broken: Error | undefined;

  await pipeline.start();
  let statistics = noStatistics;
  try {
    const starting = startTracing({
      ...options.tracing,
      onProgress: (step) => {
        progress.update(step);
      },
      onPaths: (paths) => pipeline.push(intake?.take(paths) ?? paths),
      onError: (error) => {
        broken ??= error;
        stop.request('broken');
      },
    });
    const tracing = await Promise.race([starting, stop.requested.then(() => undefined)]);
    if (tracing === undefined) {
      // Loading cannot be called off; the process ends soon, and the kernel takes away what was attached by then.
      starting.catch(() => undefined);
      return undefined;
    }

    const began = performance.now();
    let elapsedMs: number;
    try {
      await onReady(tracing, async () => {
        const seen = await tracing.statistics();
        const losses = new Map(seen.losses);
        for (const [cause, count] of pipeline.losses())
          losses.set(cause, (losses.get(cause) ?? 0) + count);
        const counted = { ...seen, losses };
        return {
          statistics: intake?.counted(counted) ?? counted,
          queues: pipeline.queues(),
        };
      });
      await stop.requested;
    } finally {
      elapsedMs = performance.now() - began;
      statistics = await tracing.stop();
      sayDetaching(tracing);
    }
    statistics = intake?.counted(statistics) ?? statistics;
    statistics = await pipeline.shutdown(shutdownMs, statistics);
    return { statistics, elapsedMs, broken };
  } finally {
    progress.clear();
    await pipeline.shutdown(shutdownMs, statistics);
  }
}
