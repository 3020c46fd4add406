import assert from 'node:assert/strict';
import test from 'node:test';
import { createTable, type TableOptions } from '../../../src/exporters/text/table.ts';
import { tcpSegmentPath } from '../../fixtures/complete-paths.ts';

const lines = (options: Partial<TableOptions>): string[] =>
  createTable({ timestamp: 'none', tcpFlags: false, ...options }).lines(tcpSegmentPath());

test('times are those of the kernel, to the nanosecond', () => {
  const path = tcpSegmentPath();
  const calls = path.lives.flatMap((life) => life.calls).map((call) => call.offsetNs);
  const first = path.startTimeNs + BigInt(Math.min(...calls));
  const absolute = lines({ timestamp: 'absolute' });
  const [seconds, fraction] = [first / 1_000_000_000n, first % 1_000_000_000n];
  assert.ok(absolute[0]?.startsWith(`${seconds}.${fraction.toString().padStart(9, '0')} `));
  assert.match(lines({ timestamp: 'current' })[0] ?? '', /^\d\d:\d\d:\d\d\.\d{9} /);
  const relative = lines({ timestamp: 'relative' }).map((line) => Number(line.split(' ')[0]));
  assert.equal(relative[0], 0);
  assert.ok(relative.every((gap) => gap >= 0));
  assert.ok(relative.some((gap) => gap > 0));
  // The rest of the line is as without.
  assert.deepEqual(
    absolute.map((line) => line.slice(21)),
    lines({}),
  );
});

test('TCP flags stand behind the protocol', () => {
  const { flow } = tcpSegmentPath();
  assert.ok(lines({})[0]?.includes('(tcp) '));
  assert.ok(lines({ tcpFlags: true })[0]?.includes(`(tcp:${flow?.tcpFlags ?? '?'}) `));
});

test('the header stands over its columns', () => {
  const { header } = createTable({ timestamp: 'absolute', tcpFlags: false });
  assert.match(header, /^TIME {17}SKB /);
});
