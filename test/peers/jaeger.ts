// A real Jaeger v2 on loopback with its memory storage, and what it says of a trace.
import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { SeenSpan } from '../exporters/otlp/seen-span.ts';
import { freePorts } from './free-ports.ts';

export const jaegerBinary = fileURLToPath(
  new URL('../../.cache/jaeger-1.76.0/jaeger', import.meta.url),
);

/** Why tests with Jaeger cannot run; undefined if they can. */
export const jaegerMissing = existsSync(jaegerBinary)
  ? undefined
  : 'Jaeger is not built: run scripts/peers/build-jaeger.sh';

export interface Jaeger {
  /** Of its OTLP/gRPC receiver. */
  readonly endpoint: string;
  /** Of its OTLP/HTTP receiver. */
  readonly httpEndpoint: string;
  /** Of its process; another one after `restart`. */
  readonly pid: number;
  /** kill -9. */
  kill(): Promise<void>;
  /** Starts it again with the same ports and storage; resolves when it takes traces. */
  restart(): Promise<void>;
  /** `/api/v3/traces/<id>`: OTLP in JSON, nanoseconds. */
  spans(traceId: string): Promise<SeenSpan[]>;
  /** `/api/traces/<id>`: what the UI draws, microseconds. */
  drawn(traceId: string): Promise<DrawnSpan[]>;
}

export interface DrawnSpan {
  readonly spanID: string;
  readonly operationName: string;
  /** Microseconds. */
  readonly startTime: number;
  readonly duration: number;
  readonly processID: string;
  readonly references: readonly {
    readonly refType: 'CHILD_OF' | 'FOLLOWS_FROM';
    readonly traceID: string;
    readonly spanID: string;
  }[];
  readonly tags: readonly { readonly key: string; readonly value: unknown }[];
}

/** Whoever Jaeger lives for: a test, or a benchmark. */
export interface Owner {
  after(end: () => Promise<void>): unknown;
}

const readyMs = 30_000;

export interface JaegerOptions {
  /** Keeps traces in its folder over a restart, instead of in memory. */
  readonly keeps?: boolean;
  /** Of its OTLP/gRPC receiver, over the port of this machine. */
  readonly grpc?: Readonly<Record<string, unknown>>;
  /** The same of its OTLP/HTTP receiver. */
  readonly http?: Readonly<Record<string, unknown>>;
}

const configuration = (
  [otlp = 0, http = 0, grpc = 0, health = 0, otlpHttp = 0]: readonly number[],
  kafka: readonly string[],
  folder: string,
  options: JaegerOptions,
): string =>
  JSON.stringify({
    service: {
      extensions: ['jaeger_storage', 'jaeger_query', 'healthcheckv2'],
      pipelines: {
        traces: {
          receivers: kafka.length === 0 ? ['otlp'] : ['otlp', 'kafka'],
          exporters: ['jaeger_storage_exporter'],
        },
      },
      telemetry: { metrics: { level: 'none' }, logs: { level: 'warn' } },
    },
    extensions: {
      healthcheckv2: { use_v2: true, http: { endpoint: `127.0.0.1:${health}` } },
      jaeger_query: {
        storage: { traces: 'memory' },
        http: { endpoint: `127.0.0.1:${http}` },
        grpc: { endpoint: `127.0.0.1:${grpc}` },
      },
      jaeger_storage: {
        backends: {
          memory:
            options.keeps === true
              ? {
                  badger: {
                    ephemeral: false,
                    directories: { keys: join(folder, 'keys'), values: join(folder, 'values') },
                  },
                }
              : { memory: { max_traces: 100_000 } },
        },
      },
    },
    receivers: {
      otlp: {
        protocols: {
          grpc: { endpoint: `127.0.0.1:${otlp}`, ...options.grpc },
          http: { endpoint: `127.0.0.1:${otlpHttp}`, ...options.http },
        },
      },
      ...(kafka.length === 0
        ? {}
        : {
            kafka: {
              brokers: kafka,
              traces: { topic: 'otlp_spans', encoding: 'otlp_proto' },
              initial_offset: 'earliest',
            },
          }),
    },
    exporters: { jaeger_storage_exporter: { trace_storage: 'memory' } },
  });

