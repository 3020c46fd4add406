import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import test, { type TestContext } from 'node:test';
import { status } from '@grpc/grpc-js';
import type { Exporter, ExportResult } from '../../../src/event/exporter.ts';
import type { Statistics } from '../../../src/event/statistics.ts';
import { createOtlpExporter, type OtlpOptions } from '../../../src/exporters/otlp/exporter.ts';
import { droppedPath, packetPaths, pingPath } from '../../fixtures/packet-paths.ts';
import { longPath } from './long-path.ts';
import { startReceiver, type Answer } from './receiver.ts';

const statistics: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: new Map(),
};

/** Its packet, calls and waits. */
const pingSpans = 19;

async function startExporter(
  t: TestContext,
  endpoint: string,
  more: Partial<OtlpOptions> = {},
): Promise<Exporter> {
  const exporter = createOtlpExporter({ endpoint, clones: 'same_trace', ...more });
  t.after(() => exporter.shutdown(0, statistics));
  await exporter.start();
  return exporter;
}

/** Sets a variable of the environment for the time of a test. */
function setVariable(t: TestContext, name: string, value: string): void {
  const before = process.env[name];
  process.env[name] = value;
  t.after(() => {
    if (before === undefined) Reflect.deleteProperty(process.env, name);
    else process.env[name] = before;
  });
}

const ids = (spans: readonly { readonly spanId: string }[]): string[] =>
  spans.map(({ spanId }) => spanId).sort();

const ok: Answer = { kind: 'ok' };
const error = (code: status, retryDelayMs?: number): Answer => ({
  kind: 'error',
  code,
  ...(retryDelayMs === undefined ? {} : { retryDelayMs }),
});

test('all spans of a batch arrive, each once', async (t) => {
  const receiver = await startReceiver(t);
  const exporter = await startExporter(t, receiver.endpoint, { headers: { 'x-team': 'net' } });
  const paths = Object.values(packetPaths());

  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });

  const spans = receiver.delivered();
  const want = paths
    .flatMap((path) => path.lives)
    .reduce((sum, life) => sum + 1 + life.calls.length + life.waits.length, 0);
  assert.equal(spans.length, want);
  assert.equal(new Set(ids(spans)).size, want);
  assert.deepEqual(
    new Set(spans.map(({ traceId }) => traceId)),
    new Set(paths.map(({ traceId }) => traceId)),
  );
  assert.equal(receiver.requests[0]?.headers['x-team'], 'net');
});

test('UNAVAILABLE, then OK: retryable, and the second try delivers', async (t) => {
  const receiver = await startReceiver(t, (index) =>
    index === 0 ? error(status.UNAVAILABLE) : ok,
  );
  const exporter = await startExporter(t, receiver.endpoint);
  const paths = [pingPath()];

  const first = await exporter.export(paths);
  assert.equal(first.status, 'retryable');
  assert.match(first.error.message, /UNAVAILABLE: as told/);
  assert.equal(first.retryAfterMs, undefined);
  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
  assert.equal(receiver.requests.length, 2);
  assert.deepEqual(receiver.requests[0]?.spans, receiver.requests[1]?.spans);
});

const retryCases: { name: string; answer: Answer; want: Partial<ExportResult> }[] = [
  {
    name: 'RESOURCE_EXHAUSTED with RetryInfo',
    answer: error(status.RESOURCE_EXHAUSTED, 1500),
    want: { status: 'retryable', retryAfterMs: 1500 },
  },
  {
    name: 'RESOURCE_EXHAUSTED without RetryInfo',
    answer: error(status.RESOURCE_EXHAUSTED),
    want: { status: 'failure', lost: pingSpans, cause: 'export_refused' },
  },
  {
    name: 'UNAVAILABLE with RetryInfo',
    answer: error(status.UNAVAILABLE, 250),
    want: { status: 'retryable', retryAfterMs: 250 },
  },
  {
    name: 'INVALID_ARGUMENT',
    answer: error(status.INVALID_ARGUMENT),
    want: { status: 'failure', lost: pingSpans, cause: 'export_refused' },
  },
  {
    name: 'a partial success',
    answer: { kind: 'ok', rejectedSpans: 3 },
    want: { status: 'success', lost: 3, cause: 'export_refused' },
  },
  {
    name: 'a partial success of more than was sent',
    answer: { kind: 'ok', rejectedSpans: 300 },
    want: { status: 'success', lost: pingSpans, cause: 'export_refused' },
  },
];
for (const { name, answer, want } of retryCases)
  test(`${name} is ${want.status ?? ''}`, async (t) => {
    const receiver = await startReceiver(t, () => answer);
    const exporter = await startExporter(t, receiver.endpoint);

    const result = await exporter.export([pingPath()]);

    assert.deepEqual({ ...result, ...want }, result);
  });

