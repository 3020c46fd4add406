import assert from 'node:assert/strict';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareCalls, type Missing } from '../compare-calls.ts';
import { BIRTH, readGraph } from '../graph.ts';
import { until, type Lab } from '../lab.ts';
import { assertLossless, onlyPath, type Scenario, type SeenPath } from '../scenario.ts';
import { undisturbed } from '../undisturbed.ts';

const TRACING = '/sys/kernel/tracing';

/**
 * The functions that skbspan hooks, as indices into available_filter_functions (from 1). Taken from the kernel's own lists,
 * for skbspan's word is what is tested. Names would take function_graph's filter minutes to look up.
 */
function hooked({ backend, wants }: Lab): { names: ReadonlySet<string>; indices: number[] } {
  const kprobes = readFileSync('/sys/kernel/debug/kprobes/list', 'utf8');
  const functions = readFileSync(join(TRACING, 'enabled_functions'), 'utf8');
  // "ffffffff81a2b3c4  k  ip_rcv+0x0    [FTRACE]" and "ip_rcv (1) R   tramp: ..."
  const lines =
    backend === 'kprobe'
      ? kprobes.matchAll(/^\S+\s+[kr]\s+([\w.]+)\+/gm)
      : functions.matchAll(/^([\w.]+)/gm);
  // With a filter, some are watched only to follow packets.
  const names = new Set(Array.from(lines, ([, name = '']) => name).filter(wants));
  const available = readFileSync(join(TRACING, 'available_filter_functions'), 'utf8').split('\n');
  const indices = available.flatMap((line, index) =>
    names.has(line.split(' ')[0] ?? '') ? [index + 1] : [],
  );
  return { names, indices };
}

/**
 * Functions whose calls need not be on a followed packet, and which argument is their skb: ftrace is asked for it. By hand, not
 * from skbspan's own knowledge.
 */
const ASKED: Readonly<Record<string, number>> = {
  ip_route_output_key_hash: 3,
  ip_route_output_key_hash_rcu: 4,
  fib_select_path: 4,
  tcp_established_options: 2,
  sk_skb_reason_drop: 2,
  tcp_rbtree_insert: 2,
  skb_put: 1,
  napi_consume_skb: 1,
  consume_skb: 1,
  __kfree_skb: 1,
  skb_attempt_defer_free: 1,
  skb_release_head_state: 1,
  skb_release_data: 1,
  skb_free_head: 1,
  sock_wfree: 1,
  kfree_skbmem: 1,
  napi_skb_cache_put: 1,
};

/** Functions that return a new sk_buff. */
const BIRTHS = [
  '__alloc_skb',
  '__napi_alloc_skb',
  'napi_alloc_skb',
  'napi_build_skb',
  'build_skb',
  'slab_build_skb',
  'skb_clone',
];

const put = (file: string, text: string): void => {
  writeFileSync(join(TRACING, file), text);
};

/** Has ftrace tell the skbs of those functions that are recorded and of all allocations. */
function askForSkbs(functions: ReadonlySet<string>): void {
  const all = new Set(
    Array.from(
      readFileSync(join(TRACING, 'available_filter_functions'), 'utf8').matchAll(/^\w+$/gm),
      ([name]) => name,
    ),
  );
  const events = [
    ...Object.entries(ASKED)
      .filter(([func]) => functions.has(func))
      .map(([func, argument]) => `p:oracle/${func} ${func} skb=$arg${argument}:x64`),
    ...BIRTHS.filter((func) => all.has(func)).map(
      (func) => `r:oracle/${BIRTH}${func} ${func} skb=$retval:x64`,
    ),
  ];
  for (const event of events) writeFileSync(join(TRACING, 'kprobe_events'), event, { flag: 'a' });
  put('events/oracle/enable', '1');
}

