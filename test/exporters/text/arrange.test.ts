import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import { arrange, type Node } from '../../../src/exporters/text/arrange.ts';
import type { LifeEnd } from '../../../src/event/packet-path.ts';
import { buildPath, flow, sight, type LifeSpec } from '../../fixtures/packet-path-parts.ts';
import { packetPaths } from '../../fixtures/packet-paths.ts';
import { client, start } from '../../fixtures/scenery.ts';

/** `f(g h) ...`: calls by name, `#id` a life, `.` an end, `~n` a gap of n ns (`qdisc~n`: in a queue), `!` changed headers. */
const brief = (nodes: readonly Node[]): string =>
  nodes
    .map(({ item, children }) => {
      const below = children.length === 0 ? '' : `(${brief(children)})`;
      switch (item.kind) {
        case 'call':
          return item.call.func + below;
        case 'life':
          return `#${item.life.id}${below}`;
        case 'headers':
          return '!';
        case 'end':
          return '.';
        case 'wait':
          return `${item.wait.place}~${item.wait.durationNs}`;
        case 'gap':
          return `~${item.durationNs}`;
      }
    })
    .join(' ');

const life = (part: Partial<LifeSpec> & Pick<LifeSpec, 'calls'>): LifeSpec => ({
  id: 1,
  skb: 1n,
  start,
  ...part,
});
const ended = (offsetNs: number): LifeEnd => ({
  offsetNs,
  how: 'consumed',
  reason: undefined,
  reasonCode: undefined,
  location: undefined,
  program: undefined,
  rule: undefined,
});
const made = (call: number): Pick<LifeSpec, 'id' | 'from'> => ({
  id: 2,
  from: { call: [0, call], operation: 'clone' },
});

