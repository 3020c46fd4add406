import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import { resolveOtlpConfig, type OtlpConfig } from '../../../src/exporters/otlp/config.ts';
import type { OtlpProtocol, Signal } from '../../../src/exporters/otlp/endpoint.ts';

type Environment = Readonly<Record<string, string>>;

/** Where requests would go: `host:port` of gRPC, or the URL that is posted to. */
const whereTo = (config: OtlpConfig): string =>
  config.protocol === 'grpc' ? config.target : config.url.href;

describe('gRPC: where an endpoint leads', () => {
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
      const config = resolveOtlpConfig({ endpoint }, env ?? {});
      assert.equal(config.protocol, 'grpc');
      assert.equal(whereTo(config), target);
      assert.equal(config.tls !== undefined, tls);
    });
});

describe('HTTP: where an endpoint leads', () => {
  const http = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' };
  const general = 'OTEL_EXPORTER_OTLP_ENDPOINT';
  const own = 'OTEL_EXPORTER_OTLP_TRACES_ENDPOINT';
  const cases: {
    endpoint?: string;
    protocol?: OtlpProtocol;
    env?: Environment;
    signal?: Signal;
    url: string;
  }[] = [
    // Without a word on the protocol.
    { endpoint: 'http://c:4318', url: 'http://c:4318/v1/traces' },
    { endpoint: 'http://c:4318/', url: 'http://c:4318/v1/traces' },
    { endpoint: 'http://[::1]:4318', url: 'http://[::1]:4318/v1/traces' },
    { endpoint: 'c:4318', url: 'https://c:4318/v1/traces' },
    {
      endpoint: 'c:4318',
      env: { OTEL_EXPORTER_OTLP_INSECURE: 'true' },
      url: 'http://c:4318/v1/traces',
    },
    { endpoint: 'https://c/v1/traces', url: 'https://c/v1/traces' },
    { endpoint: 'http://c:9/v1/traces', url: 'http://c:9/v1/traces' },
    { env: { [general]: 'http://c:4318' }, url: 'http://c:4318/v1/traces' },
    // --otlp: a base, or an address that ends as a signal's does.
    { endpoint: 'https://c/otlp', url: 'https://c/otlp/v1/traces' },
    { endpoint: 'https://c/otlp/', url: 'https://c/otlp/v1/traces' },
    { endpoint: 'https://c/otlp/v1/traces', url: 'https://c/otlp/v1/traces' },
    { endpoint: 'https://c/v1/traces?key=1', url: 'https://c/v1/traces?key=1' },
    { endpoint: 'https://c/?key=1', url: 'https://c/v1/traces?key=1' },
    { endpoint: 'http://c:4318', signal: 'METRICS', url: 'http://c:4318/v1/metrics' },
    { endpoint: 'http://c:4318/a/v1/traces', signal: 'METRICS', url: 'http://c:4318/a/v1/metrics' },
    // With one.
    { env: http, url: 'http://localhost:4318/v1/traces' },
    { protocol: 'http/protobuf', url: 'http://localhost:4318/v1/traces' },
    { endpoint: 'http://c', env: http, url: 'http://c/v1/traces' },
    { endpoint: 'https://c', protocol: 'http/protobuf', url: 'https://c/v1/traces' },
    { endpoint: 'http://c:4317', protocol: 'http/protobuf', url: 'http://c:4317/v1/traces' },
    {
      endpoint: 'http://c:9',
      protocol: 'http/protobuf',
      env: { OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'grpc' },
      url: 'http://c:9/v1/traces',
    },
    {
      endpoint: 'http://c:9',
      env: {
        OTEL_EXPORTER_OTLP_PROTOCOL: 'grpc',
        OTEL_EXPORTER_OTLP_TRACES_PROTOCOL: 'HTTP/protobuf',
      },
      url: 'http://c:9/v1/traces',
    },
    // The specification: the general variable is always a base, that of a signal never.
    { env: { ...http, [general]: 'http://c:9/base' }, url: 'http://c:9/base/v1/traces' },
    { env: { ...http, [general]: 'http://c:9/base/' }, url: 'http://c:9/base/v1/traces' },
    {
      env: { ...http, [general]: 'http://c:9/v1/traces' },
      url: 'http://c:9/v1/traces/v1/traces',
    },
    { env: { ...http, [own]: 'http://c:9' }, url: 'http://c:9/' },
    { env: { ...http, [own]: 'http://c:9/in/' }, url: 'http://c:9/in/' },
    { env: { [own]: 'http://c:9/in' }, url: 'http://c:9/in' },
    {
      env: { [own]: 'http://c:9/in', [general]: 'http://g:4318/base' },
      signal: 'METRICS',
      url: 'http://g:4318/base/v1/metrics',
    },
    {
      env: {
        OTEL_EXPORTER_OTLP_METRICS_PROTOCOL: 'http/protobuf',
        OTEL_EXPORTER_OTLP_METRICS_ENDPOINT: 'http://m:9/in',
      },
      signal: 'METRICS',
      url: 'http://m:9/in',
    },
  ];
  for (const { endpoint, protocol, env = {}, signal = 'TRACES', url } of cases) {
    const name = [endpoint, protocol, signal, JSON.stringify(env)].join(' ');
    test(`${name} -> ${url}`, () => {
      const config = resolveOtlpConfig({ endpoint, protocol }, env, signal);
      assert.equal(config.protocol, 'http/protobuf');
      assert.equal(whereTo(config), url);
      assert.equal(config.tls !== undefined, url.startsWith('https:'));
      assert.equal(config.endpoint, url.replace(/\?.*/, ''), 'no secret in messages');
    });
  }

  test('a unix socket: the usual path of the signal', () => {
    for (const [signal, path] of [
      ['TRACES', '/v1/traces'],
      ['METRICS', '/v1/metrics'],
    ] as const) {
      const config = resolveOtlpConfig({ endpoint: 'unix:///run/o.sock' }, http, signal);
      assert.equal(config.protocol, 'http/protobuf');
      assert.equal(config.socketPath, '/run/o.sock');
      assert.equal(config.url.pathname, path);
      assert.equal(config.tls, undefined);
    }
  });
});
