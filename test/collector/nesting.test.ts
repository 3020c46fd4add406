import assert from 'node:assert/strict';
import { test } from 'node:test';
import { eventFlag } from '../../src/event/layout.ts';
import type { Call } from '../../src/event/packet-path.ts';
import { pathsOf } from '../fixtures/collector.ts';
import { enterRecord, exitRecord, linkRecord, type EnterFields } from '../fixtures/records.ts';

const TASK_STACK = 0xffffc90000204000n;
const SOFTIRQ_STACK = 0xffffc90000003000n;

/** One line per record: `> name` enter, `< name` exit, `. name` point, `- name` enter-only; then its options. */
type Line = readonly [mark: '>' | '<' | '.' | '-', name: string, fields?: Partial<EnterFields>];

/** Letters are probes; time advances by 10 per line; seq is counted per life. */
function recordsOf(lines: readonly Line[]): Uint8Array[] {
  const next = new Map<number, number>();
  const seqs = new Map<string, number>();
  return lines.map(([mark, name, fields = {}], index) => {
    const life = fields.life ?? 1;
    const header = {
      tid: 100,
      timeNs: 1000 + index * 10,
      ...fields,
      life,
      probe: name.charCodeAt(0),
    };
    if (mark === '<') return exitRecord({ ...header, seq: seqs.get(name) ?? 0 });
    const seq = next.get(life) ?? 0;
    next.set(life, seq + 1);
    seqs.set(name, seq);
    const flags = mark === '.' ? eventFlag.point : mark === '-' ? eventFlag.enterOnly : 0;
    return enterRecord({ ...header, seq, flags });
  });
}

interface Seen {
  readonly parent: string;
  readonly depth: number;
  readonly timing: Call['timing'];
  readonly durationNs: number | undefined;
}

/** By the letter of each call: `A<B` nests A in B. */
function nested(...records: Uint8Array[]): Record<string, Seen> {
  const paths = pathsOf(records);
  assert.equal(paths.length, 1);
  const lives = paths[0]?.lives ?? [];
  const letter = (call: Call | undefined): string =>
    call === undefined ? '' : String.fromCharCode(Number(call.func.replace('func_', '')));
  return Object.fromEntries(
    lives.flatMap(({ calls }) =>
      calls.map((call) => [
        letter(call),
        {
          parent:
            call.parent === undefined
              ? ''
              : letter(lives[call.parent.life]?.calls[call.parent.call]),
          depth: call.depth,
          timing: call.timing,
          durationNs: call.durationNs,
        },
      ]),
    ),
  );
}

const tree = (seen: Record<string, Seen>): string =>
  Object.entries(seen)
    .map(([name, { parent }]) => (parent === '' ? name : `${name}<${parent}`))
    .join(' ');

