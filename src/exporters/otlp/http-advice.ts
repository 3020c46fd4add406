import { SkbspanError } from '../../errors.ts';
import type { HttpConfig } from './config.ts';
import { inWords, isHtml, isTaken } from './http-answer.ts';
import { codeOf, type HttpAnswer } from './http-exchange.ts';
import type { Service } from './transport.ts';

const otherProtocol =
  'OTLP/HTTP is usually on port 4318. For gRPC, usually on port 4317, leave out --otlp-protocol and the path, or set it to grpc.';

const problem = (
  { endpoint }: HttpConfig,
  what: string,
  advice: string,
  cause?: unknown,
): SkbspanError =>
  new SkbspanError('SKBSPAN_EXPORT', `OTLP endpoint ${endpoint}: ${what}`, { advice, cause });

/** What is wrong with an endpoint that gave no answer to an empty request. */
export function explainFailure(error: Error, config: HttpConfig): SkbspanError {
  const code = codeOf(error);
  const said = failureInWords(error);
  if (code === 'ETIMEDOUT')
    return problem(
      config,
      `no answer (${said}).`,
      'Is the address right, and does a firewall drop the packets?',
      error,
    );
  // The server's greeting in gRPC is no HTTP/1.1; some hang up instead.
  if (code.startsWith('HPE_'))
    return problem(config, `not an HTTP server (${said}).`, otherProtocol, error);
  if (/certificate.?required/i.test(`${code} ${said}`))
    return problem(
      config,
      `TLS failed (${said}).`,
      'The server wants to know its clients: OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE and _CLIENT_KEY.',
      error,
    );
  if (/SSL|TLS|CERT|SIGNATURE|EPROTO/.test(code))
    return problem(
      config,
      `TLS failed (${said}).`,
      'Write http:// for a server without TLS; a private CA is given by OTEL_EXPORTER_OTLP_CERTIFICATE.',
      error,
    );
  if (code === 'ECONNRESET' || code === 'EPIPE')
    return problem(
      config,
      `the server hung up (${said}).`,
      config.secure ? otherProtocol : `Write https:// for a server with TLS. ${otherProtocol}`,
      error,
    );
  const usualPort = config.url.port === '' && config.socketPath === undefined;
  return problem(
    config,
    `cannot be reached (${said}).`,
    usualPort
      ? `Without a port it is ${config.secure ? 443 : 80}; OTLP/HTTP is usually on 4318: --otlp http://host:4318.`
      : 'Start the collector or Jaeger there first, or name another endpoint: --otlp http://host:4318.',
    error,
  );
}

/**
 * What is wrong with an endpoint that answered an empty request like this; undefined if a receiver answered, even one that has
 * no time now.
 */
export function explainAnswer(
  answer: HttpAnswer,
  config: HttpConfig,
  service: Service,
): SkbspanError | undefined {
  if (isTaken(answer)) return undefined;
  const { status, body } = answer;
  const said = inWords(answer);
  if (status === 401 || status === 403 || status === 407)
    return problem(
      config,
      `access refused (${said}).`,
      'Give the credentials in OTEL_EXPORTER_OTLP_HEADERS, as name=value.',
    );
  if (status === 404 || status === 405 || status === 501) return explainPath(said, config, service);
  if (status === 415)
    return problem(
      config,
      `it takes no such content (${said}).`,
      'skbspan sends protobuf: a receiver of JSON alone cannot be used. Without OTEL_EXPORTER_OTLP_COMPRESSION nothing is compressed.',
    );
  if (status === 400 && /\bHTTPS (?:server|port)\b/i.test(body.toString()))
    return problem(config, `it expects TLS (${said}).`, 'Write https:// instead of http://.');
  if (status >= 300 && status < 400)
    return problem(
      config,
      `it is elsewhere (${said}).`,
      'Redirections are not followed, name the other address; if it is a login page, a proxy is in between.',
    );
  // A gateway that reaches nobody is as good as nobody.
  if (status === 502 || status === 504 || (status === 503 && isHtml(answer)))
    return problem(
      config,
      `a proxy answers, the receiver behind it does not (${said}).`,
      'Start the collector behind the proxy, or name another endpoint: --otlp http://host:4318.',
    );
  if (status < 300 || isHtml(answer))
    return problem(
      config,
      `not an OTLP receiver (${said}).`,
      `A web server or a proxy answers there. ${otherProtocol}`,
    );
  return undefined;
}

function explainPath(said: string, config: HttpConfig, service: Service): SkbspanError {
  const path = `v1/${service}`;
  const { pathname } = config.url;
  if (config.source === 'signal' && !pathname.endsWith(`/${path}`))
    return problem(
      config,
      `there is nothing at the path '${pathname}' (${said}).`,
      `OTEL_EXPORTER_OTLP_${service.toUpperCase()}_ENDPOINT is taken as it is: it mostly ends in /${path}.`,
    );
  if (config.source === 'general' && pathname.includes(`/${path}/${path}`))
    return problem(
      config,
      `there is nothing at the path '${pathname}' (${said}).`,
      `OTEL_EXPORTER_OTLP_ENDPOINT is what is before /${path}, which is added to it.`,
    );
  if (service === 'metrics')
    return problem(
      config,
      `it takes no metrics (${said}).`,
      'Jaeger takes traces only; send metrics to an OpenTelemetry Collector, or let Prometheus ask: --metrics-listen.',
    );
  return problem(
    config,
    `there is no OTLP trace service at the path '${pathname}' (${said}).`,
    `Only /${path} is added to an address; what comes before it has to be in --otlp or OTEL_EXPORTER_OTLP_ENDPOINT. ${otherProtocol}`,
  );
}

/** Its message. Who is at several addresses fails at each of them, and Node.js then leaves the message empty. */
export function failureInWords(error: Error): string {
  const errors = error instanceof AggregateError ? (error.errors as unknown[]) : [];
  const each = errors.map((one) => (one instanceof Error ? one.message : String(one)));
  return [error.message, ...each].filter((text) => text !== '').join(', ');
}
