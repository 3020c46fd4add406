import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import type { RunState } from '../../../src/exporters/metrics/metrics.ts';
import { createDurationHistogram } from '../../../src/exporters/metrics/histogram.ts';
import {
  openMetrics,
  type Metrics,
  type MetricsOptions,
} from '../../../src/exporters/metrics/metrics.ts';
import { metricNames } from '../../../src/exporters/metrics/metric-names.ts';
import { createPathMetrics } from '../../../src/exporters/metrics/path-metrics.ts';
import { packetPaths, pingPath } from '../../fixtures/packet-paths.ts';
import { startHttpReceiver } from '../otlp/http-receiver.ts';
import { freePorts } from '../../peers/free-ports.ts';

async function start(t: TestContext, options: Partial<MetricsOptions>): Promise<Metrics> {
  const metrics = await openMetrics({
    listen: undefined,
    otlp: undefined,
    version: '1',
    ...options,
  });
  t.after(() => metrics.close(100));
  return metrics;
}

const state: RunState = {
  statistics: {
    events: 1234,
    lives: 5,
    paths: 4,
    drops: new Map(),
    losses: new Map([
      ['ring_full', 7],
      ['export_queue', 0],
    ]),
    leftOut: 3,
  },
  queues: [{ exporter: 'otlp', paths: 12, capacity: 10_000 }],
};

/** `name{labels} value` as Prometheus writes them, labels without those of the scope. */
async function scrape(port: number): Promise<Map<string, string>> {
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return new Map(
    [...text.matchAll(/^(\w+?)(?:\{(.*)\})? (\S+)$/gm)].map(
      ([, name = '', labels = '', value = '']) => [
        `${name}{${labels.replace(/,?otel_scope_\w+="[^"]*"/g, '').replace(/^,/, '')}}`,
        value,
      ],
    ),
  );
}

test('Prometheus gets packets, drops, durations, losses and queues', async (t) => {
  const [port = 0] = await freePorts(1);
  const metrics = await start(t, { listen: { host: '127.0.0.1', port } });
  metrics.setSource(() => Promise.resolve(state));
  metrics.observe(Object.values(packetPaths()));
  metrics.observe([pingPath()]);

  const got = await scrape(port);
  const value = (key: string): string | undefined => got.get(key);
  assert.equal(
    value(
      'skbspan_drops_total{skbspan_drop_reason="NETFILTER_DROP",skbspan_drop_function="nf_hook_slow"}',
    ),
    '1',
    [...got.keys()].filter((key) => key.includes('drop')).join('\n'),
  );
  const { direction } = pingPath();
  const alike = [...Object.values(packetPaths()), pingPath()].filter(
    (path) => path.flow?.transport === 'icmp' && path.direction === direction,
  );
  assert.equal(
    value(`skbspan_packets_total{network_transport="icmp",network_io_direction="${direction}"}`),
    String(alike.length),
  );
  assert.equal(value('skbspan_call_duration_count{code_function_name="icmp_echo"}'), '2');
  assert.equal(value('skbspan_losses_total{skbspan_loss_cause="ring_full"}'), '7');
  assert.equal(value('skbspan_losses_total{skbspan_loss_cause="export_queue"}'), '0');
  assert.equal(value('skbspan_events_total{}'), '1234');
  assert.equal(value('skbspan_packets_left_out_total{}'), '3');
  assert.equal(value('skbspan_export_queue_size{skbspan_exporter="otlp"}'), '12');
  const echo = pingPath().lives[0]?.calls.find(({ func }) => func === 'icmp_echo');
  const sum = Number(value('skbspan_call_duration_sum{code_function_name="icmp_echo"}'));
  assert.ok(Math.abs(sum - (2 * (echo?.durationNs ?? 0)) / 1e9) < 1e-12, `${sum}`);
});

test('a tracepoint and a guessed end are no duration', () => {
  const metrics = createPathMetrics();
  const { tracepoint, enter_only: enterOnly } = packetPaths();
  assert.ok(tracepoint !== undefined && enterOnly !== undefined);
  metrics.observe([tracepoint, enterOnly]);
  assert.equal(metrics.calls.size, 0);
});

test('series are bounded; the rest is counted together', () => {
  const metrics = createPathMetrics();
  const path = pingPath();
  const [life] = path.lives;
  const [call] = life?.calls ?? [];
  assert.ok(life !== undefined && call !== undefined);
  for (let i = 0; i < 3000; i++)
    metrics.observe([{ ...path, lives: [{ ...life, calls: [{ ...call, func: `f${i}` }] }] }]);
  assert.equal(metrics.calls.size, 2000);
  assert.equal(metrics.calls.get('')?.value().count, 1001);
});

