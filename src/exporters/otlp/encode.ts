/**
 * Spans to the bytes of an ExportTraceServiceRequest (opentelemetry-proto, trace.proto):
 *
 *   Request       1 repeated ResourceSpans
 *   ResourceSpans 1 Resource { 1 repeated KeyValue }, 2 repeated ScopeSpans
 *   ScopeSpans    1 Scope { 1 name, 2 version }, 2 repeated Span
 *   Span          1 trace_id, 2 span_id, 4 parent_span_id, 5 name, 6 kind, 7 start, 8 end (fixed64, ns since 1970),
 *                 9 repeated KeyValue, 11 repeated Event, 13 repeated Link, 15 Status, 16 flags (fixed32)
 *   Event         1 time (fixed64), 2 name, 3 repeated KeyValue
 *   Link          1 trace_id, 2 span_id, 4 repeated KeyValue, 6 flags
 *   Status        2 message, 3 code
 *   KeyValue      1 key, 2 AnyValue { 1 string, 2 bool, 3 int, 4 double, 5 ArrayValue { 1 repeated AnyValue } }
 *
 * OpenTelemetry's serializer goes over everything twice and takes ten microseconds for a call's span, which is most of what
 * exporting costs. This one writes backwards, once, with the keys of attributes encoded before; the tests hold it against the
 * other one's result. Fields that have their default value are left out.
 */
import type { InstrumentationScope } from '@opentelemetry/core';
import type { Resource } from '@opentelemetry/resources';
import { createProtobufWriter } from './protobuf-writer.ts';
import type { Resources } from './resources.ts';
import type { AttributeList, AttributeValue, Epoch, SpanId, SpanParts } from './span-parts.ts';

export interface EncodeOptions {
  /** Whole number from 1. */
  readonly timeScale: number;
  readonly resources: Resources;
  readonly scope: InstrumentationScope;
}

export type EncodeSpans = (spans: readonly SpanParts[]) => Uint8Array<ArrayBuffer>;

/** Jaeger warns of a negative duration on each span of no length and makes it this long; so an instant lasts this long. */
const SHORTEST_NS = 1;
const KIND_INTERNAL = 1;
const STATUS_ERROR = 2;
const TWO_32 = 2 ** 32;

const tagOf = (field: number, wire: 0 | 1 | 2 | 5): number => (field << 3) | wire;
const textBytes = (value: string): Uint8Array => {
  const writer = createProtobufWriter(64);
  writer.text(value);
  writer.byte(tagOf(1, 2));
  return writer.take();
};

/** Those of a resource, without what has no value. */
const listOf = ({ attributes }: Resource): AttributeList =>
  Object.entries(attributes).flatMap(([name, value]) =>
    value === undefined || value === null ? [] : [name, value as AttributeValue],
  );

/** More than there are names of attributes; the bound keeps what users set by OTEL_RESOURCE_ATTRIBUTES from mattering. */
const KEPT_KEYS = 1024;

