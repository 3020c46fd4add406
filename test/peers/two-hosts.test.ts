// Real packets between two network namespaces on a wire, skbspan on each of them, one Jaeger.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../src/cli/demo-network.ts';
import { exchangeTcp, ping } from '../../src/cli/demo-traffic.ts';
import type { SeenSpan } from '../exporters/otlp/seen-span.ts';
import type { PathRecord } from '../host/running-trace.ts';
import { jaegerMissing, startJaeger } from './jaeger.ts';
import { exchangeHttp, startNetwork, startOn, traceIdsOf } from './two-hosts.ts';

const skip = jaegerMissing ?? false;

const rootOn = (spans: readonly SeenSpan[], host: string): SeenSpan => {
  const roots = spans.filter(
    ({ parentSpanId, resource }) => parentSpanId === '' && resource['host.name'] === host,
  );
  assert.equal(roots.length, 1, `${roots.length} roots of ${host}`);
  return roots[0] as SeenSpan;
};

test(
  '--trace-id content: a packet is one trace with the spans of both hosts, in order',
  { skip },
  async (t) => {
    const jaeger = await startJaeger(t);
    const { a, b } = await startNetwork(t);
    const options = ['--otlp', jaeger.endpoint, '--trace-id', 'content'];
    const onA = await startOn(t, a, 'host-a', ...options);
    const onB = await startOn(t, b, 'host-b', ...options);
    await ping(a, b);
    await exchangeTcp(a, b);
    await sleep(300);
    for (const trace of [onA, onB]) assert.equal((await trace.end('SIGINT')).status, 0);

    const isFrom =
      (address: string, transport: string) =>
      ({ flow }: PathRecord): boolean =>
        flow?.transport === transport && flow.source_address === address;
    for (const [from, to, address, transport, least] of [
      ['host-a', 'host-b', a.address, 'icmp', 1],
      ['host-b', 'host-a', b.address, 'icmp', 1],
      ['host-a', 'host-b', a.address, 'tcp', 3],
    ] as const) {
      const seenByA = new Set(traceIdsOf(onA, isFrom(address, transport)));
      const common = traceIdsOf(onB, isFrom(address, transport)).filter((id) => seenByA.has(id));
      assert.ok(common.length >= least, `${common.length} ${transport} packets of ${from} on both`);
      for (const id of common) {
        const spans = await jaeger.spans(id);
        const [sent, received] = [rootOn(spans, from), rootOn(spans, to)];
        assert.ok(sent.startNs < received.startNs, `${from} sends before ${to} receives`);
        assert.equal(received.attributes['source.address'], address);
        assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length);
      }
    }
  },
);

const traceparentTrace = '4bf92f3577b34da6a3ce929d0e0e4736';
const traceparentSpan = '00f067aa0ba902b7';

for (const join of ['link', 'child'] as const)
  test(
    `--otlp-join ${join}: a real HTTP request leads to the application's span`,
    { skip },
    async (t) => {
      const jaeger = await startJaeger(t);
      const { a, b } = await startNetwork(t);
      // A device that wants its packets in one piece, as one without scatter-gather does: the payload can be read then.
      await runProgram('nsenter', `--net=${a.netnsPath}`, 'ethtool', '-K', a.device, 'sg', 'off');
      const options = ['--otlp', jaeger.endpoint, '--otlp-join', join, '--snaplen', '512'];
      const trace = await startOn(t, b, 'host-b', ...options);
      const header = `traceparent: 00-${traceparentTrace}-${traceparentSpan}-01`;
      await exchangeHttp(a, b, { options: ['-H', header] });
      await sleep(300);
      assert.equal((await trace.end('SIGINT')).status, 0);

      if (join === 'child') {
        const roots = (await jaeger.spans(traceparentTrace)).filter(
          ({ parentSpanId }) => parentSpanId === traceparentSpan,
        );
        assert.deepEqual(
          roots.map(({ name }) => name),
          ['packet tcp'],
        );
        return;
      }
      const ids = traceIdsOf(trace, ({ flow }) => flow?.transport === 'tcp');
      const linked: SeenSpan[] = [];
      for (const id of ids) {
        const spans = await jaeger.spans(id);
        linked.push(
          ...spans.filter(({ links }) => links.some(({ traceId }) => traceId === traceparentTrace)),
        );
      }
      assert.equal(linked.length, 1, `of ${ids.length} TCP packets`);
      assert.equal(linked[0]?.name, 'packet tcp');
      assert.deepEqual(linked[0].links, [
        {
          traceId: traceparentTrace,
          spanId: traceparentSpan,
          attributes: { 'skbspan.link.source': 'http' },
        },
      ]);
    },
  );
