import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseKafkaSource } from '../../../src/cli/kafka-source-options.ts';
import { parseKafkaAddress, parsePosition } from '../../../src/sources/kafka/address.ts';

test('addresses of topics are read', () => {
  assert.deepEqual(parseKafkaAddress('kafka://a:1,b/t.x?from=earliest&to=offset:5&group=g'), {
    brokers: ['a:1', 'b:9092'],
    topic: 't.x',
    from: { at: 'earliest' },
    to: { at: 'offset', offset: 5n },
    group: 'g',
  });
  const now = Date.parse('2026-11-23T12:00:00Z');
  assert.deepEqual(parsePosition('2h', now), { at: 'time', ms: now - 7_200_000 });
  assert.deepEqual(parsePosition('2026-11-23T12:00:00Z', 0), { at: 'time', ms: now });
  assert.equal(parsePosition('soon', now), undefined);
});

test('mistakes are named, all at once', () => {
  const table: readonly (readonly [string, RegExp])[] = [
    ['kafka://', /no address of a topic/],
    ['kafka://a:1', /no address of a topic/],
    ['kafka://a:x/t', /'a:x' is no host:port/],
    ['kafka://a/t?from=soon&x=1', /from: want earliest.*'x' is unknown/],
    ['kafka://a/t?group=', /group: the value is empty/],
  ];
  for (const [text, want] of table) {
    assert.throws(() => parseKafkaAddress(text), want, text);
    const problems: string[] = [];
    assert.equal(parseKafkaSource(text, {}, {}, problems), undefined);
    assert.match(problems.join('\n'), want);
  }
});
