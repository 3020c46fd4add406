import assert from 'node:assert/strict';
import { createSocket } from 'node:dgram';
import { readdirSync } from 'node:fs';
import { test, type TestContext } from 'node:test';
import { setTimeout } from 'node:timers/promises';
import { SkbspanError } from '../../src/errors.ts';
import { openHandles } from '../../src/ffi/handles.ts';
import { type BpfObject, openBpfObject, possibleCpus } from '../../src/ffi/libbpf.ts';
import { attachKprobe, attachKprobeAsync, attachTracing } from '../../src/ffi/links.ts';
import { mapRing } from '../../src/ffi/ring-mapping.ts';
import { VerifierError } from '../../src/ffi/verifier-log.ts';
import { cannotLoad, compileSample } from './sample-object.ts';

const openSample = (t: TestContext): BpfObject => {
  const object = openBpfObject(compileSample(t));
  t.after(() => {
    object.close();
  });
  return object;
};

const loadSample = (t: TestContext, prepare?: (object: BpfObject) => void): BpfObject => {
  const object = openSample(t);
  object.program('broken').setAutoload(false);
  prepare?.(object);
  object.load();
  return object;
};

/** Sends datagrams to ourselves: each is consumed as an skb. */
const sendDatagrams = async (count: number): Promise<void> => {
  const receiver = createSocket('udp4');
  await new Promise<void>((resolve) => receiver.bind(0, '127.0.0.1', resolve));
  const received = new Promise<void>((resolve) => {
    let left = count;
    receiver.on('message', () => {
      if (--left === 0) resolve();
    });
  });
  const sender = createSocket('udp4');
  for (let i = 0; i < count; i++) sender.send('x', receiver.address().port, '127.0.0.1');
  await received;
  sender.close();
  receiver.close();
};

test('an object that is not there: errno name, and what libbpf said', () => {
  const isTold = (error: unknown): boolean =>
    error instanceof SkbspanError &&
    error.code === 'SKBSPAN_BPF' &&
    /ENOENT.*\nlibbpf: elf: failed to open \/nowhere\.o/.test(error.message);
  assert.throws(() => openBpfObject('/nowhere.o'), isTold);
  assert.deepEqual(openHandles(), []);
});

test('what an object holds can be seen and changed before load', (t) => {
  const object = openSample(t);
  assert.deepEqual(object.programNames(), ['on_free', 'broken']);
  assert.ok(object.mapNames().includes('ring'));
  assert.equal(object.program('on_free').sectionName, 'tp_btf/consume_skb');
  const instructions = object.program('on_free').instructions();
  assert.equal(instructions.byteLength % 8, 0);
  assert.equal(instructions.getUint8(instructions.byteLength - 8), 0x95, 'the last one is exit');
  const data = object.map('.rodata').data();
  assert.equal(new DataView(data.buffer).getUint32(0, true), 1);
  assert.throws(() => object.program('nope'), /no program nope/);
  assert.throws(() => object.map('ring').fd(), /is not loaded/);
  object.close();
  object.close();
  assert.throws(() => object.map('ring').fd(), /already closed/);
  assert.deepEqual(openHandles(), []);
});

test(
  'a refused program: the verdict in the message, the whole log beside it',
  { skip: cannotLoad() },
  (t) => {
    const object = openSample(t);
    const isVerdict = (error: unknown): boolean =>
      error instanceof VerifierError &&
      /program broken: invalid bpf_context access/.test(error.message) &&
      error.log.includes('processed ');
    assert.throws(() => {
      object.load();
    }, isVerdict);
  },
);

test('loads, attaches, rings and is read', { skip: cannotLoad() }, async (t) => {
  const ringBytes = 64 * 1024;
  const object = loadSample(t, (fresh) => {
    fresh.map('ring').setMaxEntries(ringBytes);
    new DataView(fresh.map('.rodata').data().buffer).setUint32(0, 77, true);
  });
  const ring = mapRing(object.map('ring').fd(), ringBytes);
  const producer = new BigUint64Array(ring.producer, 0, 1);
  const link = attachTracing(object.program('on_free'));
  assert.deepEqual(openHandles().length, 3);

  await sendDatagrams(5);
  // The kernel drops them in its own time.
  for (let i = 0; i < 500 && (producer[0] ?? 0n) < 5n * 16n; i++) await setTimeout(10);
  assert.ok((producer[0] ?? 0n) >= 5n * 16n, 'five records of 8 bytes and a header of 8');
  const record = new DataView(ring.producer, ring.pageBytes, 16);
  assert.equal(record.getUint32(0, true), 8, 'length, not busy, not discarded');
  assert.equal(record.getUint32(8, true), 77, 'the constant set before load');
  const seen = new DataView(object.map('.bss').data().buffer);
  const live = seen.getBigUint64(0, true) + seen.getBigUint64(8, true);
  assert.ok(live >= 5n, '.bss is the live memory of the map');
  const hits = object.map('hits').lookup(new Uint8Array(4), possibleCpus() * 8);
  const total = new BigUint64Array(hits?.buffer ?? new ArrayBuffer(8)).reduce((a, b) => a + b);
  assert.ok(total >= 5n);
  assert.equal(object.program('on_free').recursionMisses(), 0n);

  await link.closeAsync();
  link.close();
  const atEnd = producer[0];
  await sendDatagrams(3);
  assert.equal(producer[0], atEnd, 'detached');
  ring.close();
  ring.close();
  assert.equal(ring.producer.byteLength, 0, 'a view kept by mistake is empty, not a crash');
  object.close();
  assert.deepEqual(openHandles(), []);
});

test('a hash map: absent, written, read', { skip: cannotLoad() }, (t) => {
  const table = loadSample(t).map('table');
  const key = Uint8Array.of(1, 0, 0, 0);
  const value = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);
  assert.equal(table.lookup(key, 8), undefined);
  table.update(key, value);
  assert.deepEqual(table.lookup(key, 8), value);
});

test('loading and closing a hundred times leaves no descriptor', { skip: cannotLoad() }, (t) => {
  const path = compileSample(t);
  const once = (): void => {
    const object = openBpfObject(path);
    object.program('broken').setAutoload(false);
    object.load();
    const link = attachTracing(object.program('on_free'));
    const ring = mapRing(object.map('ring').fd(), 4096);
    ring.close();
    link.close();
    object.close();
  };
  once();
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 100; i++) once();
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test(
  'a kprobe that cannot be: the error, and no handle left',
  { skip: cannotLoad() },
  async (t) => {
    const object = loadSample(t);
    const target = { func: 'no_such_function_at_all', retprobe: false, cookie: 1n };
    const isRefusal = (error: unknown): boolean =>
      error instanceof SkbspanError && /no kprobes|ENOENT/.test(error.message);
    assert.throws(() => attachKprobe(object.program('on_free'), target), isRefusal);
    await assert.rejects(attachKprobeAsync(object.program('on_free'), target), isRefusal);
    object.close();
    assert.deepEqual(openHandles(), []);
  },
);
