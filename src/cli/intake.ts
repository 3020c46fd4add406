/** Where finished paths come in, before any output: they get their trace ids, are counted, and the ones worth keeping go on. */
import type { PacketPath } from '../event/packet-path.ts';
import type { Statistics } from '../event/statistics.ts';
import { createContentTraceIds } from '../pipeline/content-trace-id.ts';
import type { IntakeOptions } from './intake-options.ts';

export interface Intake {
  /** The paths that outputs get. */
  take(paths: readonly PacketPath[]): readonly PacketPath[];
  /** `statistics` with what was left out on purpose. */
  counted(statistics: Statistics): Statistics;
}

/** `observe` sees every path, whether it is kept or not. */
export function createIntake(
  { keep, traceId }: IntakeOptions,
  observe?: (paths: readonly PacketPath[]) => void,
): Intake {
  const withTraceId = traceId === 'content' ? createContentTraceIds() : undefined;
  let leftOut = 0;
  return {
    take(paths) {
      observe?.(paths);
      const named = withTraceId === undefined ? paths : paths.map(withTraceId);
      if (keep === undefined) return named;
      const kept = named.filter(keep);
      leftOut += named.length - kept.length;
      return kept;
    },
    counted: (statistics) => (keep === undefined ? statistics : { ...statistics, leftOut }),
  };
}
