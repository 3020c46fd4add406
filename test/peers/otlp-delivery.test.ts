// How spans get to a real Jaeger when something is in the way. Each path must arrive whole, or be counted.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { connect, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pipeline as joinStreams } from 'node:stream';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import type { PacketPath } from '../../src/event/packet-path.ts';
import type { LossCause, Statistics } from '../../src/event/statistics.ts';
import { protocols, type OtlpProtocol } from '../../src/exporters/otlp/endpoint.ts';
import { createOtlpExporter, type OtlpOptions } from '../../src/exporters/otlp/exporter.ts';
import { createPipeline, type Pipeline } from '../../src/pipeline/pipeline.ts';
import { longPath } from '../exporters/otlp/long-path.ts';
import { startReceiver } from '../exporters/otlp/receiver.ts';
import { manyPaths, take } from '../fixtures/many-paths.ts';
import { makeCertificates } from './certificates.ts';
import { jaegerMissing, startJaeger, type Jaeger } from './jaeger.ts';

const skip = jaegerMissing ?? false;

const nothing: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: new Map(),
};

function setVariables(t: TestContext, values: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(values)) {
    process.env[name] = value;
    t.after(() => {
      Reflect.deleteProperty(process.env, name);
    });
  }
}

async function startPipeline(
  t: TestContext,
  endpoint: string,
  options: Partial<OtlpOptions> & { readonly batchPaths?: number } = {},
): Promise<Pipeline> {
  const pipeline = createPipeline({
    exporters: [createOtlpExporter({ endpoint, clones: 'same_trace', ...options })],
    deadlineMs: 60_000,
    batchPaths: options.batchPaths ?? 64,
    batchDelayMs: 20,
    backoff: { initialMs: 100, maxMs: 1000 },
    onNotice: () => undefined,
  });
  await pipeline.start();
  t.after(() => pipeline.shutdown(0, nothing));
  return pipeline;
}

const endpointOf = (jaeger: Jaeger, protocol: OtlpProtocol): string =>
  protocol === 'grpc' ? jaeger.endpoint : jaeger.httpEndpoint;

const total = (losses: ReadonlyMap<LossCause, number>): number =>
  [...losses.values()].reduce((sum, count) => sum + count, 0);

const spansOf = (path: PacketPath): number =>
  path.lives.reduce((sum, life) => sum + 1 + life.calls.length + life.waits.length, 0);

/** A socket that leads to Jaeger, whose receiver listens for HTTP on TCP only. */
async function relay(t: TestContext, socket: string, endpoint: string): Promise<void> {
  const server = createServer((near) => {
    const far = connect(Number(new URL(endpoint).port), '127.0.0.1');
    joinStreams(near, far, near, () => undefined);
  });
  await once(server.listen(socket), 'listening');
  t.after(() => server.close());
}

/** How many of the paths Jaeger has, all of each. */
async function countWhole(jaeger: Jaeger, paths: readonly PacketPath[]): Promise<number> {
  let whole = 0;
  for (const path of paths) {
    const spans = await jaeger.spans(path.traceId).catch((error: unknown): [] => {
      assert.match(String(error), / 404 /);
      return [];
    });
    assert.ok(spans.length === 0 || spans.length === spansOf(path), `${spans.length} of a path`);
    if (spans.length > 0) whole++;
  }
  return whole;
}

for (const protocol of protocols)
  test(
    `${protocol}: kill -9 and a restart under load: in = out + counted, and nothing is lost`,
    { skip },
    async (t) => {
      const jaeger = await startJaeger(t, [], { keeps: true });
      const pipeline = await startPipeline(t, endpointOf(jaeger, protocol), { protocol });
      const paths = take(manyPaths(7), 1200);
      let killed: Promise<void> | undefined;
      for (let at = 0; at < paths.length; at += 20) {
        await pipeline.push(paths.slice(at, at + 20));
        await sleep(10);
        if (at === 400) await jaeger.kill();
        if (at === 800) killed = jaeger.restart();
      }
      await killed;
      const { losses } = await pipeline.shutdown(30_000, nothing);

      const arrived = await countWhole(jaeger, paths);
      assert.equal(arrived + total(losses), paths.length);
      assert.equal(total(losses), 0, 'it was away for less than a batch may be tried');
    },
  );

for (const protocol of protocols)
  test(
    `${protocol}: a receiver that hangs for two seconds: nothing is lost`,
    { skip },
    async (t) => {
      setVariables(t, { OTEL_EXPORTER_OTLP_TIMEOUT: '500' });
      const jaeger = await startJaeger(t);
      const pipeline = await startPipeline(t, endpointOf(jaeger, protocol), { protocol });
      const paths = take(manyPaths(8), 600);
      await pipeline.push(paths.slice(0, 200));
      process.kill(jaeger.pid, 'SIGSTOP');
      await pipeline.push(paths.slice(200));
      await sleep(2_000);
      process.kill(jaeger.pid, 'SIGCONT');
      const { losses } = await pipeline.shutdown(30_000, nothing);

      assert.equal(total(losses), 0);
      assert.equal(await countWhole(jaeger, paths), paths.length);
    },
  );

