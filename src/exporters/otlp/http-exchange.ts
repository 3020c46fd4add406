import * as http from 'node:http';
import * as https from 'node:https';
import { createSecureContext } from 'node:tls';
import { UsageError } from '../../errors.ts';
import type { HttpConfig, TlsFiles } from './config.ts';

export interface HttpAnswer {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly body: Buffer;
}

/** POSTs over connections that are kept open, as many as there are requests at a time. */
export interface HttpExchange {
  /** An Error: there was no answer, or no whole one. Never rejects. */
  post(body: Uint8Array, timeoutMs: number): Promise<HttpAnswer | Error>;
  /** Ends what is still on its way. */
  close(): void;
}

/** The specification's limit; the rest of an answer is read and forgotten. */
const MAX_ANSWER_BYTES = 4 * 1024 * 1024;
const closedMessage = 'the exporter was closed';
/** What the message itself needs; another value would break it. */
const ownHeaders = new Set([
  'connection',
  'content-encoding',
  'content-length',
  'content-type',
  'transfer-encoding',
]);

/** Throws UsageError on headers that HTTP cannot send, and on TLS files that are none. */
export function createHttpExchange(config: HttpConfig): HttpExchange {
  const { url, socketPath, tls } = config;
  const headers = {
    'user-agent': 'skbspan',
    ...checkHeaders(config.headers),
    'content-type': 'application/x-protobuf',
    ...(config.compression === 'gzip' ? { 'content-encoding': 'gzip' } : {}),
  };
  const agentOptions = {
    keepAlive: true,
    // As gRPC does: http_proxy, https_proxy, no_proxy. Node.js before 22.21 does not know it.
    ...(socketPath === undefined ? { proxyEnv: process.env } : {}),
  };
  const agent =
    tls === undefined
      ? new http.Agent(agentOptions)
      : new https.Agent({ ...agentOptions, ...checkTls(tls) });
  const start = tls === undefined ? http.request : https.request;
  const open = new Set<http.ClientRequest>();
  let closed = false;

  const attempt = (
    body: Uint8Array,
    timeoutMs: number,
  ): Promise<{ outcome: HttpAnswer | Error; reused: boolean }> =>
    new Promise((resolve) => {
      const request = start(url, {
        method: 'POST',
        agent,
        headers: { ...headers, 'content-length': body.length },
        ...(socketPath === undefined ? {} : { socketPath }),
      });
      open.add(request);
      const timer = setTimeout(() => {
        const late = new Error(`no answer within ${timeoutMs} ms`);
        request.destroy(Object.assign(late, { code: 'ETIMEDOUT' }));
        settle(late);
      }, timeoutMs);
      const settle = (outcome: HttpAnswer | Error): void => {
        clearTimeout(timer);
        open.delete(request);
        resolve({ outcome, reused: request.reusedSocket });
      };
      request.on('error', settle).on('response', (response) => {
        const chunks: Buffer[] = [];
        let length = 0;
        response.on('data', (chunk: Buffer) => {
          if (length < MAX_ANSWER_BYTES) chunks.push(chunk);
          length += chunk.length;
        });
        const answer = (): HttpAnswer => ({
          status: response.statusCode ?? 0,
          headers: response.headers,
          body: Buffer.concat(chunks),
        });
        response.on('end', () => {
          settle(answer());
        });
        // Who refuses a request may hang up before all of it was sent; what was said counts.
        const broken = (error: Error): void => {
          settle((response.statusCode ?? 0) >= 400 ? answer() : error);
        };
        response.on('error', broken);
        request.off('error', settle).on('error', broken);
      });
      request.end(body);
    });

  return {
    async post(body, timeoutMs) {
      if (closed) return new Error(closedMessage);
      const { outcome, reused } = await attempt(body, timeoutMs);
      // A server closes idle connections when it likes, also just when one is used again. That is no failure of the server.
      const stale =
        reused && outcome instanceof Error && /^(?:ECONNRESET|EPIPE)$/.test(codeOf(outcome));
      return stale ? (await attempt(body, timeoutMs)).outcome : outcome;
    },
    close() {
      closed = true;
      for (const request of open) request.destroy(new Error(closedMessage));
      agent.destroy();
    },
  };
}

/** `ECONNREFUSED` and the like; '' without one. */
export const codeOf = (error: NodeJS.ErrnoException): string => error.code ?? '';

function checkHeaders(given: Readonly<Record<string, string>>): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(given)) {
    const refuse = (advice: string, cause?: unknown): UsageError =>
      new UsageError(`OTLP header '${name}' cannot be sent by HTTP.`, { advice, cause });
    if (ownHeaders.has(name.toLowerCase())) throw refuse('skbspan sets it itself; leave it out.');
    try {
      http.validateHeaderName(name);
      http.validateHeaderValue(name, value);
    } catch (cause) {
      throw refuse('Names have letters, digits and - only; values are one line of text.', cause);
    }
    headers[name.toLowerCase()] = value;
  }
  return headers;
}

function checkTls({ root, key, certificate }: TlsFiles): https.AgentOptions {
  const options = {
    ...(root === undefined ? {} : { ca: root }),
    ...(key === undefined || certificate === undefined ? {} : { key, cert: certificate }),
  };
  try {
    createSecureContext(options);
    return options;
  } catch (cause) {
    throw new UsageError('The OTLP certificate or key is not usable.', {
      advice: 'OTEL_EXPORTER_OTLP_CERTIFICATE, _CLIENT_CERTIFICATE and _CLIENT_KEY are PEM files.',
      cause,
    });
  }
}
