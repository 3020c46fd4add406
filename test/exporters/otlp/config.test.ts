import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { describe } from 'node:test';
import { resolveOtlpConfig, type OtlpConfig } from '../../../src/exporters/otlp/config.ts';

type Environment = Readonly<Record<string, string>>;

const resolve = (endpoint: string | undefined, env: Environment = {}): OtlpConfig =>
  resolveOtlpConfig({ endpoint, clones: 'same_trace' }, env);

describe('where an endpoint leads', () => {
  const cases: { endpoint?: string; env?: Environment; target: string; tls: boolean }[] = [
    { target: 'localhost:4317', tls: false },
    { endpoint: 'http://10.0.0.1:9999', target: '10.0.0.1:9999', tls: false },
    { endpoint: 'http://collector', target: 'collector:4317', tls: false },
    { endpoint: 'http://collector:80/', target: 'collector:80', tls: false },
    { endpoint: 'https://collector.example', target: 'collector.example:443', tls: true },
    { endpoint: 'https://collector.example:443', target: 'collector.example:443', tls: true },
    { endpoint: 'https://collector.example:4317', target: 'collector.example:4317', tls: true },
    { endpoint: 'collector:4317', target: 'collector:4317', tls: true },
    {
      endpoint: 'collector:4317',
      env: { OTEL_EXPORTER_OTLP_INSECURE: 'True' },
      target: 'collector:4317',
      tls: false,
    },
    { endpoint: 'http://[::1]:4317', target: '[::1]:4317', tls: false },
    { endpoint: 'unix:///run/otlp.sock', target: 'unix:/run/otlp.sock', tls: false },
    { endpoint: 'unix:/run/otlp.sock', target: 'unix:/run/otlp.sock', tls: false },
    {
      env: { OTEL_EXPORTER_OTLP_ENDPOINT: 'http://general:1' },
      target: 'general:1',
      tls: false,
    },
    {
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://general:1',
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ' http://traces:2 ',
      },
      target: 'traces:2',
      tls: false,
    },
    {
      env: {
        OTEL_EXPORTER_OTLP_ENDPOINT: 'http://general:1',
        OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: ' ',
      },
      target: 'general:1',
      tls: false,
    },
    {
      endpoint: 'http://option:3',
      env: { OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: 'http://traces:2' },
      target: 'option:3',
      tls: false,
    },
  ];
  for (const { endpoint, env, target, tls } of cases)
    test(`${endpoint ?? JSON.stringify(env ?? 'nothing said')} -> ${target}`, () => {
      const config = resolve(endpoint, env);
      assert.equal(config.target, target);
      assert.equal(config.tls !== undefined, tls);
    });
});

describe('what is refused', () => {
  const cases: { endpoint?: string; env?: Environment; message: RegExp }[] = [
    { endpoint: 'http://host:4318/v1/traces', message: /gRPC has no path '\/v1\/traces'/ },
    { endpoint: 'ftp://host', message: /unknown scheme 'ftp'/ },
    { endpoint: 'http://', message: /not a URL/ },
    { endpoint: 'http://host:99999', message: /not a URL/ },
    { endpoint: 'unix:socket', message: /must be absolute/ },
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
