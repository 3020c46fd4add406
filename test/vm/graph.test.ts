import assert from 'node:assert/strict';
import { test } from 'node:test';
import { compareCalls } from './compare-calls.ts';
import { readGraph } from './graph.ts';
import type { SeenCall, SeenPath } from './scenario.ts';

const GRAPH = `
# tracer: function_graph
#
# CPU  TASK/PID         DURATION                  FUNCTION CALLS
# |     |    |           |   |                     |   |   |   |
 0)    ping-267    | ! 749.682 us  |  sk_skb_reason_drop();
 0)    ping-267    |               |  ip_output() {
 0)    ping-267    |               |    __dev_queue_xmit() {
 0)    ping-267    |   ==========> |
 0)    ping-267    | + 23.866 us   |      veth_xmit [veth]();
 0)    ping-267    | + 90.866 us   |    } /* __dev_queue_xmit */
 ------------------------------------------
 0)    ping-267    =>     <idle>-0
 ------------------------------------------
 0)   <idle>-0     |               |  ip_rcv(skb=0xffff8881, dev=0xffff8882) {
 0)    ping-267    | + 99.866 us   |  } /* ip_output */
 0)   <idle>-0     |   4.627 us    |    icmp_rcv();
 0)   <idle>-0     |   4.627 us    |  } /* ip_rcv */
 1)   <idle>-0     |   4.627 us    |  kfree_skb();
`;

/** A path with calls `func` or `func<index of parent`. */
function pathOf(words: string): SeenPath {
  const calls = words.split(' ').map((word, index): SeenCall => {
    const [func = '', parent] = word.split('<');
    return {
      ...{ func, kind: 'function', seq: index, offset_ns: index, duration_ns: 1, timing: 'exit' },
      ...{ depth: 0, cpu: 0, len: 84, verdict: null, device: { netns: 1, name: '' } },
      detail: null,
      parent: parent === undefined ? null : { life: 0, call: Number(parent) },
    };
  });
  return {
    ...{ id: 1, start_time_ns: '0', duration_ns: 9, direction: 'transmit', ending: 'ended' },
    ...{ losses: [], flow: null },
    lives: [
      {
        ...{ id: 1, skb: '0x1', parent: null, merged_into: null, offset_ns: 0, end: null },
        ...{ packets: [], calls },
      },
    ],
  };
}

test('reads what function_graph writes', () => {
  const { calls } = readGraph(GRAPH);
  assert.deepEqual(
    calls.map(({ func, cpu, parent }) => `${cpu} ${func} ${parent?.func ?? '-'}`),
    [
      '0 sk_skb_reason_drop -',
      '0 ip_output -',
      '0 __dev_queue_xmit ip_output',
      '0 veth_xmit __dev_queue_xmit',
      '0 ip_rcv -',
      '0 icmp_rcv ip_rcv',
      '1 kfree_skb -',
    ],
  );
});

test('tells what is missing, extra and misplaced', () => {
  const table: [string, Omit<ReturnType<typeof compareCalls>, 'agreed'>][] = [
    [
      'ip_output __dev_queue_xmit<0 veth_xmit<1 ip_rcv icmp_rcv<3',
      { missing: [], extra: [], misplaced: [] },
    ],
    [
      'ip_output veth_xmit<0 ip_rcv icmp_rcv<2',
      {
        missing: [{ call: '__dev_queue_xmit < ip_output', skb: 'unknown' }],
        extra: [],
        misplaced: [],
      },
    ],
    [
      'ip_output __dev_queue_xmit<0 veth_xmit<0 ip_rcv icmp_rcv<3',
      {
        ...{ missing: [], extra: [] },
        misplaced: ['veth_xmit: in ip_output instead of __dev_queue_xmit'],
      },
    ],
    [
      'ip_output __dev_queue_xmit<0 veth_xmit<1 eth_header<1 ip_rcv icmp_rcv<4',
      { missing: [], extra: ['eth_header < __dev_queue_xmit'], misplaced: [] },
    ],
  ];
  for (const [words, wanted] of table) {
    const { agreed, ...differences } = compareCalls(readGraph(GRAPH), [pathOf(words)]);
    assert.deepEqual(differences, wanted);
    assert.ok(agreed >= 4);
  }
});

