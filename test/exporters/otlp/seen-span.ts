// Spans in one plain form, whether they come from the transform or were asked back from a backend.
import { SpanStatusCode } from '@opentelemetry/api';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';

export interface SeenSpan {
  readonly traceId: string;
  readonly spanId: string;
  /** Empty: the root of its trace. */
  readonly parentSpanId: string;
  readonly name: string;
  readonly startNs: bigint;
  readonly endNs: bigint;
  readonly attributes: Readonly<Record<string, unknown>>;
  readonly resource: Readonly<Record<string, unknown>>;
  readonly links: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly attributes: Readonly<Record<string, unknown>>;
  }[];
  readonly events: readonly { readonly name: string; readonly timeNs: bigint }[];
  /** undefined: no error. */
  readonly error: string | undefined;
}

const toNs = ([seconds, nanos]: readonly [number, number]): bigint =>
  BigInt(seconds) * 1_000_000_000n + BigInt(nanos);

export const seenFromReadable = (spans: readonly ReadableSpan[]): SeenSpan[] =>
  spans.map((span) => ({
    traceId: span.spanContext().traceId,
    spanId: span.spanContext().spanId,
    parentSpanId: span.parentSpanContext?.spanId ?? '',
    name: span.name,
    startNs: toNs(span.startTime),
    endNs: toNs(span.endTime),
    attributes: span.attributes,
    resource: span.resource.attributes,
    links: span.links.map(({ context, attributes }) => ({
      traceId: context.traceId,
      spanId: context.spanId,
      attributes: attributes ?? {},
    })),
    events: span.events.map(({ name, time }) => ({ name, timeNs: toNs(time) })),
    error: span.status.code === SpanStatusCode.ERROR ? (span.status.message ?? '') : undefined,
  }));
