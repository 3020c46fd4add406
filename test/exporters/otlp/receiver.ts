// An OTLP trace service in this process: answers as told and keeps what it got.
import {
  Metadata,
  Server,
  ServerCredentials,
  status,
  type sendUnaryData,
  type ServerUnaryCall,
} from '@grpc/grpc-js';
import { readFields } from '../../../src/exporters/otlp/protobuf-fields.ts';

export interface ReceivedSpan {
  readonly traceId: string;
  readonly spanId: string;
  readonly name: string;
}

export interface ReceivedRequest {
  readonly bytes: number;
  readonly spans: readonly ReceivedSpan[];
  readonly headers: Readonly<Record<string, unknown>>;
  /** What it was answered; only accepted spans count as delivered. */
  readonly accepted: boolean;
}

export type Answer =
  | { readonly kind: 'ok'; readonly rejectedSpans?: number }
  | { readonly kind: 'error'; readonly code: status; readonly retryDelayMs?: number }
  | { readonly kind: 'never' };

/** Whoever it lives for: a test, or a benchmark. */
export interface Owner {
  after(end: () => Promise<void>): unknown;
}

export interface Receiver {
  readonly endpoint: string;
  readonly requests: readonly ReceivedRequest[];
  /** Spans of the requests that were answered with OK. */
  delivered(): ReceivedSpan[];
}

const message = (number: number, bytes: Uint8Array): Uint8Array =>
  Buffer.concat([Buffer.from([(number << 3) | 2, bytes.length]), bytes]);

const varint = (number: number, value: number): Uint8Array => {
  const bytes = [number << 3];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) | 0x80);
  }
};

/** A google.rpc.Status with a DebugInfo, which is not for us, and a RetryInfo. */
export function statusDetails(retryDelayMs: number): Buffer {
  const duration = Buffer.concat([
    varint(1, Math.floor(retryDelayMs / 1000)),
    varint(2, (retryDelayMs % 1000) * 1_000_000),
  ]);
  const any = (type: string, value: Uint8Array): Uint8Array =>
    message(
      3,
      Buffer.concat([
        message(1, Buffer.from(`type.googleapis.com/google.rpc.${type}`)),
        message(2, value),
      ]),
    );
  return Buffer.concat([
    varint(1, status.RESOURCE_EXHAUSTED),
    any('DebugInfo', message(2, Buffer.from('later'))),
    any('RetryInfo', message(1, duration)),
  ]);
}

const parts = (bytes: Uint8Array, number: number): Uint8Array[] =>
  [...readFields(bytes)].flatMap((field) =>
    field.number === number && field.value instanceof Uint8Array ? [field.value] : [],
  );

const hex = (bytes: Uint8Array | undefined): string => Buffer.from(bytes ?? []).toString('hex');

/** ExportTraceServiceRequest: 1 resource_spans { 2 scope_spans { 2 spans { 1 trace_id, 2 span_id, 5 name } } }. */
export const spansOf = (request: Uint8Array): ReceivedSpan[] =>
  parts(request, 1)
    .flatMap((resource) => parts(resource, 2))
    .flatMap((scope) => parts(scope, 2))
    .map((span) => ({
      traceId: hex(parts(span, 1)[0]),
      spanId: hex(parts(span, 2)[0]),
      name: Buffer.from(parts(span, 5)[0] ?? []).toString(),
    }));

function reply(answer: Answer, callback: sendUnaryData<Buffer>): void {
  switch (answer.kind) {
    case 'never':
      return;
    case 'ok': {
      const rejected = answer.rejectedSpans ?? 0;
      const body = rejected === 0 ? [] : message(1, varint(1, rejected));
      callback(null, Buffer.from(body));
      return;
    }
    case 'error': {
      const metadata = new Metadata();
      if (answer.retryDelayMs !== undefined)
        metadata.set('grpc-status-details-bin', statusDetails(answer.retryDelayMs));
      callback({ code: answer.code, details: 'as told', metadata });
    }
  }
}

/** `answer` is asked for each request that has spans, counted from 0; the exporter's empty probe is always answered with OK. */
export async function startReceiver(
  t: Owner,
  answer: (index: number) => Answer = () => ({ kind: 'ok' }),
  listen: { readonly address?: string; readonly credentials?: ServerCredentials } = {},
): Promise<Receiver> {
  const requests: ReceivedRequest[] = [];
  const server = new Server();
  const bytes = (buffer: Buffer): Buffer => buffer;
  server.addService(
    {
      export: {
        path: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    {
      export: (call: ServerUnaryCall<Buffer, Buffer>, callback: sendUnaryData<Buffer>) => {
        if (call.request.length === 0) {
          callback(null, Buffer.alloc(0));
          return;
        }
        const told = answer(requests.length);
        requests.push({
          bytes: call.request.length,
          spans: spansOf(call.request),
          headers: call.metadata.getMap(),
          accepted: told.kind === 'ok',
        });
        reply(told, callback);
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    const { address = '127.0.0.1:0', credentials = ServerCredentials.createInsecure() } = listen;
    server.bindAsync(address, credentials, (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  t.after(() => {
    server.forceShutdown();
    return Promise.resolve();
  });
  return {
    endpoint: `http://127.0.0.1:${port}`,
    requests,
    delivered: () => requests.flatMap(({ accepted, spans }) => (accepted ? spans : [])),
  };
}