test('knows by the skb which call it was, and whether it is of a packet at all', () => {
  const recorded = `
 0)    ping-267    |               |  ip_output() {
 0)    ping-267    |               |    /* ip_output: (ip_output+0x4/0x50) skb=0x1 */
 0)    ping-267    |               |    fib_select_path() {
 0)    ping-267    |               |      /* fib_select_path: (fib_select_path+0x4/0x50) skb=0x0 */
 0)    ping-267    | + 90.866 us   |    }
 0)    ping-267    |               |    /* skb_put: (skb_put+0x4/0x50) skb=0x2 */
 0)    ping-267    |   1.000 us    |    skb_put();
 0)    ping-267    |               |    skb_put() {
 0)    ping-267    |               |      /* skb_put: (skb_put+0x4/0x50) skb=0x00000001 */
 0)    ping-267    | + 90.866 us   |    }
 0)    ping-267    |               |    kfree_skbmem() {
 0)    ping-267    |               |      /* kfree_skbmem: (kfree_skbmem+0x4/0x50) skb=0x1 */
 0)    ping-267    | + 90.866 us   |    }
 0)    ping-267    |               |    /* birth_of___alloc_skb: (a+0x4/0x50 <- __alloc_skb) skb=0x1 */
 0)    ping-267    |               |    skb_put() {
 0)    ping-267    |               |      /* skb_put: (skb_put+0x4/0x50) skb=0x1 */
 0)    ping-267    | + 90.866 us   |    }
 0)    ping-267    |   1.000 us    |    veth_xmit();
`;
  const { agreed, missing, extra } = compareCalls(readGraph(recorded), [
    pathOf('ip_output skb_put<0 veth_xmit'),
  ]);
  assert.equal(agreed, 3);
  assert.deepEqual(extra, []);
  assert.deepEqual(
    missing.map(({ call, skb }) => `${call} ${skb}`),
    [
      'fib_select_path < ip_output null',
      'skb_put < ip_output other',
      'kfree_skbmem < ip_output followed',
      'skb_put < ip_output unborn',
    ],
  );
});

test('what frees an skb after it was left to another CPU is told from what is lacking', () => {
  const call = (func: string, skb: string, within = ''): string => `
 0)    ping-267    |               |  ${func}() {
 0)    ping-267    |               |    /* ${func}: (a+0x4/0x50) skb=${skb} */${within}
 0)    ping-267    | + 90.866 us   |  }`;
  const free = (skb: string): string => call('napi_consume_skb', skb);
  const inside = free('0x1').replaceAll('|  ', '|    ');
  const born = `
 0)    ping-267    |               |  /* birth_of___alloc_skb: (a+0x4/0x50 <- __alloc_skb) skb=0x1 */`;
  const table: [string, string[]][] = [
    [call('skb_attempt_defer_free', '0x1') + free('0x1'), ['deferred']],
    [call('skb_attempt_defer_free', '0x1', inside), ['followed']],
    [call('skb_attempt_defer_free', '0x1') + free('0x2'), ['other']],
    [call('skb_attempt_defer_free', '0x1') + born + free('0x1'), ['unborn']],
  ];
  for (const [recorded, wanted] of table) {
    const graph = readGraph(`${recorded}\n 0)    ping-267    |   1.000 us    |  veth_xmit();\n`);
    const { missing } = compareCalls(graph, [pathOf('skb_attempt_defer_free veth_xmit')]);
    assert.deepEqual(
      missing.map(({ skb }) => skb),
      wanted,
      recorded,
    );
  }
});
