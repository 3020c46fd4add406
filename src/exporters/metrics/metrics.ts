/**
 * Metrics of a run, by OpenTelemetry's readers: scraped by Prometheus, and pushed by OTLP. What is counted comes from
 * path-metrics.ts and from whoever knows the state of the run; the readers get it by the SDK's interface for that.
 */
import { hrTime } from '@opentelemetry/core';
import { PrometheusExporter } from '@opentelemetry/exporter-prometheus';
import type { MetricReader } from '@opentelemetry/sdk-metrics';
import { SkbspanError } from '../../errors.ts';
import type { PacketPath } from '../../event/packet-path.ts';
import type { OtlpOptions } from '../otlp/options.ts';
import { createResources } from '../otlp/resources.ts';
import { toMetricData, type RunState } from './metric-data.ts';
import { createPathMetrics } from './path-metrics.ts';
import { openPush } from './push.ts';

export type { QueueState, RunState } from './metric-data.ts';

export interface MetricsOptions {
  /** Where Prometheus may ask; undefined: nowhere. Port 0: any, see `Metrics.address`. */
  readonly listen: { readonly host: string; readonly port: number } | undefined;
  /** Pushed by OTLP; `endpoint` undefined: as the OTEL_* variables say. */
  readonly otlp: Pick<OtlpOptions, 'endpoint' | 'protocol'> | undefined;
  readonly version: string;
}

export interface Metrics {
  readonly observe: (paths: readonly PacketPath[]) => void;
  /** Who is asked for the rest; without one, or before it is set, there are paths only. */
  setSource(read: () => Promise<RunState>): void;
  /** Pushes what there is, ends within `deadlineMs`. */
  close(deadlineMs: number): Promise<void>;
}

const nothing: RunState = {
  statistics: { events: 0, lives: 0, paths: 0, drops: new Map(), losses: new Map() },
  queues: [],
};

/** Opens port and connection. Throws SKBSPAN_EXPORT with advice if one of them cannot be; then nothing is left open. */
export async function openMetrics(options: MetricsOptions): Promise<Metrics> {
  const { listen, otlp, version } = options;
  const startTime = hrTime();
  const paths = createPathMetrics();
  const named = { serviceName: undefined, fallbackName: 'skbspan', timeScale: 1 };
  const resource = (await createResources(named))(undefined);
  const scope = { name: 'skbspan', version };
  let read = (): Promise<RunState> => Promise.resolve(nothing);
  const producer = {
    async collect() {
      const metrics = toMetricData(paths, await read(), startTime);
      return { resourceMetrics: { resource, scopeMetrics: [{ scope, metrics }] }, errors: [] };
    },
  };

  const readers: MetricReader[] = [];
  if (listen !== undefined) {
    const prometheus = new PrometheusExporter({ ...listen, preventServerStart: true });
    prometheus.setMetricProducer(producer);
    try {
      await prometheus.startServer();
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new SkbspanError('SKBSPAN_EXPORT', `metrics cannot be served: ${reason}`, {
        advice: 'Give another address: --metrics-listen 127.0.0.1:9464.',
        cause,
      });
    }
    readers.push(prometheus);
  }
  const closeAll = (deadlineMs: number): Promise<unknown> =>
    Promise.allSettled(readers.map((reader) => reader.shutdown({ timeoutMillis: deadlineMs })));
  if (otlp !== undefined) {
    try {
      readers.push(await openPush(otlp, producer));
    } catch (error) {
      await closeAll(1000);
      throw error;
    }
  }

  return {
    observe: paths.observe,
    setSource(source) {
      read = source;
    },
    async close(deadlineMs) {
      await closeAll(deadlineMs);
    },
  };
}
