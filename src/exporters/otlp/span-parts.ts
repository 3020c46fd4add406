import {
  SpanKind,
  SpanStatusCode,
  type Attributes,
  type HrTime,
  type Link,
  type SpanContext,
  type SpanStatus,
} from '@opentelemetry/api';
import type { InstrumentationScope } from '@opentelemetry/core';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { Device } from '../../event/packet-path.ts';
import type { Resources } from './resources.ts';

/** A span before it has wall-clock times and a resource: what is particular to it. */
export interface SpanParts {
  readonly name: string;
  readonly context: SpanContext;
  /** undefined: the root of its trace. */
  readonly parent: SpanContext | undefined;
  /** From the path's start, true nanoseconds. */
  readonly offsetNs: number;
  readonly endOffsetNs: number;
  readonly attributes: Attributes;
  /** Where it was: decides the resource. */
  readonly device: Device | undefined;
  readonly status?: SpanStatus;
  readonly links?: Link[];
  readonly events?: readonly {
    readonly name: string;
    readonly offsetNs: number;
    readonly attributes: Attributes;
  }[];
}

export interface SpanOptions {
  readonly clones: 'same_trace' | 'own_trace';
  /** Whole number from 1. */
  readonly timeScale: number;
  readonly resources: Resources;
  readonly scope: InstrumentationScope;
}

export type Clock = (afterNs: number) => HrTime;

const NANOSECONDS = 1_000_000_000;
/** Jaeger warns of a negative duration on each span of no length and makes it this long; so an instant lasts this long. */
const SHORTEST = 1;
const unset: SpanStatus = { code: SpanStatusCode.UNSET };

export const contextOf = (traceId: string, spanId: string): SpanContext => ({
  traceId,
  spanId,
  traceFlags: 1,
});

/** Gives the wall-clock time so many ns after a path's start, in whole numbers only; exact below 2^53. */
export function createClock(startTimeNs: bigint): Clock {
  const seconds = Number(startTimeNs / BigInt(NANOSECONDS));
  const nanos = Number(startTimeNs % BigInt(NANOSECONDS));
  return (afterNs) => {
    const total = nanos + afterNs;
    const rest = total % NANOSECONDS;
    return [seconds + (total - rest) / NANOSECONDS, rest];
  };
}

/** A plain object in the shape that OpenTelemetry's serializers and exporters take. */
export function toReadableSpan(parts: SpanParts, clock: Clock, options: SpanOptions): ReadableSpan {
  const { context } = parts;
  const { timeScale } = options;
  const startNs = parts.offsetNs * timeScale;
  const endNs = Math.max(parts.endOffsetNs * timeScale, startNs + SHORTEST);
  const durationNs = endNs - startNs;
  return {
    name: parts.name,
    kind: SpanKind.INTERNAL,
    spanContext: () => context,
    ...(parts.parent === undefined ? {} : { parentSpanContext: parts.parent }),
    startTime: clock(startNs),
    endTime: clock(endNs),
    duration: [Math.floor(durationNs / NANOSECONDS), durationNs % NANOSECONDS],
    status: parts.status ?? unset,
    attributes: parts.attributes,
    links: parts.links ?? [],
    events: (parts.events ?? []).map(({ name, offsetNs, attributes }) => ({
      name,
      time: clock(offsetNs * timeScale),
      attributes,
    })),
    ended: true,
    resource: options.resources(parts.device),
    instrumentationScope: options.scope,
    droppedAttributesCount: 0,
    droppedEventsCount: 0,
    droppedLinksCount: 0,
  };
}
