import { status, type ServiceError } from '@grpc/grpc-js';
import { SkbspanError } from '../../errors.ts';
import type { Service } from './transport.ts';

/** `UNAVAILABLE: connect ECONNREFUSED ...` without the remarks that gRPC adds for its own developers. */
export function inWords({ code, details }: ServiceError): string {
  const [said = ''] = details.split('. Resolution note:');
  return `${status[code]}: ${said.replace('No connection established. Last error: ', '').trim()}`;
}

/**
 * What is wrong with an endpoint that answered an empty request like this; undefined if a trace service answered, even one that
 * has no time now.
 */
export function explainProbe(
  error: ServiceError,
  endpoint: string,
  service: Service = 'traces',
): SkbspanError | undefined {
  const problem = (what: string, advice: string): SkbspanError =>
    new SkbspanError('SKBSPAN_EXPORT', `OTLP endpoint ${endpoint}: ${what}`, {
      advice,
      cause: error,
    });
  const { code, details } = error;
  const grpcPort =
    'OTLP/gRPC is usually on port 4317; for OTLP/HTTP, usually on port 4318, add --otlp-protocol http/protobuf.';

  if (code === status.UNAUTHENTICATED || code === status.PERMISSION_DENIED)
    return problem(
      `access refused (${details}).`,
      'Give the credentials in OTEL_EXPORTER_OTLP_HEADERS, as name=value.',
    );
  if (code === status.UNIMPLEMENTED)
    return service === 'traces'
      ? problem(`there is no OTLP trace service (${details}).`, grpcPort)
      : problem(
          `it takes no metrics (${details}).`,
          'Jaeger takes traces only; send metrics to an OpenTelemetry Collector, or let Prometheus ask: --metrics-listen.',
        );
  if (code === status.DEADLINE_EXCEEDED)
    return problem('no answer.', 'Is the address right, and does a firewall drop the packets?');
  // Anything that the server itself says comes with headers.
  if (code !== status.UNAVAILABLE || Object.keys(error.metadata.getMap()).length > 0)
    return undefined;
  if (details.includes('Protocol error')) return problem('not a gRPC server.', grpcPort);
  if (/SSL|TLS|certificate/i.test(details))
    return problem(
      `TLS failed (${inWords(error)}).`,
      'Write http:// for a server without TLS; a private CA is given by OTEL_EXPORTER_OTLP_CERTIFICATE.',
    );
  return problem(
    `cannot be reached (${inWords(error)}).`,
    'Start the collector or Jaeger there first, or name another endpoint: --otlp http://host:4317.',
  );
}
