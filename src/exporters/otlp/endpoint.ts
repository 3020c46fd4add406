import { UsageError } from '../../errors.ts';

/** Each has variables of its own, which win over those for all. */
export type Signal = 'TRACES' | 'METRICS';

export const protocols = ['grpc', 'http/protobuf'] as const;
export type OtlpProtocol = (typeof protocols)[number];

/** Who said where to. It decides what a path means: only a variable of the signal itself is taken as it is. */
export type EndpointSource = 'option' | 'signal' | 'general' | 'default';

/** Where requests go; `endpoint` is for messages. */
export type Destination =
  | {
      readonly protocol: 'grpc';
      /** As the user wrote it. */
      readonly endpoint: string;
      readonly secure: boolean;
      /** What gRPC connects to: `host:port` or `unix:/path`. */
      readonly target: string;
    }
  | {
      readonly protocol: 'http/protobuf';
      /** The whole address but what follows a question mark, which may be a secret. */
      readonly endpoint: string;
      readonly source: EndpointSource;
      readonly secure: boolean;
      /** What is asked for, path and all. */
      readonly url: URL;
      /** Connected to instead of the URL's host. */
      readonly socketPath: string | undefined;
    };

export interface EndpointText {
  /** undefined: the default of the protocol. */
  readonly text: string | undefined;
  readonly source: EndpointSource;
  /** Without a scheme: plaintext instead of TLS. */
  readonly insecure: boolean;
  /** undefined: the address decides. */
  readonly protocol: OtlpProtocol | undefined;
  readonly signal: Signal;
}

const defaultEndpoints = {
  grpc: 'http://localhost:4317',
  'http/protobuf': 'http://localhost:4318',
} as const;
const httpPort = '4318';
const paths = { TRACES: 'v1/traces', METRICS: 'v1/metrics' } as const;
const anySignalPath = /\/v1\/(?:traces|metrics)$/;

const refuse = (endpoint: string, why: string, advice: string): UsageError =>
  new UsageError(`OTLP endpoint '${endpoint}': ${why}`, { advice });
const form =
  'Write it as http://localhost:4317, https://collector.example:4318 or unix:///run/otlp.sock.';

/**
 * Port 4318 and a path are what OTLP/HTTP has, so without a word on the protocol they choose it; all else is gRPC, as it was
 * before HTTP was spoken. Throws UsageError on what is no endpoint.
 */
export function parseEndpoint(given: EndpointText): Destination {
  const text = given.text ?? defaultEndpoints[given.protocol ?? 'grpc'];
  if (text.startsWith('unix:')) return unixSocket(text, given);
  // The specification: an endpoint without a scheme means TLS unless INSECURE says otherwise.
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(text);
  const full = hasScheme ? text : `${given.insecure ? 'http' : 'https'}://${text}`;
  if (!URL.canParse(full)) throw refuse(text, 'not a URL.', form);
  const url = new URL(full);
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:')
    throw refuse(text, `unknown scheme '${url.protocol.slice(0, -1)}'.`, form);
  if (url.username !== '')
    throw refuse(
      text,
      'user and password are not sent.',
      'Use OTEL_EXPORTER_OTLP_HEADERS instead.',
    );

  const path = `${url.pathname}${url.search}`;
  const looksHttp = url.port === httpPort || path !== '/';
  if ((given.protocol ?? (looksHttp ? 'http/protobuf' : 'grpc')) === 'http/protobuf') {
    url.hash = '';
    url.pathname = pathOf(url.pathname, given);
    const endpoint = `${url.origin}${url.pathname}`;
    const { source } = given;
    return { protocol: 'http/protobuf', endpoint, source, secure, url, socketPath: undefined };
  }
  if (path !== '/')
    throw refuse(
      text,
      `gRPC has no path '${path}'.`,
      'This looks like an OTLP/HTTP address: --otlp-protocol http/protobuf, or leave gRPC out.',
    );
  // URL drops a port that is its scheme's default, so `https://host:443` and `http://host:80` have to be asked for by name.
  const explicit = /:(\d+)\/?$/.exec(full)?.[1];
  const port = url.port === '' ? (explicit ?? (secure ? '443' : '4317')) : url.port;
  return { protocol: 'grpc', endpoint: text, secure, target: `${url.hostname}:${port}` };
}

function unixSocket(text: string, { protocol, signal, source }: EndpointText): Destination {
  const path = text.slice('unix:'.length).replace(/^\/\/\//, '/');
  if (!path.startsWith('/') || path.startsWith('//'))
    throw refuse(text, 'the path of the socket must be absolute.', form);
  if (protocol !== 'http/protobuf')
    return { protocol: 'grpc', endpoint: text, secure: false, target: `unix:${path}` };
  // A socket's name leaves no room for a path of HTTP, so it is always the usual one.
  const url = new URL(`http://localhost/${paths[signal]}`);
  const endpoint = `${text} (${url.pathname})`;
  return { protocol, endpoint, source, secure: false, url, socketPath: path };
}

/** `--otlp` names one server for all signals: a path that ends as that of a signal stands for the one that is sent. */
function pathOf(pathname: string, { source, signal }: EndpointText): string {
  if (source === 'signal') return pathname;
  const base = source === 'option' ? pathname.replace(anySignalPath, '') : pathname;
  return `${base.replace(/\/+$/, '')}/${paths[signal]}`;
}
