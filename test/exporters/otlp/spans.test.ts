import assert from 'node:assert/strict';
import test, { describe } from 'node:test';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { createResources } from '../../../src/exporters/otlp/resources.ts';
import { packetPathToSpans, type ReadableOptions as SpanOptions } from './readable-spans.ts';
import {
  droppedPath,
  enterOnlyPath,
  lossyPath,
  natPath,
  packetPaths,
  pingPath,
  tcpSegmentPath,
  tracepointPath,
} from '../../fixtures/packet-paths.ts';
import { checkSpans, recordOf } from './check-spans.ts';
import { seenFromReadable, type SeenSpan } from './seen-span.ts';

async function seen(path: PacketPath, options: Partial<SpanOptions> = {}): Promise<SeenSpan[]> {
  const timeScale = options.timeScale ?? 1;
  const resources = await createResources({ serviceName: undefined, timeScale });
  return seenFromReadable(
    packetPathToSpans(path, {
      clones: 'same_trace',
      timeScale,
      resources,
      scope: { name: 'test' },
      ...options,
    }),
  );
}

function named(spans: readonly SeenSpan[], name: string): SeenSpan {
  const found = spans.filter((span) => span.name === name);
  assert.equal(found.length, 1, `spans named ${name}`);
  return found[0] as SeenSpan;
}

describe('every field of each fixture arrives in its spans', () => {
  for (const [name, path] of Object.entries(packetPaths()))
    test(name, async () => {
      checkSpans(recordOf(path), await seen(path));
    });
});

test('the spans of a path are the same ones each time', async () => {
  assert.deepEqual(await seen(tcpSegmentPath()), await seen(tcpSegmentPath()));
});

test('a path is left as it was', async () => {
  const path = natPath();
  await seen(path);
  assert.deepEqual(path, natPath());
});

test('calls nest as called', async () => {
  const spans = await seen(pingPath());
  const byId = new Map(spans.map((span) => [span.spanId, span]));
  const way: string[] = [];
  let span: SeenSpan | undefined = named(spans, 'icmp_echo');
  while (span !== undefined) {
    way.unshift(span.name);
    span = byId.get(span.parentSpanId);
  }
  assert.deepEqual(way, [
    'packet icmp',
    'ip_send_skb',
    'ip_local_out',
    'ip_output',
    'ip_finish_output2',
    '__dev_queue_xmit',
    '__netif_receive_skb',
    'ip_rcv',
    'ip_local_deliver',
    'icmp_rcv',
    'icmp_echo',
  ]);
});

test('each call has the resource of its namespace, one object for each', async () => {
  const resources = await createResources({ serviceName: undefined, timeScale: 1 });
  const spans = packetPathToSpans(pingPath(), {
    clones: 'same_trace',
    timeScale: 1,
    resources,
    scope: { name: 'test' },
  });
  const services = new Set(spans.map(({ resource }) => resource));
  assert.deepEqual(
    [...services].map(({ attributes }) => attributes['service.name']),
    ['client', 'server'],
  );
});

test('a drop is an error on its life and on the root, with reason and place', async () => {
  const root = named(await seen(droppedPath()), 'packet udp');
  assert.equal(
    root.error,
    'dropped: NETFILTER_DROP in nf_hook_slow+0x5a by inet filter input handle 7',
  );
  assert.equal(root.attributes['skbspan.drop.function'], 'nf_hook_slow');
  assert.equal(root.attributes['skbspan.drop.offset'], 0x5a);
});

test('a dropped clone is an error of its own and of the root', async () => {
  const path = tcpSegmentPath();
  const dropped: PacketPath = {
    ...path,
    lives: path.lives.map((life, index) => ({
      ...life,
      end: index === 1 ? droppedPath().lives[0]?.end : life.end,
    })),
  };
  const spans = await seen(dropped);
  assert.equal(
    named(spans, 'clone').error,
    'dropped: NETFILTER_DROP in nf_hook_slow+0x5a by inet filter input handle 7',
  );
  assert.match(named(spans, 'packet tcp').error ?? '', /^clone dropped: NETFILTER_DROP/);
  const own = await seen(dropped, { clones: 'own_trace' });
  assert.equal(named(own, 'packet tcp').error, undefined, 'not with a trace of its own');
});

test('a clone links to the call that made it, and its calls name who called them', async () => {
  const spans = await seen(tcpSegmentPath());
  const clone = named(spans, 'clone');
  assert.equal(clone.links[0]?.spanId, named(spans, 'skb_clone').spanId);
  assert.deepEqual(clone.links[0].attributes, { 'skbspan.operation': 'clone' });
  const first = named(spans, '__ip_queue_xmit');
  assert.equal(first.parentSpanId, clone.spanId);
  assert.equal(first.attributes['skbspan.caller'], '__tcp_transmit_skb');
});

test('own_trace: the clone is the root of another trace, the link is the same', async () => {
  const path = tcpSegmentPath();
  const together = await seen(path);
  const spans = await seen(path, { clones: 'own_trace' });
  const clone = named(spans, 'clone');
  assert.equal(clone.parentSpanId, '');
  assert.notEqual(clone.traceId, path.traceId);
  assert.match(clone.traceId, /^[0-9a-f]{32}$/);
  assert.deepEqual(clone.links, named(together, 'clone').links);
  for (const name of ['tcp_v4_rcv', 'loopback_xmit'])
    assert.equal(named(spans, name).traceId, clone.traceId);
  assert.equal(named(spans, 'skb_clone').traceId, path.traceId);
  const root = named(spans, 'packet tcp');
  assert.equal(root.endNs - root.startNs, 261_300n, 'until its own end');
});

