import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync, readFileSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { describe, type TestContext } from 'node:test';
import { resolveOtlpConfig, type OtlpConfig } from '../../../src/exporters/otlp/config.ts';
import { createTransport, type Transport } from '../../../src/exporters/otlp/transport.ts';
import { hasOpenssl, makeCertificates } from '../../peers/certificates.ts';
import { ok, startHttpReceiver, statusReply, type HttpAnswer } from './http-receiver.ts';
import { startReceiver } from './receiver.ts';

type Environment = Readonly<Record<string, string>>;

const http = { OTEL_EXPORTER_OTLP_PROTOCOL: 'http/protobuf' };
const configOf = (endpoint: string, env: Environment = {}): OtlpConfig =>
  resolveOtlpConfig({ endpoint }, { ...http, ...env });

async function connect(t: TestContext, config: OtlpConfig): Promise<Transport> {
  const transport = await createTransport(config);
  t.after(() => {
    transport.close();
  });
  return transport;
}

// TracesData with one empty ResourceSpans.
const request = Uint8Array.of(0x0a, 0x00);
const accepted = { kind: 'accepted', rejectedSpans: 0 };

test('protobuf to /v1/traces, with headers', async (t) => {
  const receiver = await startHttpReceiver(t);
  const env = { OTEL_EXPORTER_OTLP_HEADERS: 'Authorization=Bearer%20abc' };
  const transport = await connect(t, configOf(receiver.endpoint, env));
  await transport.probe();
  assert.deepEqual(await transport.send(request), accepted);
  const [probe, sent] = receiver.requests;
  assert.equal(probe?.body.length, 0);
  assert.equal(sent?.path, '/v1/traces');
  assert.deepEqual(sent.body, Buffer.from(request));
  assert.equal(sent.headers['content-type'], 'application/x-protobuf');
  assert.equal(sent.headers.authorization, 'Bearer abc');
  assert.equal(sent.headers['content-encoding'], undefined);
});

test('gzip', async (t) => {
  const receiver = await startHttpReceiver(t);
  const env = { OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip' };
  const transport = await connect(t, configOf(receiver.endpoint, env));
  await transport.probe();
  assert.deepEqual(await transport.send(request), accepted);
  assert.equal(receiver.requests[1]?.headers['content-encoding'], 'gzip');
  assert.deepEqual(receiver.requests[1].body, Buffer.from(request));
});

test('several requests at a time, over connections that are used again', async (t) => {
  const receiver = await startHttpReceiver(t, undefined, { delay: 50 });
  const transport = await connect(t, configOf(receiver.endpoint));
  const began = performance.now();
  for (let round = 0; round < 3; round++) {
    const results = await Promise.all([1, 2, 3, 4].map(() => transport.send(request)));
    assert.deepEqual(results, Array(4).fill(accepted));
  }
  assert.ok(performance.now() - began < 12 * 50, 'not one after the other');
  assert.equal(receiver.connections(), 4);
});

test('a connection that the server closed meanwhile costs nothing', async (t) => {
  const receiver = await startHttpReceiver(t, (index) => (index === 1 ? 'cut' : ok));
  const transport = await connect(t, configOf(receiver.endpoint));
  assert.deepEqual(await transport.send(request), accepted);
  // The second is cut on the connection of the first; that is what a closed one looks like.
  assert.deepEqual(await transport.send(request), accepted);
  assert.equal(receiver.requests.length, 3);
});

test('no answer, and half an answer, are tried again later', async (t) => {
  const answers: HttpAnswer[] = ['never', { headers: { 'content-length': '10' }, body: 'abc' }];
  const receiver = await startHttpReceiver(t, (index) => answers[index] ?? 'cut');
  const env = { OTEL_EXPORTER_OTLP_TIMEOUT: '150' };
  for (const message of [/no answer within 150 ms/, /no answer|aborted/, /hang up/]) {
    const transport = await connect(t, configOf(receiver.endpoint, env));
    const result = await transport.send(request);
    assert.equal(result.kind, 'retryable');
    assert.match(result.error.message, message);
  }
});

test('close ends what is on its way', async (t) => {
  const receiver = await startHttpReceiver(t, () => 'never');
  const transport = await connect(t, configOf(receiver.endpoint));
  const sending = transport.send(request);
  transport.close();
  assert.equal((await sending).kind, 'retryable');
  assert.equal((await transport.send(request)).kind, 'retryable');
});

test('by way of a proxy, as the environment says', async (t) => {
  // To a proxy a request names its server.
  const proxy = await startHttpReceiver(t);
  for (const [name, value] of [
    ['http_proxy', proxy.endpoint],
    ['no_proxy', 'near.example'],
  ] as const) {
    const before = process.env[name];
    process.env[name] = value;
    t.after(() => {
      if (before === undefined) Reflect.deleteProperty(process.env, name);
      else process.env[name] = before;
    });
  }
  const transport = await connect(t, configOf('http://far.example:4318'));
  assert.deepEqual(await transport.send(request), accepted);
  assert.equal(proxy.requests[0]?.path, 'http://far.example:4318/v1/traces');
});

test('a unix socket', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const receiver = await startHttpReceiver(t, undefined, { socket: join(folder, 'otlp.sock') });
  const transport = await connect(t, configOf(receiver.endpoint));
  await transport.probe();
  assert.deepEqual(await transport.send(request), accepted);
  assert.equal(receiver.requests[1]?.path, '/v1/traces');
  const nobody = await connect(t, configOf(`unix://${join(folder, 'none.sock')}`));
  await assert.rejects(nobody.probe(), { message: /none\.sock .*cannot be reached .*ENOENT/ });
});

