import type { Exporter } from '../../src/event/exporter.ts';
import {
  createPipeline,
  type Pipeline,
  type PipelineOptions,
} from '../../src/pipeline/pipeline.ts';
import { createFakeClock, type FakeClock } from './fake-clock.ts';

export interface Bench {
  readonly clock: FakeClock;
  readonly notices: string[];
  readonly pipeline: Pipeline;
}

/** A started pipeline whose time stands still until the test moves it. */
export async function startPipeline(
  exporters: readonly Exporter[],
  options: Partial<PipelineOptions> = {},
): Promise<Bench> {
  const clock = createFakeClock();
  const notices: string[] = [];
  const pipeline = createPipeline({
    exporters,
    deadlineMs: 10_000,
    onNotice: (message) => notices.push(message),
    batchPaths: 4,
    batchDelayMs: 100,
    clock,
    random: () => 0,
    ...options,
  });
  await pipeline.start();
  return { clock, notices, pipeline };
}

export const never = new Promise<never>(() => undefined);
export const losses = (pipeline: Pipeline): Record<string, number> =>
  Object.fromEntries(pipeline.losses());
