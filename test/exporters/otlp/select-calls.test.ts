import assert from 'node:assert/strict';
import test from 'node:test';
import { isDeepStrictEqual } from 'node:util';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { spanIdText } from '../../../src/exporters/otlp/span-ids.ts';
import type { SpanContext, SpanParts } from '../../../src/exporters/otlp/span-parts.ts';
import { describeSpans, type SpanOptions } from '../../../src/exporters/otlp/spans.ts';
import { buildPath } from '../../fixtures/packet-path-parts.ts';
import { droppedPath, packetPaths, pingPath, tcpSegmentPath } from '../../fixtures/packet-paths.ts';
import { start } from '../../fixtures/scenery.ts';
import { longPath } from './long-path.ts';
import { toAttributes } from './readable-spans.ts';

const spansOf = (path: PacketPath, options: Partial<SpanOptions>): SpanParts[] =>
  describeSpans(path, { clones: 'same_trace', timeScale: 1, ...options });

const named = (spans: readonly SpanParts[], name: string): SpanParts => {
  const found = spans.find((span) => span.name === name);
  assert.ok(found !== undefined, name);
  return found;
};

const attribute = (span: SpanParts | undefined, name: string): unknown =>
  toAttributes(span?.attributes ?? [])[name];

/** Every parent and every link leads to a span that is there, parents first. */
function assertJoined(spans: readonly SpanParts[]): void {
  const seen = new Set<string>();
  for (const { context, parent, name } of spans) {
    assert.ok(parent === undefined || seen.has(spanIdText(parent.spanId)), `parent of ${name}`);
    seen.add(spanIdText(context.spanId));
  }
  for (const { links = [], name } of spans)
    for (const { context } of links)
      assert.ok(seen.has(spanIdText(context.spanId)), `link of ${name}`);
}

test('milestones: well-known functions, nested in one another', () => {
  const spans = spansOf(pingPath(), { detail: 'milestones' });
  assertJoined(spans);
  const way: string[] = [];
  let span: SpanParts | undefined = named(spans, 'icmp_rcv');
  while (span !== undefined) {
    way.unshift(span.name);
    const up: SpanContext | undefined = span.parent;
    span = spans.find(({ context }) => isDeepStrictEqual(context, up));
  }
  assert.deepEqual(way, [
    'packet icmp',
    'ip_send_skb',
    'ip_local_out',
    'ip_output',
    '__dev_queue_xmit',
    '__netif_receive_skb',
    'ip_rcv',
    'ip_local_deliver',
    'icmp_rcv',
  ]);
  assert.ok(!spans.some(({ name }) => name === 'ip_finish_output2'));
  assert.equal(attribute(named(spans, 'packet icmp'), 'skbspan.span_detail'), 'milestones');
});

test('milestones keep what made a clone and what dropped a packet', () => {
  const clone = spansOf(tcpSegmentPath(), { detail: 'milestones' });
  assertJoined(clone);
  assert.deepEqual(
    named(clone, 'clone').links?.[0]?.context.spanId,
    named(clone, 'skb_clone').context.spanId,
  );
  named(spansOf(droppedPath(), { detail: 'milestones' }), 'nf_hook_slow');
});

test('packet: the packet and its clones only, linked to one another', () => {
  const spans = spansOf(tcpSegmentPath(), { detail: 'packet' });
  assert.deepEqual(
    spans.map(({ name }) => name),
    ['packet tcp', 'clone'],
  );
  assertJoined(spans);
  assert.equal(attribute(spans[0], 'skbspan.calls'), 13);
});

for (const clones of ['same_trace', 'own_trace'] as const)
  for (const maxSpans of [2, 3, 5, 8])
    test(`at most ${maxSpans} spans in a trace, whatever the path, ${clones}`, () => {
      for (const [name, path] of Object.entries(packetPaths())) {
        const all = spansOf(path, { clones });
        const spans = spansOf(path, { clones, maxSpans });
        assertJoined(clones === 'same_trace' ? spans : []);
        for (const traceId of new Set(spans.map(({ context }) => context.traceId))) {
          const trace = spans.filter(({ context }) => context.traceId === traceId);
          assert.ok(trace.length <= maxSpans, `${name}: ${trace.length}`);
          const whole = all.filter(({ context }) => context.traceId === traceId).length;
          const left = trace.find((span) => span.name === 'left out');
          const count = attribute(left, 'skbspan.left_out') ?? 0;
          assert.equal(trace.length - (left === undefined ? 0 : 1) + Number(count), whole, name);
          assert.equal(left === undefined, whole <= maxSpans, name);
        }
      }
    });

test('of a long path the outer calls are kept, and a span covers the others', () => {
  const calls = Array.from({ length: 3000 }, (_, at) =>
    at % 3 === 0
      ? { func: 'outer', at: at * 10, lasts: 25 }
      : { func: 'inner', at: at * 10, lasts: 5, in: at - (at % 3) },
  );
  const path = buildPath({ lives: [{ id: 1, skb: 1n, start, calls }] });
  const spans = spansOf(path, { maxSpans: 1102 });
  assert.equal(spans.length, 1102);
  const count = (name: string): number => spans.filter((span) => span.name === name).length;
  assert.equal(count('outer'), 1000);
  assert.equal(count('inner'), 100);
  const left = named(spans, 'left out');
  assert.equal(attribute(left, 'skbspan.left_out'), 1900);
  assert.equal(left.endOffsetNs, 2999 * 10 + 5);
  assertJoined(spans);
});

test('a dropped one of many clones is kept', () => {
  const end = droppedPath().lives[0]?.end;
  assert.ok(end !== undefined);
  const clones = Array.from({ length: 500 }, (_, index) => ({
    id: index + 2,
    skb: BigInt(index + 2),
    from: { call: 0, operation: 'clone' as const },
    start,
    calls: [{ func: 'br_forward', at: index * 10, lasts: 5 }],
    ...(index === 400 ? { end } : {}),
  }));
  const flood = buildPath({
    lives: [
      { id: 1, skb: 1n, start, calls: [{ func: 'br_flood', at: 0, lasts: 6000 }] },
      ...clones,
    ],
  });
  const spans = spansOf(flood, { maxSpans: 100 });
  assert.equal(spans.length, 100);
  assertJoined(spans);
  assert.ok(spans.some((span) => attribute(span, 'skbspan.life') === 402));
});

test('a hundred thousand calls are cut in a moment', () => {
  const path = longPath(100_000);
  const began = performance.now();
  assert.equal(spansOf(path, { maxSpans: 2000 }).length, 2000);
  const took = performance.now() - began;
  assert.ok(took < 3000, `${took} ms`);
});