test('a receiver that never answers: memory is bounded, push waits little, all is counted', async (t) => {
  setVariables(t, { OTEL_EXPORTER_OTLP_TIMEOUT: '300' });
  const receiver = await startReceiver(t, () => ({ kind: 'never' }));
  const pipeline = await startPipeline(t, receiver.endpoint, { batchPaths: 512 });
  const source = manyPaths(9);
  const count = 60_000;
  let slowest = 0;
  let before = 0;
  for (let pushed = 0; pushed < count; pushed += 200) {
    const began = performance.now();
    await pipeline.push(take(source, 200));
    slowest = Math.max(slowest, performance.now() - began);
    // The queue is full from here on.
    if (pushed === 20_000) before = process.memoryUsage().rss;
  }
  const grown = (process.memoryUsage().rss - before) / 1e6;
  const began = performance.now();
  const { losses } = await pipeline.shutdown(1_000, nothing);

  assert.ok(grown < 100, `${grown} MB more for 40000 paths`);
  assert.ok(slowest < 2_000, `a push took ${slowest} ms`);
  assert.ok(performance.now() - began < 2_500, 'the deadline of the shutdown holds');
  assert.equal(total(losses), count);
  assert.ok((losses.get('export_queue') ?? 0) > count / 2);
});

for (const protocol of protocols)
  test(
    `${protocol}: a request beyond 4 MiB is refused by Jaeger, and counted; by default there is none`,
    { skip },
    async (t) => {
      // By HTTP Jaeger takes 20 MiB unless told otherwise.
      const jaeger = await startJaeger(t, [], { http: { max_request_body_size: 4 * 1024 * 1024 } });
      const paths = Array.from({ length: 6 }, (_, index) => longPath(1500, 600, 5000 + index));
      const spans = paths.reduce((sum, path) => sum + spansOf(path), 0);

      const large = await startPipeline(t, endpointOf(jaeger, protocol), {
        protocol,
        maxRequestBytes: 50_000_000,
      });
      await large.push([longPath(2000, 3000, 4999)]);
      const refused = await large.shutdown(10_000, nothing);
      // 2048 spans are the other bound of a request.
      assert.equal(refused.losses.get('export_refused'), 2001);

      const pipeline = await startPipeline(t, endpointOf(jaeger, protocol), { protocol });
      await pipeline.push(paths);
      const { losses } = await pipeline.shutdown(10_000, nothing);
      assert.equal(total(losses), 0, `of ${spans} spans`);
      assert.equal(await countWhole(jaeger, paths), paths.length);
    },
  );

for (const protocol of protocols)
  test(
    `${protocol}: TLS with a certificate of its own on both sides, and what is said without`,
    { skip },
    async (t) => {
      const pem = makeCertificates(t);
      const tls = {
        cert_file: pem.server.certificate,
        key_file: pem.server.key,
        client_ca_file: pem.ca,
      };
      const jaeger = await startJaeger(t, [], { grpc: { tls }, http: { tls } });
      const endpoint = endpointOf(jaeger, protocol).replace('http:', 'https:');
      const refused = async (message: RegExp): Promise<void> => {
        const exporter = createOtlpExporter({ endpoint, protocol, clones: 'same_trace' });
        t.after(() => exporter.shutdown(0, nothing));
        await assert.rejects(exporter.start(), { code: 'SKBSPAN_EXPORT', message });
      };
      await refused(/TLS failed .*certificate/);
      setVariables(t, { OTEL_EXPORTER_OTLP_CERTIFICATE: pem.ca });
      await refused(/cannot be reached|TLS failed/);

      setVariables(t, {
        OTEL_EXPORTER_OTLP_CLIENT_CERTIFICATE: pem.client.certificate,
        OTEL_EXPORTER_OTLP_CLIENT_KEY: pem.client.key,
      });
      const pipeline = await startPipeline(t, endpoint, { protocol });
      const paths = take(manyPaths(10), 20);
      await pipeline.push(paths);
      assert.equal(total((await pipeline.shutdown(10_000, nothing)).losses), 0);
      assert.equal(await countWhole(jaeger, paths), paths.length);
    },
  );

for (const protocol of protocols)
  test(
    `${protocol}: a unix socket, compressed, with a service name and attributes of the environment`,
    { skip },
    async (t) => {
      const folder = mkdtempSync(join(tmpdir(), 'skbspan-otlp-'));
      t.after(() => {
        rmSync(folder, { recursive: true });
      });
      const socket = join(folder, 'otlp.sock');
      const byGrpc = protocol === 'grpc';
      const listen = { grpc: { endpoint: socket, transport: 'unix' } };
      const jaeger = await startJaeger(t, [], byGrpc ? listen : {});
      if (!byGrpc) await relay(t, socket, jaeger.httpEndpoint);
      setVariables(t, {
        OTEL_EXPORTER_OTLP_COMPRESSION: 'gzip',
        OTEL_SERVICE_NAME: 'edge',
        OTEL_RESOURCE_ATTRIBUTES: 'deployment.environment.name=lab',
      });
      const pipeline = await startPipeline(t, `unix://${socket}`, { protocol });
      const paths = take(manyPaths(11), 20);
      await pipeline.push(paths);
      assert.equal(total((await pipeline.shutdown(10_000, nothing)).losses), 0);
      assert.equal(await countWhole(jaeger, paths), paths.length);
      const [span] = await jaeger.spans(paths[0]?.traceId ?? '');
      assert.ok(span !== undefined);
      assert.equal(span.resource['service.name'], 'edge');
      assert.equal(span.resource['deployment.environment.name'], 'lab');
    },
  );
