// Holds spans against the JSON record of the same path: written from docs/json.md and docs/otel.md, not from the transform.
import assert from 'node:assert/strict';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { pathRecord } from '../../../src/exporters/json/records.ts';
import type { SeenSpan } from './seen-span.ts';

/** The part of a record of docs/json.md that spans are held against. */
export interface PathRecord {
  readonly trace_id: string;
  readonly start_time_ns: string;
  readonly duration_ns: number;
  readonly direction: string;
  readonly ending: string;
  readonly losses: readonly unknown[];
  readonly flow: Flow | null;
  readonly lives: readonly Life[];
}

interface Flow {
  readonly network: string;
  readonly transport: string;
  readonly source_address: string;
  readonly source_port: number | null;
  readonly destination_address: string;
  readonly destination_port: number | null;
}

interface Life {
  readonly id: number;
  readonly skb: string;
  readonly parent: {
    readonly life: number;
    readonly call: number;
    readonly operation: string;
  } | null;
  readonly offset_ns: number;
  readonly calls: readonly Call[];
  readonly waits: readonly {
    readonly place: string;
    readonly offset_ns: number;
    readonly duration_ns: number;
  }[];
  readonly end: {
    readonly offset_ns: number;
    readonly how: string;
    readonly reason: string | null;
    readonly reason_code: number | null;
    readonly location: { readonly func: string; readonly offset: number } | null;
  } | null;
}

interface Call {
  readonly func: string;
  readonly module: string | null;
  readonly kind: string;
  readonly seq: number;
  readonly offset_ns: number;
  readonly duration_ns: number | null;
  readonly timing: string;
  readonly depth: number;
  readonly parent: { readonly life: number; readonly call: number } | null;
  readonly cpu: number;
  readonly task: { readonly tid: number; readonly tgid: number; readonly comm: string };
  readonly device: {
    readonly netns: number;
    readonly netns_name: string;
    readonly name: string;
    readonly ifindex: number;
  };
  readonly len: number;
  readonly return_value: string | null;
}

export const recordOf = (path: PacketPath): PathRecord =>
  JSON.parse(JSON.stringify(pathRecord(path))) as PathRecord;

type Expected = Readonly<Record<string, unknown>>;

/** What is null, 0 or empty in the record has no attribute. */
function assertAttributes(span: SeenSpan, expected: Expected): void {
  for (const [name, value] of Object.entries(expected)) {
    const want = value === null || value === '' ? undefined : value;
    assert.deepEqual(span.attributes[name], want, `${name} of ${span.name}`);
  }
}

const unlessZero = (value: number): number | undefined => (value === 0 ? undefined : value);

/** A span of no length is sent as 1 ns. */
const atLeastOne = (durationNs: number): bigint => BigInt(Math.max(1, durationNs));

function checkCall(call: Call, span: SeenSpan, startNs: bigint): void {
  assert.equal(span.name, call.func);
  assert.equal(span.startNs, startNs + BigInt(call.offset_ns), `start of ${call.func}`);
  if (call.duration_ns !== null)
    assert.equal(
      span.endNs - span.startNs,
      atLeastOne(call.duration_ns),
      `duration of ${call.func}`,
    );
  assert.ok(span.endNs >= span.startNs);
  assertAttributes(span, {
    'code.function.name': call.kind === 'function' ? call.func : undefined,
    'skbspan.tracepoint': call.kind === 'tracepoint' ? call.func : undefined,
    'skbspan.module': call.module,
    'skbspan.timing': call.timing,
    'skbspan.depth': call.depth,
    'skbspan.start_offset_ns': call.offset_ns,
    ...(call.duration_ns === null ? {} : { 'skbspan.duration_ns': call.duration_ns }),
    'skbspan.len': call.len,
    'skbspan.return_value': call.return_value,
    'cpu.logical_number': call.cpu,
    'process.pid': unlessZero(call.task.tgid),
    'skbspan.tid': unlessZero(call.task.tid),
    'thread.name': call.task.comm,
    'network.interface.name': call.device.name,
    'skbspan.ifindex': unlessZero(call.device.ifindex),
  });
  if (call.device.netns !== 0) {
    assert.equal(span.resource['skbspan.netns.inode'], call.device.netns);
    assert.equal(span.resource['service.name'], call.device.netns_name);
  }
}

