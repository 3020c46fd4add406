import type { Exporter, ExportResult } from '../../src/event/exporter.ts';
import type { PacketPath } from '../../src/event/packet-path.ts';
import type { Statistics } from '../../src/event/statistics.ts';
import { arpPath } from '../fixtures/packet-paths.ts';

export interface StubExporter extends Exporter {
  /** Ids of the paths of each call of export, tries included. */
  readonly batches: number[][];
  /** start, shutdown: in the order in which they were called. */
  readonly calls: string[];
  readonly shutdowns: { readonly deadlineMs: number; readonly statistics: Statistics }[];
}

export interface StubOptions {
  readonly name?: string;
  /** Result of the n-th call of export; default success. */
  readonly answer?: (
    call: number,
    paths: readonly PacketPath[],
  ) => ExportResult | Promise<ExportResult>;
  readonly start?: () => Promise<void>;
  readonly shutdown?: () => Promise<void>;
}

export const success: ExportResult = { status: 'success', lost: 0 };

export const busy = (retryAfterMs?: number): ExportResult => ({
  status: 'retryable',
  error: new Error('busy'),
  retryAfterMs,
});

export function createStubExporter(options: StubOptions = {}): StubExporter {
  const batches: number[][] = [];
  const calls: string[] = [];
  const shutdowns: StubExporter['shutdowns'] = [];
  return {
    name: options.name ?? 'stub',
    batches,
    calls,
    shutdowns,
    async start() {
      calls.push('start');
      await options.start?.();
    },
    async export(paths) {
      batches.push(paths.map((path) => path.id));
      return (await options.answer?.(batches.length, paths)) ?? success;
    },
    async shutdown(deadlineMs, statistics) {
      calls.push('shutdown');
      shutdowns.push({ deadlineMs, statistics });
      await options.shutdown?.();
    },
  };
}

/** `count` paths with the ids from `first` on; five calls each. */
export function somePaths(count: number, first = 1): PacketPath[] {
  const path = arpPath();
  return Array.from({ length: count }, (_, index) => ({ ...path, id: first + index }));
}

export const someStatistics: Statistics = {
  events: 100,
  lives: 10,
  paths: 9,
  drops: new Map([['NETFILTER_DROP', 1]]),
  losses: new Map([
    ['ring_full', 3],
    ['export_queue', 0],
  ]),
};