for (const code of [
  status.CANCELLED,
  status.DEADLINE_EXCEEDED,
  status.ABORTED,
  status.OUT_OF_RANGE,
  status.DATA_LOSS,
])
  test(`${status[code]} is retryable`, async (t) => {
    const receiver = await startReceiver(t, () => error(code));
    const exporter = await startExporter(t, receiver.endpoint);
    assert.equal((await exporter.export([pingPath()])).status, 'retryable');
  });

test('5 MB of spans go in requests below 4 MiB, each span once', async (t) => {
  const receiver = await startReceiver(t);
  const exporter = await startExporter(t, receiver.endpoint);
  const paths = Array.from({ length: 12 }, (_, index) => longPath(900, 100, 1000 + index));

  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });

  const sizes = receiver.requests.map(({ bytes }) => bytes);
  const total = sizes.reduce((sum, bytes) => sum + bytes, 0);
  assert.ok(total > 5_000_000, `${total} bytes`);
  assert.ok(Math.max(...sizes) < 4 * 1024 * 1024, `${Math.max(...sizes)} bytes`);
  const spans = receiver.delivered();
  assert.equal(spans.length, 12 * 901);
  assert.equal(new Set(ids(spans)).size, spans.length);
});

test('one path bigger than a request is one trace in several requests', async (t) => {
  const receiver = await startReceiver(t);
  const exporter = await startExporter(t, receiver.endpoint);

  // Names of 6 KB: 2048 spans are three times the limit, so that size decides and not the number of spans.
  assert.deepEqual(await exporter.export([longPath(1500, 6000)]), { status: 'success', lost: 0 });

  assert.ok(receiver.requests.length > 2);
  assert.ok(receiver.requests.every(({ bytes }) => bytes < 4 * 1024 * 1024));
  const spans = receiver.delivered();
  assert.equal(spans.length, 1501);
  assert.equal(new Set(spans.map(({ traceId }) => traceId)).size, 1);
});

test('a span bigger than a request is refused alone', async (t) => {
  const receiver = await startReceiver(t);
  const exporter = await startExporter(t, receiver.endpoint);

  const result = await exporter.export([longPath(1, 4_200_000), pingPath()]);

  assert.equal(result.status, 'failure');
  assert.equal(result.lost, 1);
  assert.equal(result.cause, 'export_refused');
  assert.equal(receiver.delivered().length, 1 + pingSpans);
});

test('a retry sends only what was not accepted', async (t) => {
  // The third request fails, whichever it is; after that everything is taken.
  const receiver = await startReceiver(t, (index) =>
    index === 2 ? error(status.UNAVAILABLE) : ok,
  );
  const exporter = await startExporter(t, receiver.endpoint);
  const paths = Array.from({ length: 10 }, (_, index) => longPath(2000, 10, 1000 + index));

  assert.equal((await exporter.export(paths)).status, 'retryable');
  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });

  const spans = receiver.delivered();
  assert.equal(spans.length, 10 * 2001);
  assert.equal(new Set(ids(spans)).size, spans.length, 'no span was accepted twice');
});

test('what was refused before a retry is counted once, at the end', async (t) => {
  const answers = [error(status.INVALID_ARGUMENT), error(status.UNAVAILABLE), ok];
  const receiver = await startReceiver(t, (index) => answers[index] ?? ok);
  const exporter = await startExporter(t, receiver.endpoint);
  const paths = [longPath(2000, 10, 1), longPath(2000, 10, 2), longPath(2000, 10, 3)];

  assert.equal((await exporter.export(paths)).status, 'retryable');
  const result = await exporter.export(paths);

  assert.equal(result.status, 'failure');
  assert.equal(result.lost, 2001);
  assert.equal(receiver.delivered().length, 2 * 2001);
});

