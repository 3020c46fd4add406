import { readFileSync } from 'node:fs';
import { parseKeyPairsIntoRecord } from '@opentelemetry/core';
import { UsageError } from '../../errors.ts';
import type { OtlpOptions } from './options.ts';

/** Everything the transport needs; nothing of it is looked up again later. */
export interface OtlpConfig {
  /** As the user wrote it, for messages. */
  readonly endpoint: string;
  /** What gRPC connects to: `host:port` or `unix:/path`. */
  readonly target: string;
  /** undefined: plaintext. */
  readonly tls: TlsFiles | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly compression: 'none' | 'gzip';
}

export interface TlsFiles {
  readonly root: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly certificate: Buffer | undefined;
}

/** What of the options says where to. */
type Endpoint = Pick<OtlpOptions, 'endpoint' | 'headers'> & Partial<OtlpOptions>;
type Environment = Readonly<Record<string, string | undefined>>;
/** Each has variables of its own, which win over those for all. */
export type Signal = 'TRACES' | 'METRICS';
interface Source {
  readonly env: Environment;
  readonly signal: Signal;
}
type Setting =
  | 'ENDPOINT'
  | 'HEADERS'
  | 'TIMEOUT'
  | 'COMPRESSION'
  | 'INSECURE'
  | 'CERTIFICATE'
  | 'CLIENT_KEY'
  | 'CLIENT_CERTIFICATE';

const defaultEndpoint = 'http://localhost:4317';
const defaultTimeoutMs = 10_000;

/** The variable that decides a setting: the signal's own over the general one, blank ones do not count. */
function lookUp(
  { env, signal }: Source,
  setting: Setting,
): { name: string; value: string } | undefined {
  for (const name of [`OTEL_EXPORTER_OTLP_${signal}_${setting}`, `OTEL_EXPORTER_OTLP_${setting}`]) {
    const value = env[name]?.trim();
    if (value !== undefined && value !== '') return { name, value };
  }
  return undefined;
}

/**
 * Options over environment over defaults, as the OTLP exporter specification has it. Throws UsageError on an endpoint that is
 * none, on values out of range and on TLS files that cannot be read.
 */
export function resolveOtlpConfig(
  options: Endpoint,
  env: Environment,
  signal: Signal = 'TRACES',
): OtlpConfig {
  const source = { env, signal };
  const endpoint = options.endpoint ?? lookUp(source, 'ENDPOINT')?.value ?? defaultEndpoint;
  const insecure = lookUp(source, 'INSECURE')?.value.toLowerCase() === 'true';
  const { target, secure } = parseEndpoint(endpoint, insecure);
  return {
    endpoint,
    target,
    tls: secure ? readTls(source) : undefined,
    headers: { ...readHeaders(source), ...options.headers },
    timeoutMs: readTimeout(source),
    compression: readCompression(source),
  };
}

function parseEndpoint(endpoint: string, insecure: boolean): { target: string; secure: boolean } {
  const refuse = (why: string, advice: string): UsageError =>
    new UsageError(`OTLP endpoint '${endpoint}': ${why}`, { advice });
  const form = `Write it as ${defaultEndpoint}, https://collector.example:4317 or unix:///run/otlp.sock.`;

  if (endpoint.startsWith('unix:')) {
    const path = endpoint.slice('unix:'.length);
    if (!path.startsWith('/')) throw refuse('the path of the socket must be absolute.', form);
    return { target: `unix:${path.replace(/^\/\/\//, '/')}`, secure: false };
  }
  // The specification: an endpoint without a scheme means TLS unless INSECURE says otherwise.
  const hasScheme = /^[a-z][a-z0-9+.-]*:\/\//i.test(endpoint);
  const text = hasScheme ? endpoint : `${insecure ? 'http' : 'https'}://${endpoint}`;
  if (!URL.canParse(text)) throw refuse('not a URL.', form);
  const url = new URL(text);
  const secure = url.protocol === 'https:';
  if (!secure && url.protocol !== 'http:')
    throw refuse(`unknown scheme '${url.protocol.slice(0, -1)}'.`, form);
  if (url.pathname !== '/' || url.search !== '')
    throw refuse(
      `gRPC has no path '${url.pathname}${url.search}'.`,
      'This looks like an OTLP/HTTP address; skbspan speaks OTLP/gRPC, usually on port 4317 of the same host.',
    );
  if (url.username !== '')
    throw refuse('user and password are not sent.', 'Use OTEL_EXPORTER_OTLP_HEADERS instead.');
  // URL drops a port that is its scheme's default, so `https://host:443` and `http://host:80` have to be asked for by name.
  const explicit = /:(\d+)\/?$/.exec(text)?.[1];
  const port = url.port === '' ? (explicit ?? (secure ? '443' : '4317')) : url.port;
  return { target: `${url.hostname}:${port}`, secure };
}

function readTimeout(source: Source): number {
  const found = lookUp(source, 'TIMEOUT');
  if (found === undefined) return defaultTimeoutMs;
  const timeoutMs = Number(found.value);
  if (Number.isFinite(timeoutMs) && timeoutMs > 0) return timeoutMs;
  throw new UsageError(`${found.name}: '${found.value}' is no number of milliseconds above 0.`);
}

function readCompression(source: Source): 'none' | 'gzip' {
  const found = lookUp(source, 'COMPRESSION');
  if (found === undefined || found.value === 'none') return 'none';
  if (found.value === 'gzip') return 'gzip';
  throw new UsageError(`${found.name}: '${found.value}' is neither 'gzip' nor 'none'.`);
}

function readHeaders({ env, signal }: Source): Record<string, string> {
  // Unlike the other settings, headers of a signal add to the general ones.
  return {
    ...parseKeyPairsIntoRecord(env['OTEL_EXPORTER_OTLP_HEADERS']),
    ...parseKeyPairsIntoRecord(env[`OTEL_EXPORTER_OTLP_${signal}_HEADERS`]),
  };
}

function readTls(source: Source): TlsFiles {
  const read = (setting: Setting): Buffer | undefined => {
    const found = lookUp(source, setting);
    if (found === undefined) return undefined;
    try {
      return readFileSync(found.value);
    } catch (cause) {
      throw new UsageError(`${found.name}: cannot read '${found.value}'.`, { cause });
    }
  };
  const files = {
    root: read('CERTIFICATE'),
    key: read('CLIENT_KEY'),
    certificate: read('CLIENT_CERTIFICATE'),
  };
  if ((files.key === undefined) !== (files.certificate === undefined))
    throw new UsageError(
      'OTEL_EXPORTER_OTLP_CLIENT_KEY and OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE go together; one is missing.',
    );
  return files;
}