test('a duration is in the bucket whose end is not below it', () => {
  const histogram = createDurationHistogram();
  for (const ns of [0, 100, 101, 1e10, 1e10 + 1]) histogram.record(ns);
  const { buckets, sum, count, min, max } = histogram.value();
  assert.equal(buckets.counts.length, buckets.boundaries.length + 1);
  assert.deepEqual(
    buckets.boundaries,
    [...buckets.boundaries].sort((a, b) => a - b),
  );
  assert.deepEqual([buckets.counts[0], buckets.counts[1]], [2, 1]);
  assert.deepEqual(buckets.counts.slice(-2), [1, 1]);
  assert.deepEqual([count, min, max], [5, 0, (1e10 + 1) / 1e9]);
  assert.ok(Math.abs(sum - 20.000000202) < 1e-9);
});

test('a port that is taken is said, with advice', async (t) => {
  const [port = 0] = await freePorts(1);
  await start(t, { listen: { host: '127.0.0.1', port } });
  await assert.rejects(start(t, { listen: { host: '127.0.0.1', port } }), {
    code: 'SKBSPAN_EXPORT',
    message: /EADDRINUSE/,
    advice: /--metrics-listen/,
  });
});

async function startCollector(
  t: TestContext,
  service: string,
): Promise<{ endpoint: string; requests: Buffer[] }> {
  const requests: Buffer[] = [];
  const server = new Server();
  const bytes = (buffer: Buffer): Buffer => buffer;
  server.addService(
    {
      export: {
        path: `/opentelemetry.proto.collector.${service}/Export`,
        requestStream: false,
        responseStream: false,
        requestSerialize: bytes,
        requestDeserialize: bytes,
        responseSerialize: bytes,
        responseDeserialize: bytes,
      },
    },
    {
      export: (call: { request: Buffer }, callback: (error: null, answer: Buffer) => void) => {
        if (call.request.length > 0) requests.push(call.request);
        callback(null, Buffer.alloc(0));
      },
    },
  );
  const port = await new Promise<number>((resolve, reject) => {
    server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, bound) => {
      if (error === null) resolve(bound);
      else reject(error);
    });
  });
  t.after(() => {
    server.forceShutdown();
  });
  return { endpoint: `http://127.0.0.1:${port}`, requests };
}

test('OTLP: pushed at the end at the latest, under the name of the tool', async (t) => {
  const { endpoint, requests } = await startCollector(t, 'metrics.v1.MetricsService');
  const metrics = await start(t, { otlp: { endpoint } });
  metrics.setSource(() => Promise.resolve(state));
  metrics.observe([pingPath()]);
  await metrics.close(2000);
  assert.equal(requests.length, 1);
  const text = requests[0]?.toString('latin1') ?? '';
  for (const word of [...Object.keys(metricNames), 'service.name', 'icmp_echo', 'ring_full'])
    assert.ok(text.includes(word), word);
});

test('OTLP over HTTP: pushed to the path of metrics, wherever that of traces leads', async (t) => {
  const receiver = await startHttpReceiver(t);
  const metrics = await start(t, { otlp: { endpoint: `${receiver.endpoint}/base/v1/traces` } });
  metrics.setSource(() => Promise.resolve(state));
  metrics.observe([pingPath()]);
  await metrics.close(2000);
  assert.deepEqual(
    receiver.requests.map(({ path }) => path),
    ['/base/v1/metrics', '/base/v1/metrics'],
  );
  const text = receiver.requests[1]?.body.toString('latin1') ?? '';
  for (const word of [...Object.keys(metricNames), 'icmp_echo'])
    assert.ok(text.includes(word), word);
});

test('a receiver of traces only says so at the start, by HTTP too', async (t) => {
  const { endpoint } = await startHttpReceiver(t, undefined, { probe: { status: 404 } });
  await assert.rejects(start(t, { otlp: { endpoint, protocol: 'http/protobuf' } }), {
    code: 'SKBSPAN_EXPORT',
    message: /takes no metrics/,
    advice: /Jaeger takes traces only/,
  });
});

test('a receiver of traces only says so at the start', async (t) => {
  const { endpoint } = await startCollector(t, 'trace.v1.TraceService');
  await assert.rejects(start(t, { otlp: { endpoint } }), {
    code: 'SKBSPAN_EXPORT',
    message: /takes no metrics/,
    advice: /Jaeger takes traces only/,
  });
});

test('docs/metrics.md has every metric with its unit, and no other', () => {
  const text = readFileSync(new URL('../../../docs/metrics.md', import.meta.url), 'utf8');
  const documented = [...text.matchAll(/^\| `(skbspan\.[\w.]+)`\s*\| \w+\s*\| `(\S+)`/gm)].map(
    ([, name, unit]) => [name, unit],
  );
  assert.deepEqual(
    documented.sort(),
    Object.entries(metricNames)
      .map(([name, { unit }]) => [name, unit])
      .sort(),
  );
});