test('a server that never answers: retryable after the timeout', async (t) => {
  setVariable(t, 'OTEL_EXPORTER_OTLP_TIMEOUT', '150');
  const receiver = await startReceiver(t, () => ({ kind: 'never' }));
  const exporter = await startExporter(t, receiver.endpoint);

  const began = performance.now();
  const result = await exporter.export([pingPath()]);

  assert.equal(result.status, 'retryable');
  assert.match(result.error.message, /DEADLINE_EXCEEDED/);
  const took = performance.now() - began;
  assert.ok(took >= 140 && took < 2_000, `${took} ms`);
});

test('shutdown waits for what is in flight, but not beyond its deadline', async (t) => {
  const receiver = await startReceiver(t, () => ({ kind: 'never' }));
  const exporter = await startExporter(t, receiver.endpoint);

  const exporting = exporter.export([pingPath()]);
  const began = performance.now();
  await exporter.shutdown(200, statistics);
  const took = performance.now() - began;

  assert.ok(took >= 190 && took < 2_000, `${took} ms`);
  assert.notEqual((await exporting).status, 'success');
  await exporter.shutdown(200, statistics);
  const after = await exporter.export([pingPath()]);
  assert.equal(after.status, 'failure');
  assert.equal(after.lost, 1);
});

test('shutdown before start is safe', async () => {
  const exporter = createOtlpExporter({ endpoint: undefined, clones: 'same_trace' });
  await exporter.shutdown(0, statistics);
});

test('gzip as the environment says', async (t) => {
  setVariable(t, 'OTEL_EXPORTER_OTLP_COMPRESSION', 'gzip');
  const receiver = await startReceiver(t);
  const exporter = await startExporter(t, receiver.endpoint);
  await exporter.export([droppedPath()]);
  assert.equal(receiver.delivered().length, 8);
});

test('endpoint and headers as the environment says', async (t) => {
  const receiver = await startReceiver(t);
  setVariable(t, 'OTEL_EXPORTER_OTLP_ENDPOINT', receiver.endpoint);
  setVariable(t, 'OTEL_EXPORTER_OTLP_HEADERS', 'authorization=Bearer%20abc');
  const exporter = createOtlpExporter({ endpoint: undefined, clones: 'same_trace' });
  t.after(() => exporter.shutdown(0, statistics));
  await exporter.start();
  await exporter.export([pingPath()]);
  assert.equal(receiver.requests[0]?.headers['authorization'], 'Bearer abc');
});

test('start says what is wrong with the endpoint', async (t) => {
  const web = createServer((_, response) => response.end('hello')).listen(0, '127.0.0.1');
  await once(web, 'listening');
  t.after(() => web.close());
  const webPort = (web.address() as AddressInfo).port;
  const receiver = await startReceiver(t);
  const cases = [
    {
      endpoint: 'http://127.0.0.1:1',
      message: /cannot be reached .*ECONNREFUSED/,
      advice: /Start/,
    },
    { endpoint: `http://127.0.0.1:${webPort}`, message: /not a gRPC server/, advice: /4317/ },
    {
      endpoint: receiver.endpoint.replace('http://127.0.0.1', 'localhost'),
      message: /TLS failed/,
      advice: /http:\/\//,
    },
  ];
  for (const { endpoint, message, advice } of cases) {
    const exporter = createOtlpExporter({ endpoint, clones: 'same_trace' });
    await assert.rejects(exporter.start(), { code: 'SKBSPAN_EXPORT', message, advice }, endpoint);
  }
});

test('without start nothing of OpenTelemetry is loaded', async () => {
  const { execFileSync } = await import('node:child_process');
  const url = new URL('../../../src/exporters/otlp/exporter.ts', import.meta.url).href;
  const script = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
    const { createOtlpExporter } = await import(${JSON.stringify(url)});
    createOtlpExporter({ endpoint: undefined, clones: 'same_trace' });
    console.log(loaded.filter((url) => url.includes('node_modules')).length, loaded.length);
  `;
  const output = execFileSync(process.execPath, ['--input-type=module', '-e', script], {
    encoding: 'utf8',
  });
  const [packages, all] = output.trim().split(' ').map(Number);
  assert.equal(packages, 0);
  assert.ok((all ?? 0) >= 2, output);
});
