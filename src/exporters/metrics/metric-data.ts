import { ValueType, type Attributes, type HrTime } from '@opentelemetry/api';
import { hrTime } from '@opentelemetry/core';
import {
  AggregationTemporality,
  DataPointType,
  type Histogram,
  type MetricData,
} from '@opentelemetry/sdk-metrics';
import type { Statistics } from '../../event/statistics.ts';
import { ofMetrics, own, std } from '../otlp/attribute-names.ts';
import type { DurationHistogram } from './histogram.ts';
import { metricNames as names } from './metric-names.ts';
import { overflow, type PathMetrics } from './path-metrics.ts';

/** How full an exporter's queue is. */
export interface QueueState {
  readonly exporter: string;
  readonly paths: number;
  readonly capacity: number;
}

/** What is asked for when metrics are collected. */
export interface RunState {
  readonly statistics: Statistics;
  readonly queues: readonly QueueState[];
}

interface Point<Value> {
  readonly attributes: Attributes;
  readonly value: Value;
}

/** The SDK's attribute of the series that stands for all others. */
const overflowAttributes: Attributes = { 'otel.metric.overflow': true };

/** All metrics as the SDK hands them to its exporters: totals since `startTime`. */
export function toMetricData(
  metrics: PathMetrics,
  { statistics, queues }: RunState,
  startTime: HrTime,
): MetricData[] {
  const endTime = hrTime();
  const base = (name: keyof typeof names, valueType: ValueType) => ({
    descriptor: { name, ...names[name], valueType },
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
  });
  const dataPoints = <Value>(points: readonly Point<Value>[]) =>
    points.map(({ attributes, value }) => ({ startTime, endTime, attributes, value }));
  const sum = (name: keyof typeof names, points: readonly Point<number>[]): MetricData => ({
    ...base(name, ValueType.INT),
    dataPointType: DataPointType.SUM,
    isMonotonic: true,
    dataPoints: dataPoints(points),
  });
  const gauge = (name: keyof typeof names, points: readonly Point<number>[]): MetricData => ({
    ...base(name, ValueType.INT),
    dataPointType: DataPointType.GAUGE,
    dataPoints: dataPoints(points),
  });
  const histogram = (
    name: keyof typeof names,
    points: readonly Point<DurationHistogram>[],
  ): MetricData => ({
    ...base(name, ValueType.DOUBLE),
    dataPointType: DataPointType.HISTOGRAM,
    dataPoints: dataPoints(
      points.map(({ attributes, value }): Point<Histogram> => ({
        attributes,
        value: value.value(),
      })),
    ),
  });

  const packets = [...metrics.packets.values()].map((series) => ({
    series,
    attributes:
      series.transport === overflow
        ? overflowAttributes
        : {
            [std.networkTransport]: series.transport,
            [std.networkIoDirection]: series.direction,
          },
  }));
  const queueAttributes = (queue: QueueState): Attributes => ({
    [ofMetrics.exporter]: queue.exporter,
  });
  return [
    sum(
      'skbspan.packets',
      packets.map(({ series, attributes }) => ({ attributes, value: series.count })),
    ),
    sum(
      'skbspan.packets.incomplete',
      packets.map(({ series, attributes }) => ({ attributes, value: series.incomplete })),
    ),
    histogram(
      'skbspan.packet.duration',
      packets.map(({ series, attributes }) => ({ attributes, value: series.duration })),
    ),
    histogram(
      'skbspan.call.duration',
      [...metrics.calls].map(([func, value]) => ({
        attributes: func === overflow ? overflowAttributes : { [std.codeFunctionName]: func },
        value,
      })),
    ),
    histogram(
      'skbspan.wait.duration',
      [...metrics.waits].map(([place, value]) => ({
        attributes: { [own.waitPlace]: place },
        value,
      })),
    ),
    sum(
      'skbspan.drops',
      [...metrics.drops.values()].map(({ reason, func, count }) => ({
        attributes:
          reason === overflow
            ? overflowAttributes
            : { [own.dropReason]: reason, ...(func === '' ? {} : { [own.dropFunction]: func }) },
        value: count,
      })),
    ),
    sum('skbspan.events', [{ attributes: {}, value: statistics.events }]),
    sum(
      'skbspan.losses',
      [...statistics.losses].map(([cause, value]) => ({
        attributes: { [ofMetrics.lossCause]: cause },
        value,
      })),
    ),
    sum('skbspan.packets.left_out', [{ attributes: {}, value: statistics.leftOut ?? 0 }]),
    gauge(
      'skbspan.export.queue.size',
      queues.map((queue) => ({ attributes: queueAttributes(queue), value: queue.paths })),
    ),
    gauge(
      'skbspan.export.queue.capacity',
      queues.map((queue) => ({ attributes: queueAttributes(queue), value: queue.capacity })),
    ),
  ];
}
