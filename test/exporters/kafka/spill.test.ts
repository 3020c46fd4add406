import assert from 'node:assert/strict';
import {
  appendFileSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  truncateSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { SkbspanError } from '../../../src/errors.ts';
import type { KafkaRecord } from '../../../src/exporters/kafka/client.ts';
import { openSpill, type Spill } from '../../../src/exporters/kafka/spill.ts';

const header = { skbspan_spill: 2, topic: 't', headers: { schema: 's', host: 'h' } } as const;

function folder(t: TestContext): string {
  const path = mkdtempSync(join(tmpdir(), 'skbspan-spill-'));
  t.after(() => {
    rmSync(path, { recursive: true, force: true });
  });
  return path;
}

const record = (text: string, size = 0): KafkaRecord => ({
  key: Buffer.from(`key ${text}`),
  value: Buffer.from(text.padEnd(size, '.')),
});

function drain(spill: Spill): KafkaRecord[] {
  const all: KafkaRecord[] = [];
  for (let next = spill.oldest(); next !== undefined; next = spill.oldest()) {
    all.push(...next.segment.records);
    spill.remove(next.file);
  }
  return all;
}

const texts = (records: readonly KafkaRecord[]): string[] =>
  records.map(({ value }) => value.toString().replace(/\.+$/, ''));

test('each record has its own headers after the spill: those of another host, or of an earlier boot', (t) => {
  const path = folder(t);
  const far = { schema: 's', host: 'far', boot_id: '1' };
  const records: KafkaRecord[] = [
    record('0'),
    { ...record('1'), headers: far },
    { ...record('2'), headers: { ...far } },
    { ...record('3'), headers: { ...far, boot_id: '2' } },
    record('4'),
    { ...record('5'), headers: { ...header.headers } },
  ];
  const first = openSpill(path, 1e9, header);
  // In parts: what was last in one is what the next begins with.
  for (const part of [records.slice(0, 2), records.slice(2, 3), records.slice(3)])
    assert.deepEqual(first.append(part), []);
  first.close();
  const second = openSpill(path, 1e9, { ...header, headers: { schema: 's', host: 'later' } });
  const back = drain(second);
  const expected = records.map(({ headers = header.headers }) => headers);
  assert.deepEqual(
    back.map(({ headers }) => headers),
    expected,
  );
  // A part of it cannot be sent and goes to the spill again: of this run, but still not its own.
  assert.deepEqual(second.append(back), []);
  assert.deepEqual(
    drain(second).map(({ headers }) => headers),
    expected,
  );
  assert.deepEqual(texts(back), ['0', '1', '2', '3', '4', '5']);
  second.close();
});

test('the bound counts headers too', (t) => {
  const spill = openSpill(folder(t), 1_000, header);
  const records = Array.from({ length: 30 }, (_, index) => ({
    ...record(String(index)),
    headers: { schema: 's', host: `host ${index}` },
  }));
  const rest = spill.append(records);
  assert.ok(rest.length > 0 && rest.length < records.length);
  assert.ok(spill.bytes <= 1_000 + JSON.stringify(header).length + 1, String(spill.bytes));
  assert.equal(drain(spill).length, records.length - rest.length);
  spill.close();
});

test('a file of the version before, without headers between, is read', (t) => {
  const path = folder(t);
  const old = openSpill(path, 1e9, { ...header, skbspan_spill: 1 });
  old.append([record('old')]);
  old.close();
  const spill = openSpill(path, 1e9, header);
  const [back] = drain(spill);
  assert.equal(back?.value.toString(), 'old');
  assert.deepEqual(back.headers, header.headers);
  spill.close();
});

test('a later run gets the records in order, with the headers of the run that wrote them', (t) => {
  const path = folder(t);
  const first = openSpill(path, 1e9, header);
  assert.equal(first.oldest(), undefined);
  const many = Array.from({ length: 10_000 }, (_, index) => record(String(index), 1_000));
  for (let at = 0; at < many.length; at += 100)
    assert.deepEqual(first.append(many.slice(at, at + 100)), []);
  first.close();
  assert.ok(readdirSync(path).length >= 2, 'more than one file');

  const second = openSpill(path, 1e9, { ...header, headers: { schema: 's', host: 'other' } });
  assert.ok(second.bytes > 10_000_000);
  const back = drain(second);
  assert.deepEqual(texts(back), texts(many));
  assert.deepEqual(back[0]?.headers, header.headers);
  assert.deepEqual(back[0].key, many[0]?.key);
  assert.equal(second.bytes, 0);
  second.close();
  assert.deepEqual(readdirSync(path), []);
});

test('it takes no more than its bound, and again when there is room', (t) => {
  const spill = openSpill(folder(t), 10_000, header);
  const left = spill.append(Array.from({ length: 20 }, (_, index) => record(String(index), 1_000)));
  assert.ok(left.length >= 10 && left.length < 13, String(left.length));
  assert.ok(spill.bytes <= 10_000);
  assert.equal(drain(spill).length, 20 - left.length);
  assert.deepEqual(spill.append(left.slice(0, 5)), []);
  spill.close();
});

test('what a crash cut off is told, and all before it is good', (t) => {
  const path = folder(t);
  const spill = openSpill(path, 1e9, header);
  spill.append([record('a', 100), record('b', 100), record('c', 100)]);
  spill.close();
  const [file = ''] = readdirSync(path);
  truncateSync(join(path, file), statSync(join(path, file)).size - 10);
  const again = openSpill(path, 1e9, header);
  const segment = again.oldest()?.segment;
  assert.deepEqual(texts(segment?.records ?? []), ['a', 'b']);
  assert.ok((segment?.torn ?? 0) > 0);
  again.close();
  appendFileSync(join(path, file), 'x'.repeat(1000));
  const third = openSpill(path, 1e9, header);
  assert.deepEqual(
    texts(third.oldest()?.segment.records ?? []),
    ['a', 'b'],
    'a wrong checksum ends it',
  );
  third.close();
});

test('files of another topic, and strange ones, stay', (t) => {
  const path = folder(t);
  const other = openSpill(path, 1e9, { ...header, topic: 'other' });
  other.append([record('x')]);
  other.close();
  writeFileSync(join(path, '0-strange.spill'), 'what is this');
  const spill = openSpill(path, 1e9, header);
  assert.equal(spill.oldest(), undefined);
  spill.close();
  assert.equal(readdirSync(path).length, 2);
});

test('one process at a time; the lock of a dead one does not count', (t) => {
  const path = folder(t);
  const spill = openSpill(path, 1e9, header);
  assert.throws(() => openSpill(path, 1e9, header), /process \d+ uses/);
  spill.close();
  writeFileSync(join(path, 'lock'), '4194304');
  openSpill(path, 1e9, header).close();
});

test('a folder that cannot be used is an error with advice', () => {
  assert.throws(
    () => openSpill('/proc/no', 1e9, header),
    (error: unknown) =>
      error instanceof SkbspanError &&
      error.code === 'SKBSPAN_OUTPUT' &&
      error.advice !== undefined,
  );
});
