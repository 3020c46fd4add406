import assert from 'node:assert/strict';
import test from 'node:test';
import {
  createSpanIds,
  LIFE_ITSELF,
  ownTraceId,
  parseSpanId,
  spanIdText,
  type SpanIds,
} from '../../../src/exporters/otlp/span-ids.ts';

const trace = '0123456789abcdef0123456789abcdef';

const textIds = (...from: Parameters<typeof createSpanIds>) => {
  const ids: SpanIds = createSpanIds(...from);
  return (life: number, seq: number): string => spanIdText(ids(life, seq));
};

test('an id as text and back', () => {
  for (const text of ['00f067aa0ba902b7', 'fedcba9876543210', '0000000000000001'])
    assert.equal(spanIdText(parseSpanId(text)), text);
});

test('an id depends on trace, start, life and sequence number only', () => {
  const ids = textIds(trace);
  assert.match(ids(1, 0), /^[0-9a-f]{16}$/);
  assert.equal(ids(1, 0), textIds(trace)(1, 0));
  const others = [
    ids(1, 1),
    ids(2, 0),
    ids(1 + 2 ** 32, 0),
    ids(1, LIFE_ITSELF),
    textIds('0123456789abcdef0123456789abcdee')(1, 0),
    textIds('1123456789abcdef0123456789abcdef')(1, 0),
    textIds(trace, { low: 1, high: 0 })(1, 0),
    textIds(trace, { low: 0, high: 1 })(1, 0),
  ];
  assert.equal(new Set([ids(1, 0), ...others]).size, 9);
});

test('no two of a million spans of one trace meet, and either half of their ids alone hardly repeats', () => {
  const ids = textIds(trace);
  const seen = new Set<string>();
  const left = new Set<string>();
  const right = new Set<string>();
  for (let life = 1; life <= 1000; life++)
    for (let seq = 0; seq < 1000; seq++) {
      const id = ids(life, seq);
      seen.add(id);
      left.add(id.slice(0, 8));
      right.add(id.slice(8));
    }
  assert.equal(seen.size, 1_000_000);
  // A million draws of 2^32 by chance: about 116 repeat.
  assert.ok(left.size > 999_500, `${left.size} left halves`);
  assert.ok(right.size > 999_500, `${right.size} right halves`);
});

test('a clone has its own trace id, a different one from each trace', () => {
  const own = ownTraceId(createSpanIds(trace), 7);
  assert.match(own, /^[0-9a-f]{32}$/);
  assert.notEqual(own, ownTraceId(createSpanIds(trace), 8));
  assert.notEqual(own.slice(0, 16), own.slice(16));
});
