import assert from 'node:assert/strict';
import test from 'node:test';
import { formatSummary } from '../../src/cli/summary.ts';
import { lossCauses, type LossCause, type Statistics } from '../../src/event/statistics.ts';

function statistics(part: Partial<Statistics>): Statistics {
  const losses = new Map((Object.keys(lossCauses) as LossCause[]).map((cause) => [cause, 0]));
  for (const [cause, count] of part.losses ?? []) losses.set(cause, count);
  return { events: 0, lives: 0, paths: 0, drops: new Map(), ...part, losses };
}

test('a run without losses says so', () => {
  assert.equal(
    formatSummary(statistics({ paths: 1, events: 12_345, lives: 2 }), 2000),
    '1 packet, 12,345 events in 2.0 s (6,173 events/s)\nnothing lost\n',
  );
});

test('what --keep left out is no loss', () => {
  assert.equal(
    formatSummary(statistics({ paths: 9, events: 20, leftOut: 8 }), 1000),
    '9 packets, 20 events in 1.0 s (20 events/s)\nleft out by --keep: 8 packets\nnothing lost\n',
  );
});

test('a recording that was cut off does not say how many events there were', () => {
  assert.equal(formatSummary(statistics({ paths: 9 }), 1000), '9 packets in 1.0 s\nnothing lost\n');
});

test('drops come by reason, most first, and losses by cause in words', () => {
  const text = formatSummary(
    statistics({
      paths: 3,
      events: 1,
      drops: new Map([
        ['NO_SOCKET', 1],
        ['NETFILTER_DROP', 1200],
      ]),
      losses: new Map([
        ['ring_full', 17],
        ['paths_dropped', 4],
      ]),
    }),
    500,
  );
  assert.equal(
    text,
    [
      '3 packets, 1 event in 500 ms (2 events/s)',
      'dropped by the kernel:',
      '  1,200  NETFILTER_DROP',
      '      1  NO_SOCKET',
      'lost by skbspan:',
      `  17  ${lossCauses.ring_full}`,
      `   4  ${lossCauses.paths_dropped}`,
      '',
    ].join('\n'),
  );
});

test('a run of no time divides by nothing', () => {
  assert.match(formatSummary(statistics({ events: 5 }), 0), /5 events in 0 ms \(0 events\/s\)/);
});
