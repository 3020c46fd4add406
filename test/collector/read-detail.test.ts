import assert from 'node:assert/strict';
import test from 'node:test';
import { createDetailReader } from '../../src/collector/read-detail.ts';
import { detail as part, detailMap } from '../../src/event/layout.ts';
import type { CallDetail } from '../../src/event/call-detail.ts';
import type { PacketPath } from '../../src/event/packet-path.ts';
import { pathsOf } from '../fixtures/collector.ts';
import { detailRecord, enterRecord, exitRecord, freeRecord } from '../fixtures/records.ts';

const names = ['bpf_trace_run4', '__traceiter_x', 'func_7', 'caller', 'callers_caller'];
const reader = createDetailReader({
  location: (address) => {
    const func = names[Number(address) - 1] ?? '';
    return { address, func, offset: 4, module: undefined };
  },
  stack: true,
  caller: true,
  metadata: [
    { text: 'skb->len', signed: false },
    { text: 'skb->skb_iif', signed: true },
    { text: 'skb->dev->mtu', signed: false },
  ],
  skb: (bytes) => ({ bytes: bytes.length }),
  sharedInfo: (bytes) => ({ bytes: bytes.length }),
});
const words = (...values: readonly bigint[]): Uint8Array =>
  new Uint8Array(BigUint64Array.from(values).buffer);

function onlyPath(records: readonly Uint8Array[]): PacketPath {
  const [path, more] = pathsOf(records, reader);
  assert.ok(path !== undefined && more === undefined);
  return path;
}

const life = 5;
const call = { life, seq: 0, probe: 7 };

function detailOf(details: number, ...records: readonly Uint8Array[]): CallDetail {
  const path = onlyPath([enterRecord({ ...call, details }), ...records, exitRecord(call)]);
  assert.deepEqual(path.losses, []);
  const { detail } = path.lives[0]?.calls[0] ?? {};
  assert.ok(detail !== undefined);
  return detail;
}

test('the stack begins above the probed function', () => {
  const { caller, stack } = detailOf(
    part.stack,
    detailRecord({ ...call, part: part.stack, data: words(3n, 4n, 5n) }),
  );
  assert.equal(caller?.func, 'caller');
  assert.deepEqual(
    stack?.map(({ func }) => func),
    ['caller', 'callers_caller'],
  );
});

test('of a tracepoint it begins with the function that it stands in', () => {
  const point = { ...call, probe: 0x80000003, flags: 1 };
  const path = onlyPath([
    enterRecord({ ...point, details: part.stack }),
    detailRecord({ ...point, part: part.stack, data: words(1n, 2n, 4n, 5n) }),
    freeRecord({ life, seq: 1 }),
  ]);
  assert.equal(path.lives[0]?.calls[0]?.detail?.caller?.func, 'caller');
});

test('values keep their signs; what could not be read is not there', () => {
  const { metadata } = detailOf(
    part.values,
    detailRecord({
      ...call,
      part: part.values,
      data: words(3n, 2n ** 64n - 1n, 2n ** 64n - 1n, 0n),
    }),
  );
  assert.deepEqual(
    metadata?.map(({ value }) => value),
    [2n ** 64n - 1n, -1n, undefined],
  );
});

test('a packet in a tunnel, cb, structs', () => {
  const inner = Uint8Array.of(
    ...[0x45, 0, 0, 32, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2],
    ...[0x30, 0x39, 0, 53, 0, 12, 0, 0],
  );
  const cb = new Uint8Array(48);
  cb[4] = 9;
  const detail = detailOf(
    part.tunnel | part.cb | part.skb | part.shared,
    detailRecord({ ...call, part: part.tunnel, data: inner }),
    detailRecord({ ...call, part: part.cb, data: cb }),
    detailRecord({ ...call, part: part.skb, data: new Uint8Array(232) }),
    // There was nothing to read.
    detailRecord({ ...call, part: part.shared, data: new Uint8Array() }),
  );
  assert.equal(detail.tunnel?.destinationPort, 53);
  assert.deepEqual(detail.controlBlock, [0, 9, ...Array.from({ length: 10 }, () => 0)]);
  assert.deepEqual(detail.skb, { bytes: 232 });
  assert.equal(detail.sharedInfo, undefined);
  assert.equal(detail.stack, undefined);
});

test('a lookup in a map gets its value when it returns', () => {
  const map = new Uint8Array(detailMap.size + 4);
  const view = new DataView(map.buffer);
  view.setUint32(detailMap.id, 7, true);
  view.setUint32(detailMap.type, 1, true);
  view.setUint32(detailMap.keyBytes, 4, true);
  view.setUint32(detailMap.valueBytes, 2, true);
  map.set(Buffer.from('routes'), detailMap.name);
  map.set([10, 0, 0, 1], detailMap.size);
  const detail = detailOf(
    part.map,
    detailRecord({ ...call, part: part.map, data: map }),
    detailRecord({ ...call, part: part.value, data: Uint8Array.of(1, 2) }),
  );
  assert.deepEqual(detail.map, {
    id: 7,
    name: 'routes',
    type: 1,
    keyBytes: 4,
    valueBytes: 2,
    key: '0a000001',
    value: '0102',
  });
});

test('announced details that do not come are lost, and said so', () => {
  const path = onlyPath([
    enterRecord({ ...call, details: part.stack | part.cb }),
    detailRecord({ ...call, part: part.cb, data: new Uint8Array(48) }),
    exitRecord(call),
  ]);
  const [gap] = path.losses;
  assert.deepEqual(gap, { cause: 'events', life: 0, afterSeq: 0, count: 1, before: 0, after: -1 });
  assert.equal(path.losses.length, 1);
});

test('a detail without its call begins no path', () => {
  assert.deepEqual(
    pathsOf([detailRecord({ ...call, part: part.cb, data: words(1n) })], reader),
    [],
  );
});
