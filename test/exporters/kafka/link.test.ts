import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SkbspanError } from '../../../src/errors.ts';
import type { KafkaClient, KafkaRecord } from '../../../src/exporters/kafka/client.ts';
import { createLink } from '../../../src/exporters/kafka/link.ts';
import { begin, createJsonBytes, end, putText } from '../../../src/exporters/json/bytes.ts';

const out = createJsonBytes();
const textOf = (index: number): string => `${index}:`.padEnd(1_000, 'x');

function record(index: number): KafkaRecord {
  begin(out);
  putText(out, textOf(index));
  return { key: Buffer.from('key'), value: end(out) };
}

const batchFrom = (first: number): KafkaRecord[] =>
  Array.from({ length: 100 }, (_, index) => record(first + index));

const linkTo = (send: KafkaClient['send']) =>
  createLink(
    () =>
      Promise.resolve({
        connect: () => Promise.resolve(1),
        send,
        close: () => Promise.resolve(),
      }),
    (error) => new SkbspanError('SKBSPAN_EXPORT', 'refused', { cause: error }),
  );

test('memory of what is written is used again', async () => {
  const link = linkTo(() => Promise.resolve());
  await link.ready();
  const seen = new Set<ArrayBufferLike>();
  for (let batch = 0; batch < 300; batch++) {
    const records = batchFrom(batch * 100);
    for (const { value } of records) seen.add(value.buffer);
    assert.deepEqual(await link.send(0, records), []);
  }
  // 30 MB in slabs of 1 MB.
  assert.ok(seen.size <= 4, `${seen.size} slabs`);
});

test('what was not written, or only in part, stays as it is', async () => {
  let calls = 0;
  // Too large as a whole; of the two halves the second one fails.
  const link = linkTo((_partition, records) => {
    if (records.length === 100)
      return Promise.reject(Object.assign(new Error('too large'), { type: 'MESSAGE_TOO_LARGE' }));
    return ++calls % 2 === 0 ? Promise.reject(new Error('gone')) : Promise.resolve();
  });
  await link.ready();
  const kept: KafkaRecord[] = [];
  for (let batch = 0; batch < 50; batch++) {
    const records = batchFrom(batch * 100);
    await assert.rejects(link.send(0, records), /refused/);
    kept.push(...records);
  }
  for (const [index, { value }] of kept.entries()) assert.equal(value.toString(), textOf(index));
});