/** Makes requests of spans; one encoder for all of them, since it keeps its buffer. */
export function createEncoder({ timeScale, resources, scope }: EncodeOptions): EncodeSpans {
  const writer = createProtobufWriter();
  const { byte, varint, size } = writer;
  const keys = new Map<string, Uint8Array>();
  // All spans of a path have the same one, mostly.
  let [traceDigits, trace] = ['', new Uint8Array()];
  // The flags of a span: sampled, and "is the parent remote" is known to be false.
  const flags = Uint8Array.of(0x01, 0x01, 0x00, 0x00);

  function keyOf(name: string): Uint8Array {
    let key = keys.get(name);
    if (key === undefined) {
      if (keys.size >= KEPT_KEYS) keys.clear();
      key = textBytes(name);
      keys.set(name, key);
    }
    return key;
  }

  /** Ends a length-delimited field that began, going backwards, at `end`. */
  function close(field: number, end: number): void {
    varint(size() - end);
    byte(tagOf(field, 2));
  }

  function anyValue(value: unknown): void {
    if (typeof value === 'string') {
      writer.text(value);
      byte(tagOf(1, 2));
    } else if (typeof value === 'boolean') {
      byte(value ? 1 : 0);
      byte(tagOf(2, 0));
    } else if (typeof value === 'number') {
      if (Number.isSafeInteger(value) && value >= 0) {
        varint(value);
        byte(tagOf(3, 0));
      } else {
        writer.double(value);
        byte(tagOf(4, 1));
      }
    } else if (Array.isArray(value)) {
      const end = size();
      for (const item of (value as readonly unknown[]).toReversed()) {
        const itemEnd = size();
        anyValue(item);
        close(1, itemEnd);
      }
      close(5, end);
    }
  }

  function attributes(field: number, list: Readonly<AttributeList>): void {
    for (let i = list.length - 2; i >= 0; i -= 2) {
      const end = size();
      anyValue(list[i + 1]);
      close(2, end);
      writer.raw(keyOf(list[i] as string));
      close(field, end);
    }
  }

  function time(field: number, { low, high }: Epoch, afterNs: number): void {
    const sum = low + (afterNs % TWO_32);
    writer.fixed64(sum, high + Math.floor(afterNs / TWO_32) + (sum >= TWO_32 ? 1 : 0));
    byte(tagOf(field, 1));
  }

  function text(field: number, value: string): void {
    writer.text(value);
    byte(tagOf(field, 2));
  }

  function spanIdOf(field: number, { high, low }: SpanId): void {
    writer.id(high, low);
    byte(tagOf(field, 2));
  }

  function traceIdOf(field: number, digits: string): void {
    if (digits !== traceDigits) {
      trace = Buffer.from(digits, 'hex');
      traceDigits = digits;
    }
    writer.raw(trace);
    varint(trace.length);
    byte(tagOf(field, 2));
  }

  function links({ links: all = [] }: SpanParts): void {
    for (let i = all.length - 1; i >= 0; i--) {
      const link = all[i];
      if (link === undefined) continue;
      const end = size();
      writer.raw(flags);
      byte(tagOf(6, 5));
      attributes(4, link.attributes);
      spanIdOf(2, link.context.spanId);
      traceIdOf(1, link.context.traceId);
      close(13, end);
    }
  }

  function events({ events: all = [], epoch }: SpanParts): void {
    for (let i = all.length - 1; i >= 0; i--) {
      const event = all[i];
      if (event === undefined) continue;
      const end = size();
      attributes(3, event.attributes);
      text(2, event.name);
      time(1, epoch, event.offsetNs * timeScale);
      close(11, end);
    }
  }

  function span(parts: SpanParts): void {
    const end = size();
    writer.raw(flags);
    byte((tagOf(16, 5) >> 7) & 0x7f);
    byte((tagOf(16, 5) & 0x7f) | 0x80);
    if (parts.error !== undefined) {
      const statusEnd = size();
      byte(STATUS_ERROR);
      byte(tagOf(3, 0));
      text(2, parts.error);
      close(15, statusEnd);
    }
    links(parts);
    events(parts);
    attributes(9, parts.attributes);
    const startNs = parts.offsetNs * timeScale;
    time(8, parts.epoch, Math.max(parts.endOffsetNs * timeScale, startNs + SHORTEST_NS));
    time(7, parts.epoch, startNs);
    byte(KIND_INTERNAL);
    byte(tagOf(6, 0));
    text(5, parts.name);
    if (parts.parent !== undefined) spanIdOf(4, parts.parent.spanId);
    spanIdOf(2, parts.context.spanId);
    traceIdOf(1, parts.context.traceId);
    close(2, end);
  }

  function resourceSpans(resource: Resource, spans: readonly SpanParts[]): void {
    const end = size();
    for (let i = spans.length - 1; i >= 0; i--) {
      const parts = spans[i];
      if (parts !== undefined) span(parts);
    }
    const scopeEnd = size();
    if (scope.version !== undefined) text(2, scope.version);
    text(1, scope.name);
    close(1, scopeEnd);
    close(2, end);
    const resourceEnd = size();
    attributes(1, listOf(resource));
    close(1, resourceEnd);
    close(1, end);
  }

  return (spans) => {
    const byResource = new Map<Resource, SpanParts[]>();
    for (const parts of spans) {
      const resource = resources(parts.device);
      const known = byResource.get(resource);
      if (known === undefined) byResource.set(resource, [parts]);
      else known.push(parts);
    }
    for (const [resource, group] of [...byResource].reverse()) resourceSpans(resource, group);
    return writer.take();
  };
}