const cases: readonly { name: string; lines: readonly Line[]; expected: string }[] = [
  {
    name: 'calls of one task nest',
    lines: [
      ['>', 'A'],
      ['>', 'B'],
      ['>', 'C'],
      ['<', 'C'],
      ['<', 'B'],
      ['>', 'D'],
      ['<', 'D'],
      ['<', 'A'],
    ],
    expected: 'A B<A C<B D<A',
  },
  {
    name: 'one after the other, even in the very nanosecond',
    lines: [
      ['>', 'A'],
      ['<', 'A', { timeNs: 2000 }],
      ['>', 'B', { timeNs: 2000 }],
      ['<', 'B', { timeNs: 2100 }],
    ],
    expected: 'A B',
  },
  {
    name: 'two tasks at once do not nest',
    lines: [
      ['>', 'A'],
      ['>', 'B', { tid: 200 }],
      ['<', 'B', { tid: 200 }],
      ['<', 'A'],
    ],
    expected: 'A B',
  },
  {
    name: 'a task that moves to another CPU nests on',
    lines: [
      ['>', 'A', { cpu: 0 }],
      ['>', 'B', { cpu: 3 }],
      ['<', 'B', { cpu: 3 }],
      ['<', 'A', { cpu: 3 }],
    ],
    expected: 'A B<A',
  },
  {
    name: 'idle tasks are told apart by CPU',
    lines: [
      ['>', 'A', { tid: 0, cpu: 0 }],
      ['>', 'B', { tid: 0, cpu: 1 }],
      ['>', 'C', { tid: 0, cpu: 0 }],
      ['<', 'C', { tid: 0, cpu: 0 }],
      ['<', 'B', { tid: 0, cpu: 1 }],
      ['<', 'A', { tid: 0, cpu: 0 }],
    ],
    expected: 'A B C<A',
  },
  {
    name: 'a softirq on its own stack nests in the call that it interrupts',
    lines: [
      ['>', 'A', { frame: TASK_STACK }],
      ['>', 'B', { frame: SOFTIRQ_STACK }],
      ['>', 'C', { frame: SOFTIRQ_STACK - 64n }],
      ['<', 'C'],
      ['<', 'B'],
      ['<', 'A'],
    ],
    expected: 'A B<A C<B',
  },
  {
    name: 'points nest but hold nothing',
    lines: [
      ['>', 'A'],
      ['.', 'P'],
      ['.', 'Q'],
      ['>', 'B'],
      ['<', 'B'],
      ['<', 'A'],
      ['.', 'R'],
    ],
    expected: 'A P<A Q<A B<A R',
  },
  {
    name: 'enter-only calls are flat',
    lines: [
      ['-', 'A', { frame: TASK_STACK }],
      ['-', 'B', { frame: TASK_STACK - 64n }],
      ['-', 'C'],
    ],
    expected: 'A B C',
  },
  {
    name: 'lost exit: a call at the same frame proves the return',
    lines: [
      ['>', 'A', { frame: TASK_STACK }],
      ['>', 'B', { frame: TASK_STACK - 128n }],
      ['>', 'C', { frame: TASK_STACK - 128n }],
      ['<', 'C'],
      ['<', 'A'],
    ],
    expected: 'A B<A C<A',
  },
  {
    name: 'lost exit: a call above the frame proves the return of all below',
    lines: [
      ['>', 'A', { frame: TASK_STACK }],
      ['>', 'B', { frame: TASK_STACK - 128n }],
      ['>', 'C', { frame: TASK_STACK - 256n }],
      ['>', 'D', { frame: TASK_STACK - 64n }],
      ['<', 'D'],
      ['<', 'A'],
    ],
    expected: 'A B<A C<B D<A',
  },
  {
    name: 'no exit: a deeper call is inside',
    lines: [
      ['>', 'A', { frame: TASK_STACK }],
      ['>', 'B', { frame: TASK_STACK - 8n }],
      ['<', 'B'],
    ],
    expected: 'A B<A',
  },
  {
    name: 'lost exit: a frame on another stack proves nothing',
    lines: [
      ['>', 'A', { frame: SOFTIRQ_STACK }],
      ['>', 'B', { frame: SOFTIRQ_STACK + 16n * 1024n }],
      ['<', 'B'],
    ],
    expected: 'A B<A',
  },
  {
    name: 'lost exit without frames: the return of the outer call ends the inner one',
    lines: [
      ['>', 'A'],
      ['>', 'B'],
      ['<', 'A'],
      ['>', 'C'],
      ['<', 'C'],
    ],
    expected: 'A B<A C',
  },
  {
    name: 'known exits beat frames',
    lines: [
      ['>', 'A', { frame: TASK_STACK }],
      ['>', 'B', { frame: TASK_STACK + 64n }],
      ['<', 'B'],
      ['<', 'A'],
    ],
    expected: 'A B<A',
  },
  {
    name: 'a call that returns later than the one before it is not inside of it',
    lines: [
      ['>', 'A'],
      ['>', 'B'],
      ['>', 'C'],
      ['<', 'B'],
      ['<', 'C'],
      ['<', 'A'],
    ],
    expected: 'A B<A C<A',
  },
  {
    name: 'recursion: the same function twice',
    lines: [
      ['>', 'A'],
      ['>', 'B'],
      ['<', 'B'],
      ['<', 'A'],
    ],
    expected: 'A B<A',
  },
];

for (const { name, lines, expected } of cases) {
  test(name, () => {
    assert.equal(tree(nested(...recordsOf(lines))), expected);
  });
}

test('a clone handled inside of the call on its parent nests there', () => {
  const [enterA, enterB, exitB, exitA] = recordsOf([
    ['>', 'A'],
    ['>', 'B', { life: 2 }],
    ['<', 'B', { life: 2 }],
    ['<', 'A'],
  ]) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
  const link = linkRecord({ life: 2, parent: 1, parentSeq: 0, timeNs: 1005, tid: 100 });
  const seen = nested(enterA, link, enterB, exitB, exitA);
  assert.equal(tree(seen), 'A B<A');
  assert.equal(seen['B']?.depth, 1);
});