describe('headers that HTTP cannot send are a usage error', () => {
  const cases: [string, string, RegExp][] = [
    ['a b', 'x', /letters/],
    ['a', 'x\ny', /one line/],
    ['Content-Type', 'text/plain', /leave it out/],
  ];
  for (const [name, value, advice] of cases)
    test(JSON.stringify({ [name]: value }), async () => {
      const config = { ...configOf('http://127.0.0.1:1'), headers: { [name]: value } };
      const message = new RegExp(`'${name}'`);
      await assert.rejects(createTransport(config), { code: 'SKBSPAN_USAGE', message, advice });
    });
});

test('a certificate that is none is a usage error', async () => {
  const junk = Buffer.from('no pem');
  const tls = { root: junk, key: junk, certificate: junk };
  const config = { ...configOf('https://127.0.0.1:1'), tls };
  await assert.rejects(createTransport(config), { code: 'SKBSPAN_USAGE', message: /not usable/ });
});

describe('the start says what is wrong', () => {
  const html = { 'content-type': 'text/html' };
  const page = { headers: html, body: '<html><title>Welcome</title></html>' };
  const cases: { name: string; probe: HttpAnswer; message: RegExp; advice: RegExp }[] = [
    { name: 'a web server', probe: page, message: /not an OTLP receiver.*Welcome/, advice: /4318/ },
    { name: 'text', probe: { body: 'hello' }, message: /not an OTLP receiver/, advice: /proxy/ },
    {
      name: 'another path',
      probe: { status: 404, body: '404 page not found' },
      message: /no OTLP trace service at the path '\/v1\/traces'/,
      advice: /--otlp/,
    },
    { name: 'another method', probe: { status: 405 }, message: /no OTLP/, advice: /4317/ },
    {
      name: 'no credentials',
      probe: { status: 401, body: 'no token' },
      message: /access refused \(401 Unauthorized: no token\)/,
      advice: /OTLP_HEADERS/,
    },
    { name: 'JSON only', probe: { status: 415 }, message: /no such content/, advice: /protobuf/ },
    {
      name: 'a login page',
      probe: { status: 302, headers: { location: 'https://sso/' } },
      message: /elsewhere \(302 Found, to https:\/\/sso\/\)/,
      advice: /proxy/,
    },
    {
      name: 'a proxy before nobody',
      probe: { ...page, status: 502 },
      message: /a proxy answers/,
      advice: /behind the proxy/,
    },
    {
      name: "a proxy's error",
      probe: { ...page, status: 500 },
      message: /not an OTLP receiver/,
      advice: /proxy/,
    },
    {
      name: 'TLS wanted',
      probe: { status: 400, body: 'Client sent an HTTP request to an HTTPS server.' },
      message: /expects TLS/,
      advice: /https:\/\//,
    },
    { name: 'nothing', probe: 'cut', message: /hung up/, advice: /https:\/\/.*gRPC/ },
    { name: 'no answer', probe: 'never', message: /no answer/, advice: /firewall/ },
  ];
  for (const { name, probe, message, advice } of cases)
    test(name, async (t) => {
      const receiver = await startHttpReceiver(t, undefined, { probe });
      const env = { OTEL_EXPORTER_OTLP_TIMEOUT: '2000' };
      const transport = await connect(t, configOf(receiver.endpoint, env));
      await assert.rejects(transport.probe(), { code: 'SKBSPAN_EXPORT', message, advice });
    });

  for (const probe of [
    ok,
    statusReply(503, 'busy'),
    { status: 429 },
    statusReply(400, 'no spans'),
    { status: 500 },
  ])
    test(`a receiver with ${probe.status ?? 200} is one`, async (t) => {
      const receiver = await startHttpReceiver(t, undefined, { probe });
      await (await connect(t, configOf(receiver.endpoint))).probe();
    });

  test('paths that the variables make wrong', async (t) => {
    const { endpoint } = await startHttpReceiver(t, undefined, { probe: { status: 404 } });
    const cases: [Environment, RegExp][] = [
      [{ OTEL_EXPORTER_OTLP_TRACES_ENDPOINT: endpoint }, /TRACES_ENDPOINT is taken as it is/],
      [{ OTEL_EXPORTER_OTLP_ENDPOINT: `${endpoint}/v1/traces` }, /is added to it/],
    ];
    for (const [env, advice] of cases) {
      const config = resolveOtlpConfig({ endpoint: undefined }, { ...http, ...env });
      await assert.rejects((await connect(t, config)).probe(), { code: 'SKBSPAN_EXPORT', advice });
    }
  });

  test('nobody there', async (t) => {
    const nobody = await connect(t, configOf('http://localhost:1'));
    await assert.rejects(nobody.probe(), {
      message: /cannot be reached \(connect ECONNREFUSED/,
      advice: /Start/,
    });
    const noPort = await connect(t, { ...configOf('http://localhost'), timeoutMs: 2000 });
    await assert.rejects(noPort.probe(), { advice: /Without a port it is 80/ });
  });

  test('HTTP to gRPC, and gRPC to HTTP', async (t) => {
    const grpc = await startReceiver(t);
    await assert.rejects((await connect(t, configOf(grpc.endpoint))).probe(), {
      code: 'SKBSPAN_EXPORT',
      message: /hung up|not an HTTP server/,
      advice: /gRPC/,
    });
    // grpc-go greets first, which is no HTTP/1.1: an empty SETTINGS frame.
    const greeting = createServer((socket) => {
      socket.on('error', () => undefined).write(Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]));
    }).listen(0, '127.0.0.1');
    await once(greeting, 'listening');
    t.after(() => greeting.close());
    const { port } = greeting.address() as AddressInfo;
    await assert.rejects((await connect(t, configOf(`http://127.0.0.1:${port}`))).probe(), {
      message: /not an HTTP server/,
      advice: /grpc/,
    });
    const receiver = await startHttpReceiver(t);
    const config = resolveOtlpConfig({ endpoint: receiver.endpoint, protocol: 'grpc' }, {});
    await assert.rejects((await connect(t, config)).probe(), {
      message: /not a gRPC server/,
      advice: /--otlp-protocol http\/protobuf/,
    });
  });
});

