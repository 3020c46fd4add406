import { setTimeout as sleep } from 'node:timers/promises';
import { SkbspanError } from '../../errors.ts';
import type { Exporter, ExportResult } from '../../event/exporter.ts';
import type { PacketPath } from '../../event/packet-path.ts';
import type { Delivery } from './delivery.ts';
import type { OtlpOptions } from './options.ts';

export type { OtlpOptions } from './options.ts';

/** While the server works on the last requests of one batch, those of the next one are made. */
const BATCHES = 2;

/**
 * Sends packet paths as traces by OTLP, over gRPC or HTTP. `start` throws UsageError on wrong settings and SKBSPAN_EXPORT with
 * advice when no trace service answers. OpenTelemetry and gRPC (some 50 MB) are loaded by `start`, so a run without OTLP does
 * not pay for them. A retry must hand over the same array: what was accepted of it is not sent twice.
 */
export function createOtlpExporter(options: OtlpOptions): Exporter {
  let delivery: Delivery | undefined;
  let closed = false;
  const inFlight = new Set<Promise<ExportResult>>();

  return {
    name: 'otlp',
    concurrency: BATCHES,
    async start() {
      const { openDelivery } = await import('./delivery.ts');
      delivery ??= await openDelivery(options);
    },
    async export(paths: readonly PacketPath[]) {
      if (delivery === undefined || closed) {
        const error = new SkbspanError('SKBSPAN_INTERNAL', 'the OTLP exporter is not running');
        return { status: 'failure', error, lost: paths.length, cause: 'export_failed' };
      }
      const result = delivery.deliver(paths);
      inFlight.add(result);
      try {
        return await result;
      } finally {
        inFlight.delete(result);
      }
    },
    async shutdown(deadlineMs) {
      if (closed) return;
      closed = true;
      if (inFlight.size > 0) {
        const timer = new AbortController();
        const late = sleep(deadlineMs, undefined, { signal: timer.signal }).catch(() => undefined);
        await Promise.race([Promise.allSettled(inFlight), late]);
        timer.abort();
      }
      delivery?.close();
    },
  };
}
