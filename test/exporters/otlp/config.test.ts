import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { resolveOtlpConfig, type OtlpConfig } from '../../../src/exporters/otlp/config.ts';

type Environment = Readonly<Record<string, string>>;

const resolve = (endpoint: string | undefined, env: Environment = {}): OtlpConfig =>
  resolveOtlpConfig({ endpoint, clones: 'same_trace' }, env);

describe('what is refused', () => {
  const cases: { endpoint?: string; env?: Environment; message: RegExp }[] = [
    { endpoint: 'ftp://host', message: /unknown scheme 'ftp'/ },
    { endpoint: 'http://', message: /not a URL/ },
    { endpoint: 'http://host:99999', message: /not a URL/ },
    { endpoint: 'unix:socket', message: /must be absolute/ },
    { endpoint: 'unix://socket', message: /must be absolute/ },
    {
      endpoint: 'http://host:4318/v1/traces',
      env: { OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc' },
      message: /gRPC has no path '\/v1\/traces'/,
    },
    {
      env: { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/json' },
      message: /OTLP_PROTOCOL: 'http\/json' is neither 'grpc' nor 'http\/protobuf'/,
    },
    {
      env: {
        OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http',
      },
      message: /TRACES_PROTOCOL: 'http' is neither/,
    },
    { endpoint: 'http://me:secret@host', message: /not sent/ },
    { env: { OTEL_EXPORTER_OTLP_TIMEOUT: '10s' }, message: /TIMEOUT: '10s'/ },
    { env: { OTEL_EXPORTER_OTLP_TRACES_TIMEOUT: '0' }, message: /TRACES_TIMEOUT: '0'/ },
    { env: { OTEL_EXPORTER_OTLP_COMPRESSION: 'zstd' }, message: /'zstd' is neither/ },
    {
      endpoint: 'https://host',
      env: { OTEL_EXPORTER_OTLP_CERTIFICATE: '/nowhere/ca.pem' },
      message: /CERTIFICATE: cannot read '\/nowhere\/ca.pem'/,
    },
  ];
  for (const { endpoint, env, message } of cases)
    test(`${endpoint ?? ''}${JSON.stringify(env ?? {})}`, () => {
      assert.throws(() => resolve(endpoint, env), { code: 'SKBSPAN_USAGE', message });
    });
});

test('http/json is told what to use instead', () => {
  assert.throws(() => resolve(undefined, { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'http/json' }), {
    advice: /Set it to http\/protobuf/,
  });
});

test('headers: traces over general, options over both', () => {
  const config = resolveOtlpConfig(
    { endpoint: undefined, clones: 'same_trace', headers: { c: 'option' } },
    {
      OTEL_EXPORTER_OTLP_HEADERS: 'a=general,b=general,c=general',
      OTEL_EXPORTER_OTLP_TRACES_HEADERS: 'b=traces,c=traces',
    },
  );
  assert.deepEqual(config.headers, { a: 'general', b: 'traces', c: 'option' });
});

test('TLS files: read for https, the pair only together', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'x.pem');
  writeFileSync(file, 'pem');
  const env = { OTEL_EXPORTER_OTLP_CERTIFICATE: file, OTEL_EXPORTER_OTLP_CLIENT_KEY: file };
  assert.throws(() => resolve('https://host', env), { message: /go together/ });
  const both = { ...env, OTEL_EXPORTER_OTLP_TRACES_CLIENT_CERTIFICATE: file };
  assert.equal(resolve('https://host', both).tls?.certificate?.toString(), 'pem');
  assert.equal(resolve('http://host', env).tls, undefined);
});
