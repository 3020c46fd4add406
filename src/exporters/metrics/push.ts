import { ExportResultCode } from '@opentelemetry/core';
import { ProtobufMetricsSerializer } from '@opentelemetry/otlp-transformer';
import {
  PeriodicExportingMetricReader,
  type IMetricReader,
  type MetricReader,
  type PushMetricExporter,
} from '@opentelemetry/sdk-metrics';
import { resolveOtlpConfig } from '../otlp/config.ts';
import type { OtlpOptions } from '../otlp/options.ts';
import { createTransport } from '../otlp/transport.ts';

const defaultIntervalMs = 60_000;

/** `OTEL_METRIC_EXPORT_INTERVAL` in milliseconds, as the SDK has it. */
function readInterval(): number {
  const given = Number(process.env['OTEL_METRIC_EXPORT_INTERVAL'] ?? defaultIntervalMs);
  return Number.isFinite(given) && given >= 100 ? given : defaultIntervalMs;
}

/**
 * A reader that sends its producer's metrics by OTLP from time to time and when it is shut down. They are totals, so one
 * that did not arrive is made good by the next. Throws SKBSPAN_EXPORT with advice if no metrics service answers.
 */
export async function openPush(
  to: Pick<OtlpOptions, 'endpoint' | 'protocol'>,
  producer: Parameters<IMetricReader['setMetricProducer']>[0],
): Promise<MetricReader> {
  const config = resolveOtlpConfig(to, process.env, 'METRICS');
  const transport = await createTransport(config, 'metrics');
  try {
    await transport.probe();
  } catch (error) {
    transport.close();
    throw error;
  }
  const exporter: PushMetricExporter = {
    export(metrics, done) {
      const request = ProtobufMetricsSerializer.serializeRequest(metrics) ?? new Uint8Array();
      void transport.send(request).then((result) => {
        if (result.kind === 'accepted') done({ code: ExportResultCode.SUCCESS });
        else done({ code: ExportResultCode.FAILED, error: result.error });
      });
    },
    forceFlush: () => Promise.resolve(),
    shutdown() {
      transport.close();
      return Promise.resolve();
    },
  };
  const exportIntervalMillis = readInterval();
  const exportTimeoutMillis = Math.min(config.timeoutMs, exportIntervalMillis);
  const reader = new PeriodicExportingMetricReader({
    exporter,
    exportIntervalMillis,
    exportTimeoutMillis,
  });
  reader.setMetricProducer(producer);
  return reader;
}