/** Starts Jaeger for the time of a test; resolves when it takes traces. `kafka`: brokers whose topic otlp_spans it reads too. */
export async function startJaeger(
  t: Owner,
  kafka: readonly string[] = [],
  options: JaegerOptions = {},
): Promise<Jaeger> {
  const ports = await freePorts(5);
  const [otlp = 0, http = 0, , health = 0, otlpHttp = 0] = ports;
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-jaeger-'));
  const file = join(folder, 'config.yaml');
  // JSON is YAML.
  writeFileSync(file, configuration(ports, kafka, folder, options));
  // Its own traces must not go to whatever listens on this machine.
  const env = { ...process.env, OTEL_TRACES_SAMPLER: 'always_off' };
  let running = { child: undefined as ChildProcess | undefined, closed: Promise.resolve() };

  const kill = async (): Promise<void> => {
    running.child?.kill('SIGKILL');
    await running.closed;
  };
  t.after(async () => {
    await kill();
    rmSync(folder, { recursive: true });
  });
  const isReady = (): Promise<boolean> =>
    fetch(`http://127.0.0.1:${health}/status`).then(
      ({ ok }) => ok,
      () => false,
    );
  const start = async (): Promise<void> => {
    const child = spawn(jaegerBinary, ['--config', file], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env,
    });
    running = { child, closed: once(child, 'close').then(() => undefined) };
    let output = '';
    for (const stream of [child.stdout, child.stderr])
      stream.setEncoding('utf8').on('data', (text: string) => (output += text));
    const giveUpAt = Date.now() + readyMs;
    while (!(await isReady())) {
      if (child.exitCode !== null || Date.now() > giveUpAt)
        throw new Error(`Jaeger did not start:\n${output}`);
      await sleep(50);
    }
  };
  await start();

  const get = async <Answer>(path: string): Promise<Answer> => {
    const response = await fetch(`http://127.0.0.1:${http}${path}`);
    if (!response.ok) throw new Error(`${path}: ${response.status} ${await response.text()}`);
    return (await response.json()) as Answer;
  };
  return {
    endpoint: `http://127.0.0.1:${otlp}`,
    httpEndpoint: `http://127.0.0.1:${otlpHttp}`,
    get pid() {
      return running.child?.pid ?? 0;
    },
    kill,
    restart: start,
    async spans(traceId) {
      const { result } = await get<{ result: TracesData }>(`/api/v3/traces/${traceId}`);
      return seenFromOtlp(result);
    },
    async drawn(traceId) {
      const { data } = await get<{ data: { spans: DrawnSpan[] }[] }>(`/api/traces/${traceId}`);
      return data.flatMap(({ spans }) => spans);
    },
  };
}

/** OTLP in JSON, as far as it is read here; whatever has its default value is left out. */
interface TracesData {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes?: readonly KeyValue[] };
    /** Without spans where all of them came a second time. */
    readonly scopeSpans?: readonly { readonly spans?: readonly OtlpSpan[] }[];
  }[];
}

interface OtlpSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes?: readonly KeyValue[];
  readonly events?: readonly { readonly name: string; readonly timeUnixNano: string }[];
  readonly links?: readonly {
    readonly traceId: string;
    readonly spanId: string;
    readonly attributes?: readonly KeyValue[];
  }[];
  readonly status?: { readonly code?: number; readonly message?: string };
}

interface KeyValue {
  readonly key: string;
  readonly value: AnyValue;
}

interface AnyValue {
  readonly stringValue?: string;
  readonly boolValue?: boolean;
  readonly intValue?: string;
  readonly arrayValue?: { readonly values?: readonly AnyValue[] };
}

const STATUS_ERROR = 2;

function plain(value: AnyValue): unknown {
  if (value.intValue !== undefined) return Number(value.intValue);
  if (value.arrayValue !== undefined) return (value.arrayValue.values ?? []).map(plain);
  return value.boolValue ?? value.stringValue ?? '';
}

const toRecord = (attributes: readonly KeyValue[] | undefined): Record<string, unknown> =>
  Object.fromEntries((attributes ?? []).map(({ key, value }) => [key, plain(value)]));

const seenFromOtlp = ({ resourceSpans }: TracesData): SeenSpan[] =>
  resourceSpans.flatMap(({ resource, scopeSpans }) =>
    (scopeSpans ?? []).flatMap(({ spans }) =>
      (spans ?? []).map((span): SeenSpan => ({
        traceId: span.traceId,
        spanId: span.spanId,
        parentSpanId: span.parentSpanId ?? '',
        name: span.name,
        startNs: BigInt(span.startTimeUnixNano),
        endNs: BigInt(span.endTimeUnixNano),
        attributes: toRecord(span.attributes),
        resource: toRecord(resource.attributes),
        links: (span.links ?? []).map(({ traceId, spanId, attributes }) => ({
          traceId,
          spanId,
          attributes: toRecord(attributes),
        })),
        events: (span.events ?? []).map(({ name, timeUnixNano }) => ({
          name,
          timeNs: BigInt(timeUnixNano),
        })),
        error: span.status?.code === STATUS_ERROR ? (span.status.message ?? '') : undefined,
      })),
    ),
  );