function recordGraph(
  lab: Lab,
  { names, indices }: ReturnType<typeof hooked>,
  traffic: string,
): string {
  put('tracing_on', '0');
  askForSkbs(names);
  put('set_ftrace_filter', indices.join(' '));
  put('current_tracer', 'function_graph');
  put('options/funcgraph-proc', '1');
  put('options/funcgraph-irqs', '1');
  try {
    lab.run(
      // Not `ip netns exec`, which hides tracefs behind a new /sys.
      `nsenter --net=/run/netns/a sh -c 'echo 1 >${TRACING}/tracing_on; ${traffic}; echo 0 >${TRACING}/tracing_on'`,
    );
    return readFileSync(join(TRACING, 'trace'), 'utf8');
  } finally {
    put('current_tracer', 'nop');
    put('set_ftrace_filter', '');
    put('events/oracle/enable', '0');
    put('kprobe_events', '');
    put('tracing_on', '1');
  }
}

/**
 * skb_attempt_defer_free() and skb_defer_free_flush(), net/core/skbuff.c and net/core/dev.c. A softirq runs in ksoftirqd, after an
 * interrupt, or where softirqs are allowed again: within any function, or none.
 */
const GIVEN_BACK: Readonly<Record<string, string>> = Object.fromEntries(
  [
    'napi_consume_skb',
    'skb_release_head_state < napi_consume_skb',
    'skb_release_data < napi_consume_skb',
    'skb_free_head < skb_release_data',
    'kfree_skbmem < napi_consume_skb',
    'napi_skb_cache_put < napi_consume_skb',
  ].map((call) => [
    call,
    'another CPU gave the skb back to the one that had allocated it: it is freed by the next softirq there',
  ]),
);

/**
 * Calls that ftrace sees and skbspan does not, by design: a call belongs to a life, and these have none. By what is known of the
 * call's skb; by function, or by function and caller. That there is no skb is reason enough.
 */
const NOT_OURS: Readonly<Record<Missing['skb'], Readonly<Record<string, string>>>> = {
  unknown: {
    __alloc_skb: 'makes the skb: its argument is none; watched as the birth',
    __build_skb_around: 'fills in the skb before its birth',
    kmalloc_reserve: 'allocates data before the birth',
  },
  null: {},
  unborn: {
    'skb_put < tcp_v4_rcv': 'fills in a reset, which has no socket or device yet',
    'skb_put < ip_send_unicast_reply': 'the same',
    'sock_wfree < ip_send_unicast_reply':
      'takes the socket that sends resets from it; what frees begins no life',
    'tcp_rbtree_insert < -':
      'queues a SYN for a resend before it is first sent: nothing on it tells of a socket yet',
  },
  // Of before.
  other: GIVEN_BACK,
  deferred: GIVEN_BACK,
  followed: {},
};

const reasonOf = ({ call, skb }: Missing): string | undefined =>
  skb === 'null'
    ? 'its skb is NULL'
    : (NOT_OURS[skb][call] ?? NOT_OURS[skb][call.split(' ')[0] ?? '']);

interface Subject {
  readonly name: string;
  /** Sets up what the traffic needs, before anything is recorded. */
  readonly prepare: (lab: Lab) => Promise<void> | void;
  readonly clean?: (lab: Lab) => void;
  /** A command without quotes, run in namespace a. */
  readonly traffic: string;
  readonly ours: (paths: readonly SeenPath[]) => readonly SeenPath[];
  /** Calls that must agree at least. */
  readonly least: number;
}

const echoes = (paths: readonly SeenPath[]): readonly SeenPath[] =>
  ['echo request', 'echo reply'].map((name) =>
    onlyPath(paths, name, (flow) => flow.detail.startsWith(name)),
  );