test('a call whose exit was not seen ends with the call around it, else with its life or path', async () => {
  const nat = await seen(natPath());
  const unfinished = named(nat, '__dev_queue_xmit');
  assert.equal(unfinished.attributes['skbspan.timing'], 'unfinished');
  assert.equal(unfinished.endNs, named(nat, 'ip_output').endNs);
  const lossy = await seen(lossyPath());
  const start = named(lossy, 'packet udp').startNs;
  assert.equal(named(lossy, '__netif_receive_skb_core').endNs, start + 9_000_000n);
  assert.equal(named(lossy, 'br_forward').endNs, start + 9_000_000n);
});

test('enter-only calls and points say so', async () => {
  const enterOnly = named(await seen(enterOnlyPath()), 'ip_output');
  assert.equal(enterOnly.attributes['skbspan.timing'], 'enter-only');
  assert.equal(enterOnly.endNs - enterOnly.startNs, 700n);
  const point = named(await seen(tracepointPath()), 'qdisc:qdisc_enqueue');
  assert.equal(point.attributes['skbspan.timing'], 'point');
  assert.equal(point.endNs - point.startNs, 1n, 'Jaeger takes 0 for a mistake');
  assert.equal(point.attributes['skbspan.duration_ns'], 0);
});

test('what is missing is said on the root and on the lives', async () => {
  const spans = await seen(lossyPath());
  const root = named(spans, 'packet udp');
  assert.equal(root.attributes['skbspan.incomplete'], true);
  assert.deepEqual(root.attributes['skbspan.losses'], [
    '41 events of life 41 after seq 2',
    '2 events of life 40 after seq -1',
    'origin of life 42',
    '12 events: memory for this path was used up',
    'an earlier part of life 40 is a path of its own',
  ]);
  assert.equal(named(spans, 'copy').attributes['skbspan.incomplete'], true);
  assert.equal(named(spans, 'copy').links[0]?.spanId, root.spanId, 'the call was not seen');
});

test('rewritten headers: an event on the life, the new addresses on the calls after it', async () => {
  const spans = await seen(natPath());
  const root = named(spans, 'packet tcp');
  assert.deepEqual(root.events, [{ name: 'headers changed', timeNs: root.startNs + 3_000n }]);
  assert.equal(named(spans, 'ip_rcv').attributes['destination.address'], undefined);
  assert.equal(named(spans, 'ip_forward').attributes['destination.address'], '10.9.0.5');
});

test('the time scale stretches offsets and durations; true values stay in attributes', async () => {
  const spans = await seen(tcpSegmentPath(), { timeScale: 1000 });
  const root = named(spans, 'packet tcp');
  const clone = named(spans, 'skb_clone');
  assert.equal(root.startNs, tcpSegmentPath().startTimeNs);
  assert.equal(clone.startNs - root.startNs, 350_000n);
  assert.equal(clone.endNs - clone.startNs, 420_000n);
  assert.equal(clone.attributes['skbspan.start_offset_ns'], 350);
  assert.equal(clone.attributes['skbspan.duration_ns'], 420);
  assert.equal(root.attributes['skbspan.time_scale'], 1000);
  assert.equal(root.resource['skbspan.time_scale'], 1000);
});

test('times are exact to the nanosecond over a long path', async () => {
  const path = tracepointPath();
  const day = 86_400_000_000_001;
  const [life] = path.lives;
  assert.ok(life !== undefined);
  const long: PacketPath = {
    ...path,
    startTimeNs: 1_787_350_400_999_999_999n,
    durationNs: 103 * day,
    lives: [{ ...life, calls: life.calls.map((call, i) => ({ ...call, offsetNs: i * 17 * day })) }],
  };
  const calls = (await seen(long)).filter(({ attributes }) => 'skbspan.seq' in attributes);
  for (const [index, span] of calls.entries())
    assert.equal(span.startNs, long.startTimeNs + BigInt(index) * 17n * BigInt(day));
});

test('a service name by option or environment holds for all namespaces', async (t) => {
  const path = pingPath();
  const names = async (serviceName: string | undefined): Promise<unknown[]> => {
    const resources = await createResources({ serviceName, timeScale: 1 });
    const spans = await seen(path, { resources });
    return [...new Set(spans.map(({ resource }) => resource['service.name']))];
  };
  assert.deepEqual(await names('edge'), ['edge']);
  t.after(() => {
    Reflect.deleteProperty(process.env, 'OTEL_SERVICE_NAME');
    Reflect.deleteProperty(process.env, 'OTEL_RESOURCE_ATTRIBUTES');
  });
  process.env['OTEL_SERVICE_NAME'] = 'from-environment';
  process.env['OTEL_RESOURCE_ATTRIBUTES'] = 'deployment.environment.name=lab';
  assert.deepEqual(await names(undefined), ['from-environment']);
  const resources = await createResources({ serviceName: undefined, timeScale: 1 });
  const { attributes } = resources(undefined);
  assert.equal(attributes['deployment.environment.name'], 'lab');
  assert.equal(attributes['os.type'], 'linux');
  assert.equal(typeof attributes['host.name'], 'string');
});

test('a wait is a span of its own under its life, between the calls', async () => {
  const path = tcpSegmentPath();
  const spans = await seen(path);
  const waits = spans.filter(({ name }) => name.startsWith('wait '));
  const [expected] = path.lives.flatMap(({ waits: all }) => all);
  assert.ok(expected !== undefined && waits.length > 0);
  const wait = named(spans, `wait ${expected.place}`);
  assert.equal(wait.startNs, path.startTimeNs + BigInt(expected.offsetNs));
  assert.equal(wait.endNs - wait.startNs, BigInt(expected.durationNs));
  assert.equal(wait.attributes['skbspan.wait.place'], expected.place);
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length);
});