test('a call on a list is one on each packet: what it does to a packet nests in the call on that one', () => {
  const at = (life: number, seq: number, probe: number, timeNs: number, frame: bigint) => ({
    ...{ life, seq, probe, timeNs, frame, tid: 100 },
  });
  // Both lives are of one path, both in the call of probe 5.
  const [path] = pathsOf([
    enterRecord(at(1, 0, 4, 10, TASK_STACK)),
    linkRecord({ life: 2, parent: 1, parentSeq: 0, timeNs: 15, tid: 100 }),
    enterRecord(at(1, 1, 5, 20, TASK_STACK - 64n)),
    enterRecord(at(2, 1, 5, 21, TASK_STACK - 64n)),
    enterRecord(at(1, 2, 6, 30, TASK_STACK - 128n)),
    exitRecord(at(1, 2, 6, 40, 0n)),
    enterRecord(at(2, 2, 6, 50, TASK_STACK - 128n)),
    exitRecord(at(2, 2, 6, 60, 0n)),
    exitRecord(at(1, 1, 5, 70, 0n)),
    exitRecord(at(2, 1, 5, 71, 0n)),
    exitRecord(at(1, 0, 4, 80, 0n)),
  ]);
  assert.deepEqual(
    path?.lives.map(({ calls }) => calls.map(({ parent, depth }) => [parent, depth])),
    [
      [
        [undefined, 0],
        [{ life: 0, call: 0 }, 1],
        [{ life: 0, call: 1 }, 2],
      ],
      [
        [{ life: 0, call: 0 }, 1],
        [{ life: 1, call: 0 }, 2],
      ],
    ],
  );
});

test('depth, timing and duration', () => {
  const seen = nested(
    ...recordsOf([
      ['>', 'A'],
      ['>', 'B'],
      ['.', 'P'],
      ['<', 'B'],
      ['>', 'C'],
      ['<', 'A'],
      ['-', 'D'],
      ['.', 'Q'],
      ['-', 'E'],
    ]),
  );
  assert.deepEqual(seen, {
    A: { parent: '', depth: 0, timing: 'exit', durationNs: 50 },
    B: { parent: 'A', depth: 1, timing: 'exit', durationNs: 20 },
    P: { parent: 'B', depth: 2, timing: 'point', durationNs: 0 },
    C: { parent: 'A', depth: 1, timing: 'unfinished', durationNs: undefined },
    D: { parent: '', depth: 0, timing: 'enter-only', durationNs: 20 },
    Q: { parent: '', depth: 0, timing: 'point', durationNs: 0 },
    E: { parent: '', depth: 0, timing: 'unfinished', durationNs: undefined },
  });
});

test('two calls of one function on a life: each exit finds its own', () => {
  const path = pathsOf([
    enterRecord({ life: 1, seq: 0, probe: 5, timeNs: 10, tid: 1 }),
    enterRecord({ life: 1, seq: 1, probe: 5, timeNs: 20, tid: 1 }),
    exitRecord({ life: 1, seq: 1, probe: 5, timeNs: 30, tid: 1, returnValue: 11n }),
    exitRecord({ life: 1, seq: 0, probe: 5, timeNs: 50, tid: 1, returnValue: 10n }),
  ])[0];
  assert.deepEqual(
    path?.lives[0]?.calls.map(({ durationNs, returnValue }) => [durationNs, returnValue]),
    [
      [40, 10n],
      [10, 11n],
    ],
  );
});

test('a life of 70,000 records: numbers of 16 bits wrap, exits still find their calls', () => {
  const records = [enterRecord({ life: 1, seq: 0, probe: 1, timeNs: 0, tid: 1 })];
  let timeNs = 0;
  for (let seq = 1; seq < 70_000; seq++) {
    records.push(enterRecord({ life: 1, seq, probe: 2, timeNs: ++timeNs, tid: 1 }));
    records.push(exitRecord({ life: 1, seq, probe: 2, timeNs: ++timeNs, tid: 1 }));
  }
  records.push(exitRecord({ life: 1, seq: 0, probe: 1, timeNs: ++timeNs, tid: 1 }));
  const paths = pathsOf(records);
  const calls = paths[0]?.lives[0]?.calls ?? [];
  assert.equal(calls.length, 70_000);
  assert.deepEqual(paths[0]?.losses, []);
  assert.equal(calls[0]?.durationNs, timeNs);
  for (const call of calls.slice(1)) {
    assert.equal(call.durationNs, 1);
    assert.deepEqual(call.parent, { life: 0, call: 0 });
  }
});