/** The same traffic recorded by ftrace's function_graph: set, order and nesting of the calls must agree. */
const held = ({ name, prepare, clean, traffic, ours: choose, least }: Subject): Scenario => ({
  name,
  async act(lab) {
    await prepare(lab);
    try {
      await undisturbed(lab, async () => {
        const trace = await lab.trace();
        const functions = hooked(lab);
        lab.record('functions', functions.indices.length);
        lab.record('graph', recordGraph(lab, functions, traffic));
        lab.record('status', (await trace.stop()).status);
      });
    } finally {
      clean?.(lab);
    }
  },
  check({ paths, text, fact, summary, note }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const graph = readGraph(text('graph'));
    const ours = choose(paths);
    const others = paths.filter((path) => !ours.includes(path));
    const { agreed, missing, extra, misplaced } = compareCalls(graph, ours, others);
    note(`${agreed} calls agree with ftrace, in run ${String(fact('runs'))}`);
    for (const one of missing)
      note(`only ftrace: ${one.call} (skb ${one.skb}): ${reasonOf(one) ?? 'UNEXPLAINED'}`);
    assert.ok(agreed > least, `only ${agreed} calls agree`);
    const unexplained = missing.filter((one) => reasonOf(one) === undefined);
    const none: readonly unknown[] = [];
    assert.deepEqual(
      { unexplained, extra, misplaced },
      { unexplained: none, extra: none, misplaced: none },
    );
  },
});

// One ping before: else ARP comes in between.
export const oracle = held({
  name: 'oracle',
  prepare: (lab) => {
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
  },
  traffic: 'ping -c 1 -W 5 10.0.0.2',
  ours: echoes,
  least: 20,
});

/** A ping that arrives by NAPI and GRO: functions that take lists are on its way. */
export const listOracle = held({
  name: 'list oracle',
  prepare: (lab) => {
    lab.run(`ip netns exec a ethtool -K va tso off; ip netns exec b ethtool -K vb gro on
      ip netns exec a ping -c 1 -W 5 10.0.0.2`);
  },
  traffic: 'ping -c 1 -W 5 10.0.0.2',
  ours: echoes,
  least: 20,
});

/**
 * Two ports of a bridge in a namespace of its own. Before the tracing a datagram goes from one CPU to the other, so that the first
 * one has an skb to free in the midst of the ping (from 6.18 on).
 */
export const bridgedOracle = held({
  name: 'bridged oracle',
  prepare: async (lab) => {
    lab.run(`ip netns add c
      ip -n c link add br0 type bridge; ip -n c link set br0 up
      ip netns exec c sysctl -qw net.ipv6.conf.all.disable_ipv6=1
      for n in a b; do
        ip link add x$n netns $n type veth peer name p$n netns c
        ip -n c link set p$n master br0 up; ip -n $n link set x$n up
      done
      ip -n a addr add 10.0.2.1/24 dev xa; ip -n b addr add 10.0.2.2/24 dev xb
      ip netns exec a ping -c 1 -W 5 10.0.2.2`);
    const ready = join(lab.folder, 'peer');
    const peer = 'node test/vm/udp-peer.ts';
    lab.background(`ip netns exec b busybox taskset 2 ${peer} serve 5009 0 ${ready}`);
    await until('the peer is ready', 60_000, () => (existsSync(ready) ? true : undefined));
    lab.run(`ip netns exec a busybox taskset 1 ${peer} send 1 10.0.2.2:5009`);
  },
  clean: (lab) => {
    lab.run('ip netns del c');
  },
  traffic: 'busybox taskset 1 ping -c 1 -W 5 10.0.2.2',
  ours: echoes,
  least: 20,
});

/** A short connection: handshake, a line each way, and its end; and one that is refused by a reset, which has no socket. */
export const tcpOracle = held({
  name: 'tcp oracle',
  prepare: async (lab) => {
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.background('ip netns exec b busybox nc -ll -p 7000 -e /usr/busybox/cat');
    await until('nc listens', 10_000, () =>
      lab.run('ip netns exec b ss -ltn').includes(':7000') ? true : undefined,
    );
  },
  // Standard output would be a unix socket.
  traffic: 'echo hello | busybox nc 10.0.0.2 7000 >/dev/null; busybox nc 10.0.0.2 7001',
  ours: (paths) => paths.filter(({ flow }) => flow?.transport === 'tcp'),
  least: 100,
});
