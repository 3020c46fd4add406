// A path's spans in OpenTelemetry's own form, for its serializer and for what the tests compare.
import assert from 'node:assert/strict';
import {
  SpanKind,
  SpanStatusCode,
  type Attributes,
  type HrTime,
  type SpanContext as OpenTelemetryContext,
} from '@opentelemetry/api';
import type { InstrumentationScope } from '@opentelemetry/core';
import type { ReadableSpan } from '@opentelemetry/sdk-trace';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import type { Resources } from '../../../src/exporters/otlp/resources.ts';
import { spanIdText } from '../../../src/exporters/otlp/span-ids.ts';
import type { AttributeList, SpanContext } from '../../../src/exporters/otlp/span-parts.ts';
import { describeSpans, type SpanOptions } from '../../../src/exporters/otlp/spans.ts';

export interface ReadableOptions extends SpanOptions {
  readonly resources: Resources;
  readonly scope: InstrumentationScope;
}

/** As an object; fails on a name that stands there twice. */
export function toAttributes(list: Readonly<AttributeList>): Attributes {
  const attributes: Attributes = {};
  for (let at = 0; at < list.length; at += 2) {
    const name = String(list[at]);
    assert.ok(!(name in attributes), `${name} twice`);
    attributes[name] = list[at + 1];
  }
  return attributes;
}

const toHrTime = (ns: bigint): HrTime => [Number(ns / 1_000_000_000n), Number(ns % 1_000_000_000n)];

export function packetPathToSpans(path: PacketPath, options: ReadableOptions): ReadableSpan[] {
  const scale = BigInt(options.timeScale);
  const at = (offsetNs: number): bigint => path.startTimeNs + BigInt(offsetNs) * scale;
  return describeSpans(path, options).map((parts): ReadableSpan => {
    const start = at(parts.offsetNs);
    const end = at(parts.endOffsetNs);
    const flagged = ({ traceId, spanId }: SpanContext): OpenTelemetryContext => ({
      traceId,
      spanId: spanIdText(spanId),
      traceFlags: 1,
    });
    const context = flagged(parts.context);
    return {
      name: parts.name,
      kind: SpanKind.INTERNAL,
      spanContext: () => context,
      ...(parts.parent === undefined ? {} : { parentSpanContext: flagged(parts.parent) }),
      startTime: toHrTime(start),
      endTime: toHrTime(end > start ? end : start + 1n),
      duration: [0, 0],
      status:
        parts.error === undefined
          ? { code: SpanStatusCode.UNSET }
          : { code: SpanStatusCode.ERROR, message: parts.error },
      attributes: toAttributes(parts.attributes),
      links: (parts.links ?? []).map((link) => ({
        context: flagged(link.context),
        attributes: toAttributes(link.attributes),
      })),
      events: (parts.events ?? []).map(({ name, offsetNs, attributes }) => ({
        name,
        time: toHrTime(at(offsetNs)),
        attributes: toAttributes(attributes),
      })),
      ended: true,
      resource: options.resources(parts.device),
      instrumentationScope: options.scope,
      droppedAttributesCount: 0,
      droppedEventsCount: 0,
      droppedLinksCount: 0,
    };
  });
}
