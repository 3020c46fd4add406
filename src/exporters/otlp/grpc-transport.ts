import {
  Client,
  compressionAlgorithms,
  credentials,
  Metadata,
  status,
  type ChannelCredentials,
  type ClientUnaryCall,
  type ServiceError,
} from '@grpc/grpc-js';
import { SkbspanError, UsageError } from '../../errors.ts';
import type { GrpcConfig, TlsFiles } from './config.ts';
import { explainProbe, inWords } from './grpc-advice.ts';
import { readRejected } from './partial-success.ts';
import { readRetryDelayMs } from './retry-info.ts';
import type { SendResult, Service, Transport } from './transport.ts';

/*
 * The one call of the services for traces and metrics, on grpc-js directly. @opentelemetry/exporter-trace-otlp-grpc is built the same way, but it
 * keeps to itself what a tool that counts its losses has to know: rejected spans (it only logs them), and how long the server
 * asks to wait.
 */

const methods = {
  traces: '/opentelemetry.proto.collector.trace.v1.TraceService/Export',
  metrics: '/opentelemetry.proto.collector.metrics.v1.MetricsService/Export',
} as const;
const PROBE_TIMEOUT_MS = 5_000;
/** By default gRPC waits up to two minutes before it tries to connect again; a receiver is restarted in less. */
const MAX_RECONNECT_MS = 5_000;
/** After this many deadlines in a row the connection is taken for dead and made anew (opentelemetry-js#6296). */
const MAX_DEADLINES = 5;

/** opentelemetry-proto docs/specification.md, "Failures"; RESOURCE_EXHAUSTED only with a RetryInfo. */
const retryableCodes: ReadonlySet<number> = new Set([
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.UNAVAILABLE,
  status.DATA_LOSS,
]);

/** Opens no connection yet; throws UsageError on headers or TLS files that gRPC does not take. */
export function createGrpcTransport(config: GrpcConfig, service: Service): Transport {
  const metadata = toMetadata(config.headers);
  const channelCredentials = toCredentials(config.tls);
  const connect = (): Client =>
    new Client(config.target, channelCredentials, {
      'grpc.default_compression_algorithm':
        config.compression === 'gzip' ? compressionAlgorithms.gzip : compressionAlgorithms.identity,
      'grpc.initial_reconnect_backoff_ms': 200,
      'grpc.max_reconnect_backoff_ms': MAX_RECONNECT_MS,
      'grpc.primary_user_agent': 'skbspan',
    });
  let client = connect();
  let deadlines = 0;

  const open = new Set<ClientUnaryCall>();

  const call = (request: Uint8Array, timeoutMs: number): Promise<Buffer | ServiceError> =>
    new Promise((resolve) => {
      const unary = client.makeUnaryRequest(
        methods[service],
        (bytes: Uint8Array) => Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength),
        (bytes: Buffer) => bytes,
        request,
        metadata,
        { deadline: Date.now() + timeoutMs },
        (error, response) => {
          open.delete(unary);
          resolve(error ?? response ?? Buffer.alloc(0));
        },
      );
      open.add(unary);
    });

  return {
    async send(request) {
      const answer = await call(request, config.timeoutMs);
      if (!Buffer.isBuffer(answer)) {
        deadlines = answer.code === status.DEADLINE_EXCEEDED ? deadlines + 1 : 0;
        if (deadlines >= MAX_DEADLINES) {
          client.close();
          client = connect();
          deadlines = 0;
        }
        return classify(answer, config.endpoint);
      }
      deadlines = 0;
      return { kind: 'accepted', rejectedSpans: readRejected(answer) };
    },
    async probe() {
      const answer = await call(new Uint8Array(), Math.min(config.timeoutMs, PROBE_TIMEOUT_MS));
      if (Buffer.isBuffer(answer)) return;
      const problem = explainProbe(answer, config.endpoint, service);
      if (problem !== undefined) throw problem;
    },
    close() {
      // Closing the channel alone lets calls run until their deadline.
      for (const unary of open) unary.cancel();
      client.close();
    },
  };
}

function toMetadata(headers: Readonly<Record<string, string>>): Metadata {
  const metadata = new Metadata();
  for (const [name, value] of Object.entries(headers)) {
    try {
      metadata.set(name, value);
    } catch (cause) {
      throw new UsageError(`OTLP header '${name}' cannot be sent by gRPC.`, {
        advice:
          'Names have letters, digits, - _ . only and do not end in -bin; values are plain ASCII.',
        cause,
      });
    }
  }
  return metadata;
}

function toCredentials(tls: TlsFiles | undefined): ChannelCredentials {
  if (tls === undefined) return credentials.createInsecure();
  try {
    return credentials.createSsl(tls.root, tls.key, tls.certificate);
  } catch (cause) {
    throw new UsageError('The OTLP certificate or key is not usable.', {
      advice: 'OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY are PEM files.',
      cause,
    });
  }
}

function classify(error: ServiceError, endpoint: string): SendResult {
  const [details] = error.metadata.get('grpc-status-details-bin');
  const retryAfterMs = Buffer.isBuffer(details) ? readRetryDelayMs(details) : undefined;
  const wrapped = new SkbspanError(
    'SKBSPAN_EXPORT',
    `OTLP endpoint ${endpoint}: ${inWords(error)}`,
    { cause: error },
  );
  const retryable =
    retryableCodes.has(error.code) ||
    (error.code === status.RESOURCE_EXHAUSTED && retryAfterMs !== undefined);
  return retryable
    ? { kind: 'retryable', error: wrapped, retryAfterMs }
    : { kind: 'refused', error: wrapped };
}