test(
  'TLS with both sides known; refused without the client certificate or the authority',
  { skip: hasOpenssl ? false : 'openssl is not installed: nothing to make certificates with' },
  async (t) => {
    const pem = makeCertificates(t);
    const tls = {
      key: readFileSync(pem.server.key),
      cert: readFileSync(pem.server.certificate),
      ca: readFileSync(pem.ca),
      requestCert: true,
      rejectUnauthorized: true,
    };
    const { endpoint } = await startHttpReceiver(t, undefined, { tls });
    const authority = { OTEL_EXPORTER_OTLP_CERTIFICATE: pem.ca };
    const both = {
      ...authority,
      OTEL_EXPORTER_OTLP_CLIENT_KEY: pem.client.key,
      OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: pem.client.certificate,
    };
    const transport = await connect(t, configOf(endpoint, both));
    await transport.probe();
    assert.equal((await transport.send(request)).kind, 'accepted');

    await assert.rejects((await connect(t, configOf(endpoint, authority))).probe(), {
      message: /TLS failed/,
      advice: /CLIENT_CERTIFICATE/,
    });
    await assert.rejects((await connect(t, configOf(endpoint))).probe(), {
      message: /TLS failed/,
      advice: /OTEL_EXPORTER_OTLP_CERTIFICATE/,
    });
    const plain = await startHttpReceiver(t);
    const toPlain = configOf(plain.endpoint.replace('http:', 'https:'));
    await assert.rejects((await connect(t, toPlain)).probe(), {
      message: /TLS failed/,
      advice: /http:\/\//,
    });
    const toTls = configOf(endpoint.replace('https:', 'http:'));
    await assert.rejects((await connect(t, toTls)).probe(), {
      message: /hung up/,
      advice: /https:\/\//,
    });
  },
);
