import { readFileSync } from 'node:fs';
import { parseKeyPairsIntoRecord } from '@opentelemetry/core';
import { UsageError } from '../../errors.ts';
import {
  parseEndpoint,
  protocols,
  type Destination,
  type EndpointSource,
  type OtlpProtocol,
  type Signal,
} from './endpoint.ts';
import type { OtlpOptions } from './options.ts';

/** Everything a transport needs; nothing of it is looked up again later. */
interface CommonConfig {
  /** undefined: plaintext. */
  readonly tls: TlsFiles | undefined;
  readonly headers: Readonly<Record<string, string>>;
  readonly timeoutMs: number;
  readonly compression: 'none' | 'gzip';
}
export type GrpcConfig = CommonConfig & Extract<Destination, { protocol: 'grpc' }>;
export type HttpConfig = CommonConfig & Extract<Destination, { protocol: 'http/protobuf' }>;
export type OtlpConfig = GrpcConfig | HttpConfig;

export interface TlsFiles {
  readonly root: Buffer | undefined;
  readonly key: Buffer | undefined;
  readonly certificate: Buffer | undefined;
}

/** What of the options says where to. */
type Endpoint = Pick<OtlpOptions, 'endpoint' | 'protocol' | 'headers'> & Partial<OtlpOptions>;
type Environment = Readonly<Record<string, string | undefined>>;
interface Source {
  readonly env: Environment;
  readonly signal: Signal;
}
type Setting =
  | 'ENDPOINT'
  | 'PROTOCOL'
  | 'HEADERS'
  | 'TIMEOUT'
  | 'COMPRESSION'
  | 'INSECURE'
  | 'CERTIFICATE'
  | 'CLIENT_KEY'
  | 'CLIENT_CERTIFICATE';

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
  const destination = parseEndpoint({
    ...findEndpoint(options.endpoint, source),
    insecure: lookUp(source, 'INSECURE')?.value.toLowerCase() === 'true',
    protocol: options.protocol ?? readProtocol(source),
    signal,
  });
  const common = {
    tls: destination.secure ? readTls(source) : undefined,
    headers: { ...readHeaders(source), ...options.headers },
    timeoutMs: readTimeout(source),
    compression: readCompression(source),
  };
  return { ...common, ...destination };
}

function findEndpoint(
  option: string | undefined,
  source: Source,
): { text: string | undefined; source: EndpointSource } {
  if (option !== undefined) return { text: option, source: 'option' };
  const found = lookUp(source, 'ENDPOINT');
  if (found === undefined) return { text: undefined, source: 'default' };
  const own = found.name.includes(source.signal);
  return { text: found.value, source: own ? 'signal' : 'general' };
}

function readProtocol(source: Source): OtlpProtocol | undefined {
  const found = lookUp(source, 'PROTOCOL');
  if (found === undefined) return undefined;
  const protocol = protocols.find((name) => name === found.value.toLowerCase());
  if (protocol !== undefined) return protocol;
  throw new UsageError(
    `${found.name}: '${found.value}' is neither '${protocols.join("' nor '")}'.`,
    {
      advice:
        found.value.toLowerCase() === 'http/json'
          ? 'Set it to http/protobuf: whoever takes OTLP/HTTP takes protobuf at the same address.'
          : 'Leave it out, and the port or path of the endpoint decides.',
    },
  );
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
