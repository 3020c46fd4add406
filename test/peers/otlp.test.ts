import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import type { PacketPath } from '../../src/event/packet-path.ts';
import type { Statistics } from '../../src/event/statistics.ts';
import { resolveOtlpConfig } from '../../src/exporters/otlp/config.ts';
import type { OtlpProtocol } from '../../src/exporters/otlp/endpoint.ts';
import { createOtlpExporter, type OtlpOptions } from '../../src/exporters/otlp/exporter.ts';
import { createResources } from '../../src/exporters/otlp/resources.ts';
import { createTransport, type Service } from '../../src/exporters/otlp/transport.ts';
import { packetPathToSpans } from '../exporters/otlp/readable-spans.ts';
import { checkSpans, recordOf } from '../exporters/otlp/check-spans.ts';
import { longPath } from '../exporters/otlp/long-path.ts';
import { seenFromReadable, type SeenSpan } from '../exporters/otlp/seen-span.ts';
import { packetPaths, tcpSegmentPath } from '../fixtures/packet-paths.ts';
import { jaegerMissing, startJaeger, type DrawnSpan } from './jaeger.ts';

const skip = jaegerMissing ?? false;

const statistics: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: new Map(),
};

async function send(
  t: TestContext,
  paths: readonly PacketPath[],
  options: Partial<OtlpOptions> & { readonly endpoint: string },
): Promise<void> {
  const exporter = createOtlpExporter({ clones: 'same_trace', ...options });
  t.after(() => exporter.shutdown(0, statistics));
  await exporter.start();
  assert.deepEqual(await exporter.export(paths), { status: 'success', lost: 0 });
}

/** Independent of the order, in which a backend is free. */
const sorted = (spans: readonly SeenSpan[]): SeenSpan[] =>
  [...spans].sort((a, b) => (a.spanId < b.spanId ? -1 : 1));

const ways = [
  { protocol: 'grpc', compression: 'none' },
  { protocol: 'http/protobuf', compression: 'none' },
  { protocol: 'http/protobuf', compression: 'gzip' },
] as const;

for (const { protocol, compression } of ways)
  test(
    `Jaeger gives back each fixture span by span: ${protocol}, compression ${compression}`,
    { skip },
    async (t) => {
      process.env['OTEL_EXPORTER_OTLP_COMPRESSION'] = compression;
      t.after(() => {
        Reflect.deleteProperty(process.env, 'OTEL_EXPORTER_OTLP_COMPRESSION');
      });
      const jaeger = await startJaeger(t);
      const paths = packetPaths();
      const endpoint = protocol === 'grpc' ? jaeger.endpoint : jaeger.httpEndpoint;
      await send(t, Object.values(paths), { endpoint, protocol });
      const resources = await createResources({ serviceName: undefined, timeScale: 1 });

      for (const [name, path] of Object.entries(paths))
        await t.test(name, async () => {
          const spans = await jaeger.spans(path.traceId);
          checkSpans(recordOf(path), spans);
          const sent = packetPathToSpans(path, {
            clones: 'same_trace',
            timeScale: 1,
            resources,
            scope: { name: 'skbspan' },
          });
          assert.deepEqual(sorted(spans), sorted(seenFromReadable(sent)), 'nothing added');
        });
    },
  );

test("Jaeger's UI gets links, parents, errors and microseconds", { skip }, async (t) => {
  const jaeger = await startJaeger(t);
  const path = tcpSegmentPath();
  await send(t, [path, packetPaths()['dropped'] ?? path], { endpoint: jaeger.endpoint });

  const drawn = await jaeger.drawn(path.traceId);
  const named = (name: string): DrawnSpan => {
    const span = drawn.find(({ operationName }) => operationName === name);
    assert.ok(span !== undefined, name);
    return span;
  };
  const waits = path.lives.reduce((sum, life) => sum + life.waits.length, 0);
  assert.equal(drawn.length, 15 + waits);
  assert.deepEqual(
    named('clone').references.map(({ refType, spanID }) => ({ refType, spanID })),
    [
      { refType: 'CHILD_OF', spanID: named('packet tcp').spanID },
      { refType: 'FOLLOWS_FROM', spanID: named('skb_clone').spanID },
    ],
  );
  assert.equal(named('tcp_v4_rcv').duration, 17);
  assert.equal(named('packet tcp').startTime, Number(path.startTimeNs / 1000n));

  const dropped = await jaeger.drawn(packetPaths()['dropped']?.traceId ?? '');
  const root = dropped.find(({ operationName }) => operationName === 'packet udp');
  assert.equal(root?.tags.find(({ key }) => key === 'error')?.value, true);
});

