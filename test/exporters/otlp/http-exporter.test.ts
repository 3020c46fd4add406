// The exporter over HTTP: what exporter.test.ts checks of gRPC, where the protocol has a part in it.
import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import type { Exporter } from '../../../src/event/exporter.ts';
import type { Statistics } from '../../../src/event/statistics.ts';
import { createOtlpExporter } from '../../../src/exporters/otlp/exporter.ts';
import { packetPaths, pingPath } from '../../fixtures/packet-paths.ts';
import {
  ok,
  partialSuccess,
  startHttpReceiver,
  statusReply,
  type HttpAnswer,
} from './http-receiver.ts';
import { longPath } from './long-path.ts';

const statistics: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: new Map(),
};

async function startExporter(t: TestContext, endpoint: string): Promise<Exporter> {
  const exporter = createOtlpExporter({
    endpoint,
    clones: 'same_trace',
    protocol: 'http/protobuf',
  });
  t.after(() => exporter.shutdown(0, statistics));
  await exporter.start();
  return exporter;
}

test('all spans of a batch arrive, each once', async (t) => {
  const receiver = await startHttpReceiver(t);
  const exporter = await startExporter(t, receiver.endpoint);
  const paths = Object.values(packetPaths());
  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
  const want = paths
    .flatMap((path) => path.lives)
    .reduce((sum, life) => sum + 1 + life.calls.length + life.waits.length, 0);
  const ids = receiver.delivered().map(({ spanId }) => spanId);
  assert.equal(ids.length, want);
  assert.equal(new Set(ids).size, want);
});

test('spans that were rejected are counted, and sent no more', async (t) => {
  const receiver = await startHttpReceiver(t, () => partialSuccess(3, 'too old'));
  const exporter = await startExporter(t, receiver.endpoint);
  assert.deepEqual(await exporter.export([pingPath()]), {
    status: 'success',
    lost: 3,
    cause: 'export_refused',
  });
});

test('a retry sends only what was not accepted, after the time that was asked for', async (t) => {
  const busy: HttpAnswer = { status: 429, headers: { 'retry-after': '2' } };
  const receiver = await startHttpReceiver(t, (index) => (index === 2 ? busy : ok));
  const exporter = await startExporter(t, receiver.endpoint);
  const paths = Array.from({ length: 10 }, (_, index) => longPath(2000, 10, 1000 + index));
  const first = await exporter.export(paths);
  assert.equal(first.status, 'retryable');
  assert.equal(first.retryAfterMs, 2000);
  assert.match(first.error.message, /429 Too Many Requests/);
  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
  const ids = receiver.delivered().map(({ spanId }) => spanId);
  assert.equal(ids.length, 10 * 2001);
  assert.equal(new Set(ids).size, ids.length, 'no span was accepted twice');
});

test('what is refused is counted, with the words of the server', async (t) => {
  const receiver = await startHttpReceiver(t, () => statusReply(400, 'no such tenant'));
  const exporter = await startExporter(t, receiver.endpoint);
  const result = await exporter.export([pingPath()]);
  assert.equal(result.status, 'failure');
  assert.equal(result.cause, 'export_refused');
  assert.equal(result.lost, 19);
  assert.match(result.error.message, /400 Bad Request: no such tenant/);
});

test('shutdown waits for what is in flight, but not beyond its deadline', async (t) => {
  const receiver = await startHttpReceiver(t, () => 'never');
  const exporter = await startExporter(t, receiver.endpoint);
  const exporting = exporter.export([pingPath()]);
  const began = performance.now();
  await exporter.shutdown(200, statistics);
  const took = performance.now() - began;
  assert.ok(took >= 190 && took < 2_000, `${took} ms`);
  assert.notEqual((await exporting).status, 'success');
});

test('gRPC is not loaded for HTTP', async (t) => {
  const { execFile } = await import('node:child_process');
  const { promisify } = await import('node:util');
  const receiver = await startHttpReceiver(t);
  const url = new URL('../../../src/exporters/otlp/exporter.ts', import.meta.url).href;
  const script = `
    import { registerHooks } from 'node:module';
    const loaded = [];
    registerHooks({ load: (url, context, next) => { loaded.push(url); return next(url, context); } });
    const { createOtlpExporter } = await import(${JSON.stringify(url)});
    const options = { endpoint: ${JSON.stringify(`${receiver.endpoint}/v1/traces`)}, clones: 'same_trace' };
    const exporter = createOtlpExporter(options);
    await exporter.start();
    await exporter.shutdown(0, {});
    console.log(loaded.filter((url) => url.includes('grpc')).join(' '));
  `;
  const words = ['--input-type=module', '-e', script];
  const { stdout } = await promisify(execFile)(process.execPath, words, { encoding: 'utf8' });
  assert.equal(stdout.trim(), '');
});
