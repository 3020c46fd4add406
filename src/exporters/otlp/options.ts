import type { OtlpProtocol } from './endpoint.ts';
import type { SpanDetail } from './select-calls.ts';
import type { SpanOptions } from './spans.ts';

/** What the user may say about OTLP output; everything left out comes from `OTEL_*` variables, then from defaults. */
export interface OtlpOptions {
  /** `http://host:4317`, `https://host`, `unix:///path`, `host:port` (TLS). undefined: environment or localhost. */
  readonly endpoint: string | undefined;
  /** undefined: as the environment says, else by the endpoint. */
  readonly protocol?: OtlpProtocol | undefined;
  /** Sent with each request, over those of `OTEL_EXPORTER_OTLP_HEADERS`. */
  readonly headers?: Readonly<Record<string, string>>;
  /** Multiplies every offset from the path's start: a viewer that knows whole microseconds shows nanoseconds with 1000. */
  readonly timeScale?: number;
  /** Whether a clone, copy or segment shares the packet's trace or starts its own; a link joins them either way. */
  readonly clones: 'same_trace' | 'own_trace';
  /** How much of a path; default: calls. */
  readonly detail?: SpanDetail;
  /** Spans of one trace; the rest is left out, and a span says how many. Default: no bound. */
  readonly maxSpans?: number;
  /** How a packet that carries an application's trace context is joined to it; default: by a link. */
  readonly join?: NonNullable<SpanOptions['join']>;
  /** One service name for all spans instead of one per network namespace. */
  readonly serviceName?: string;
  /** skbspan's version, for the instrumentation scope. */
  readonly version?: string;
  /** Biggest request in bytes before compression; servers refuse more than 4 MiB by default. */
  readonly maxRequestBytes?: number;
}
