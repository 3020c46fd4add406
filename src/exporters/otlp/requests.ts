import type { PacketPath } from '../../event/packet-path.ts';

/** One request in bytes; `bytes` is undefined for a single span that is bigger than a request may be. */
export interface SpanRequest {
  readonly bytes: Uint8Array | undefined;
  readonly spans: number;
}

export interface RequestLimits {
  readonly maxBytes: number;
  readonly maxSpans: number;
}

/**
 * Packs paths into requests, made one by one as they are asked for, so that only those in flight take memory. A trace is kept in
 * one request if it fits. A call's span takes 400 to 700 bytes, so `maxSpans` alone keeps nearly all requests below the limit;
 * what is serialized is then measured, not guessed, and halved while it is too big.
 */
export function* packRequests<Span>(
  paths: readonly PacketPath[],
  toSpans: (path: PacketPath) => readonly Span[],
  serialize: (spans: readonly Span[]) => Uint8Array,
  limits: RequestLimits,
): Generator<SpanRequest, void, undefined> {
  let pending: Span[] = [];
  for (const path of paths) {
    const spans = toSpans(path);
    if (pending.length > 0 && pending.length + spans.length > limits.maxSpans) {
      yield* halveToFit(pending, serialize, limits.maxBytes);
      pending = [];
    }
    for (let from = 0; from < spans.length; from += limits.maxSpans) {
      const part = spans.slice(from, from + limits.maxSpans);
      if (part.length === limits.maxSpans) yield* halveToFit(part, serialize, limits.maxBytes);
      else pending.push(...part);
    }
  }
  if (pending.length > 0) yield* halveToFit(pending, serialize, limits.maxBytes);
}

function* halveToFit<Span>(
  spans: readonly Span[],
  serialize: (spans: readonly Span[]) => Uint8Array,
  maxBytes: number,
): Generator<SpanRequest, void, undefined> {
  const bytes = serialize(spans);
  if (bytes.length <= maxBytes) {
    yield { bytes, spans: spans.length };
  } else if (spans.length === 1) {
    yield { bytes: undefined, spans: 1 };
  } else {
    const middle = spans.length >> 1;
    yield* halveToFit(spans.slice(0, middle), serialize, maxBytes);
    yield* halveToFit(spans.slice(middle), serialize, maxBytes);
  }
}