function checkLife(life: Life, span: SeenSpan): void {
  const { end } = life;
  const dropped = end?.how === 'dropped' ? end : undefined;
  assertAttributes(span, {
    'skbspan.skb': life.skb,
    'skbspan.operation': life.parent?.operation,
    'skbspan.end.how': end === null ? 'alive' : end.how,
    'error.type': dropped?.reason,
    'skbspan.drop.reason': dropped?.reason,
    'skbspan.drop.reason_code': dropped?.reason_code,
    'skbspan.drop.function': dropped?.location?.func,
    'skbspan.drop.offset': dropped?.location?.offset,
  });
  if (dropped !== undefined) assert.match(span.error ?? '', new RegExp(dropped.reason ?? '?'));
}

function checkRoot(record: PathRecord, span: SeenSpan): void {
  const { flow } = record;
  assert.equal(span.name, flow === null ? 'packet' : `packet ${flow.transport}`);
  assert.equal(span.parentSpanId, '');
  assert.deepEqual(span.links, []);
  assert.equal(span.startNs, BigInt(record.start_time_ns));
  assert.equal(span.endNs - span.startNs, atLeastOne(record.duration_ns));
  const isIp = flow?.network === 'ipv4' || flow?.network === 'ipv6';
  assertAttributes(span, {
    'source.address': flow?.source_address,
    'source.port': flow?.source_port,
    'destination.address': flow?.destination_address,
    'destination.port': flow?.destination_port,
    'network.transport': flow?.transport,
    'network.type': isIp ? flow.network : undefined,
    'network.io.direction': record.direction === 'unknown' ? undefined : record.direction,
    'skbspan.ending': record.ending,
    'skbspan.lives': record.lives.length,
    'skbspan.calls': record.lives.reduce((sum, life) => sum + life.calls.length, 0),
    'skbspan.incomplete': record.losses.length === 0 ? undefined : true,
  });
  const drops = record.lives.filter(({ end }) => end?.how === 'dropped').length;
  assert.equal(span.error !== undefined, drops > 0, 'the root is an error if anything was dropped');
}

/** Throws if `spans` (all of one path, clones in the same trace, time scale 1) are not what `record` says. */
export function checkSpans(record: PathRecord, spans: readonly SeenSpan[]): void {
  const startNs = BigInt(record.start_time_ns);
  const find = (life: number, seq: number | undefined): SeenSpan => {
    const found = spans.filter(
      ({ attributes }) =>
        attributes['skbspan.life'] === life &&
        attributes['skbspan.seq'] === seq &&
        attributes['skbspan.wait.place'] === undefined,
    );
    assert.equal(found.length, 1, `spans of life ${life} seq ${seq ?? '-'}`);
    return found[0] as SeenSpan;
  };
  const lifeSpan = (index: number): SeenSpan => find(record.lives[index]?.id ?? -1, undefined);
  const callSpan = (at: { readonly life: number; readonly call: number }): SeenSpan => {
    const life = record.lives[at.life];
    const call = life?.calls[at.call];
    return call === undefined ? lifeSpan(at.life) : find(life?.id ?? -1, call.seq);
  };

  assert.equal(
    spans.length,
    record.lives.reduce((sum, life) => sum + 1 + life.calls.length + life.waits.length, 0),
  );
  assert.equal(new Set(spans.map(({ spanId }) => spanId)).size, spans.length);
  for (const span of spans) assert.equal(span.traceId, record.trace_id);
  checkRoot(record, lifeSpan(0));

  for (const [index, life] of record.lives.entries()) {
    const span = lifeSpan(index);
    checkLife(life, span);
    if (index > 0) {
      assert.equal(span.name, life.parent?.operation ?? 'life');
      assert.equal(span.parentSpanId, lifeSpan(0).spanId);
      assert.equal(span.startNs, startNs + BigInt(life.offset_ns));
      assert.deepEqual(
        span.links.map(({ traceId, spanId }) => ({ traceId, spanId })),
        life.parent === null
          ? []
          : [{ traceId: record.trace_id, spanId: callSpan(life.parent).spanId }],
      );
    }
    const waits = spans.filter(
      ({ name, attributes }) => name.startsWith('wait ') && attributes['skbspan.life'] === life.id,
    );
    assert.deepEqual(
      waits
        .map(({ name, startNs: from, endNs, parentSpanId }) => [name, from, endNs, parentSpanId])
        .sort(),
      life.waits
        .map(({ place, offset_ns: offset, duration_ns: duration }) => [
          `wait ${place}`,
          startNs + BigInt(offset),
          startNs + BigInt(offset) + atLeastOne(duration),
          span.spanId,
        ])
        .sort(),
    );
    for (const call of life.calls) {
      const seen = find(life.id, call.seq);
      checkCall(call, seen, startNs);
      assert.equal(
        seen.parentSpanId,
        call.parent?.life === index ? callSpan(call.parent).spanId : span.spanId,
        `parent of ${call.func}`,
      );
    }
  }
}