describe('arrange', () => {
  const table: readonly { name: string; lives: readonly LifeSpec[]; want: string }[] = [
    {
      name: 'a clone under the call that made it, although its calls run in another one',
      lives: [
        life({
          calls: [
            { func: 'xmit', at: 0, lasts: 900 },
            { func: 'skb_clone', at: 10, lasts: 10, in: 0 },
            { func: 'after', at: 800, lasts: 10, in: 0 },
          ],
        }),
        life({
          ...made(1),
          at: 20,
          calls: [
            { func: 'ip_out', at: 100, lasts: 600, in: [0, 0] },
            { func: 'dev_out', at: 200, lasts: 100, in: 0 },
          ],
          end: ended(690),
        }),
      ],
      want: 'xmit(skb_clone(#2(ip_out(dev_out .))) after)',
    },
    {
      name: 'a clone of an unseen call stands beside the calls of its parent, by time',
      lives: [
        life({
          calls: [
            { func: 'a', at: 0, lasts: 10 },
            { func: 'b', at: 500, lasts: 10 },
          ],
        }),
        life({ ...made(-1), at: 100, calls: [{ func: 'c', at: 120, lasts: 10 }] }),
      ],
      want: 'a #2(c) b',
    },
    {
      name: 'a life of unknown origin',
      lives: [
        life({ calls: [{ func: 'a', at: 0, lasts: 10 }] }),
        life({ id: 2, at: 100, calls: [{ func: 'b', at: 120, lasts: 10 }] }),
      ],
      want: 'a #2(b)',
    },
    {
      name: 'an end in the innermost call that was running',
      lives: [
        life({
          calls: [
            { func: 'a', at: 0, lasts: 100 },
            { func: 'b', at: 10, lasts: 50, in: 0 },
            { func: 'c', at: 70, lasts: 10, in: 0 },
          ],
          end: ended(40),
        }),
      ],
      want: 'a(b(.) c)',
    },
    {
      name: 'an end after all calls',
      lives: [life({ calls: [{ func: 'a', at: 0, lasts: 100 }], end: ended(200) })],
      want: 'a .',
    },
    {
      name: 'a gap from a fifth of the path on',
      lives: [
        life({
          calls: [
            { func: 'a', at: 0, lasts: 1_000 },
            { func: 'b', at: 3_001, lasts: 2_000 },
            { func: 'c', at: 6_001, lasts: 3_999 },
          ],
        }),
      ],
      want: 'a ~2001 b c',
    },
    {
      name: 'a gap from 100 us on, also inside a call',
      lives: [
        life({
          calls: [
            { func: 'a', at: 0, lasts: 5_000_000 },
            { func: 'b', at: 10, lasts: 90, in: 0 },
            { func: 'c', at: 100_101, lasts: 10, in: 0 },
            { func: 'd', at: 200_111, lasts: 10, in: 0 },
          ],
        }),
      ],
      want: 'a(b ~100001 c d)',
    },
    {
      name: 'no gap below 1 us',
      lives: [
        life({
          calls: [
            { func: 'a', at: 0, lasts: 10 },
            { func: 'b', at: 1_009, lasts: 10 },
          ],
        }),
      ],
      want: 'a b',
    },
    {
      name: 'no gap while a clone is busy, nor after an unfinished call',
      lives: [
        life({
          calls: [
            { func: 'a', at: 0, lasts: 1_000 },
            { func: 'b', at: 90_000, lasts: 10, timing: 'exit' },
            { func: 'c', at: 91_000, timing: 'unfinished' },
            { func: 'd', at: 900_000, timing: 'exit', lasts: 1 },
          ],
        }),
        life({ ...made(0), calls: [{ func: 'e', at: 500, lasts: 89_000 }] }),
      ],
      want: 'a(#2(e)) b c d',
    },
    {
      name: 'points',
      lives: [
        life({
          start: { ...start, timing: 'point' },
          calls: [
            { func: 'a', at: 0 },
            { func: 'b', at: 150_000 },
          ],
        }),
      ],
      want: 'a ~150000 b',
    },
  ];
  for (const { name, lives, want } of table) {
    test(name, () => {
      assert.equal(brief(arrange(buildPath({ lives }))), want);
    });
  }

  test('changed addresses stand before the call that saw them first; new flags or details are no change', () => {
    const one = flow({
      network: 'ipv4',
      transport: 'tcp',
      sourceAddress: '1.1.1.1',
      destinationAddress: '2.2.2.2',
    });
    const two = { ...one, destinationAddress: '3.3.3.3' };
    const packets = [one, { ...one, tcpFlags: 'S', detail: 'x' }, two].map((each, index) =>
      sight('', { device: client, len: 1, flow: each, seq: index * 2, offsetNs: index * 100 }),
    );
    const calls = [
      { func: 'a', at: 0, lasts: 900 },
      { func: 'b', at: 100, lasts: 50, in: 0, packet: 1 },
      { func: 'c', at: 200, lasts: 50, in: 0, packet: 2 },
    ];
    assert.equal(brief(arrange(buildPath({ lives: [life({ packets, calls })] }))), 'a(b ! c)');
  });

  test('every call, linked life and end of every fixture is there exactly once', () => {
    for (const path of Object.values(packetPaths())) {
      const seen = new Map<unknown, number>();
      const count = (nodes: readonly Node[]): void => {
        for (const { item, children } of nodes) {
          const key =
            item.kind === 'call'
              ? item.call
              : item.kind === 'end'
                ? item.life.end
                : item.kind === 'life'
                  ? item.life
                  : undefined;
          if (key !== undefined) seen.set(key, (seen.get(key) ?? 0) + 1);
          count(children);
        }
      };
      count(arrange(path));
      const want = path.lives.flatMap((each) => [
        ...each.calls,
        ...(each.end === undefined ? [] : [each.end]),
        ...(each.parent === undefined ? [] : [each]),
      ]);
      assert.equal(seen.size, want.length);
      for (const each of want) assert.equal(seen.get(each), 1);
    }
  });

  test('a call that claims to run in itself or in a later one stands at the top', () => {
    const path = buildPath({
      lives: [
        life({
          calls: [
            { func: 'a', at: 0, lasts: 1 },
            { func: 'b', at: 1, lasts: 1 },
          ],
        }),
      ],
    });
    const [only] = path.lives;
    assert.ok(only);
    const calls = only.calls.map((call, index) => ({
      ...call,
      parent: { life: 0, call: index === 0 ? 1 : 1 },
    }));
    assert.equal(brief(arrange({ ...path, lives: [{ ...only, calls }] })), 'a b');
  });
});