test('own_trace: a clone is found by the link from its own trace', { skip }, async (t) => {
  const jaeger = await startJaeger(t);
  const path = tcpSegmentPath();
  await send(t, [path], { endpoint: jaeger.endpoint, clones: 'own_trace' });
  const resources = await createResources({ serviceName: undefined, timeScale: 1 });
  const sent = packetPathToSpans(path, {
    clones: 'own_trace',
    timeScale: 1,
    resources,
    scope: { name: 'skbspan' },
  });
  const cloneTrace = sent.find(({ name }) => name === 'clone')?.spanContext().traceId ?? '';

  const original = await jaeger.spans(path.traceId);
  const [clone] = (await jaeger.spans(cloneTrace)).filter(
    ({ parentSpanId }) => parentSpanId === '',
  );

  assert.equal(clone?.name, 'clone');
  const target = original.find(({ spanId }) => spanId === clone.links[0]?.spanId);
  assert.equal(target?.name, 'skb_clone');
  assert.equal(clone.links[0]?.traceId, path.traceId);
});

test('with a time scale of 1000 calls 50 ns apart are drawn in order', { skip }, async (t) => {
  const jaeger = await startJaeger(t);
  const path = longPath(17);
  await send(t, [path], { endpoint: jaeger.endpoint, timeScale: 1000 });

  const calls = (await jaeger.drawn(path.traceId)).filter(
    ({ operationName }) => operationName !== 'packet',
  );
  calls.sort((a, b) => a.startTime - b.startTime);
  assert.deepEqual(
    calls.map(({ operationName }) => operationName),
    path.lives[0]?.calls.map(({ func }) => func),
  );
  assert.equal(new Set(calls.map(({ startTime }) => startTime)).size, 17);
  assert.ok(calls.every(({ duration }) => duration === 40));
});

test(
  'a path of 12000 calls, more than a request holds, is one whole trace',
  { skip },
  async (t) => {
    const jaeger = await startJaeger(t);
    const path = longPath(12_000, 100);
    await send(t, [path], { endpoint: jaeger.endpoint });
    checkSpans(recordOf(path), await jaeger.spans(path.traceId));
  },
);

test(
  'the start tells the ports of Jaeger apart, and that it takes no metrics',
  { skip },
  async (t) => {
    const jaeger = await startJaeger(t);
    const cases: {
      endpoint: string;
      protocol: OtlpProtocol;
      service?: Service;
      message: RegExp;
      advice: RegExp;
    }[] = [
      {
        endpoint: jaeger.endpoint,
        protocol: 'http/protobuf',
        message: /not an HTTP server|hung up/,
        advice: /For gRPC/,
      },
      {
        endpoint: jaeger.httpEndpoint,
        protocol: 'grpc',
        message: /not a gRPC server/,
        advice: /--otlp-protocol http\/protobuf/,
      },
      {
        endpoint: `${jaeger.httpEndpoint}/otlp`,
        protocol: 'http/protobuf',
        message: /at the path '\/otlp\/v1\/traces' \(404 Not Found/,
        advice: /--otlp/,
      },
      {
        endpoint: jaeger.httpEndpoint.replace('http:', 'https:'),
        protocol: 'http/protobuf',
        message: /TLS failed/,
        advice: /http:\/\//,
      },
      {
        endpoint: jaeger.httpEndpoint,
        protocol: 'http/protobuf',
        service: 'metrics',
        message: /takes no metrics/,
        advice: /Jaeger takes traces only/,
      },
    ];
    for (const { endpoint, protocol, service = 'traces', message, advice } of cases) {
      const signal = service === 'traces' ? 'TRACES' : 'METRICS';
      const config = resolveOtlpConfig({ endpoint, protocol }, {}, signal);
      const transport = await createTransport(config, service);
      t.after(() => {
        transport.close();
      });
      await assert.rejects(transport.probe(), { code: 'SKBSPAN_EXPORT', message, advice });
    }
  },
);
