import assert from 'node:assert/strict';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compareCalls, graphCalls } from '../graph.ts';
import { until, type Lab } from '../lab.ts';
import { assertLossless, onlyPath, type Scenario, type SeenPath } from '../scenario.ts';

const TRACING = '/sys/kernel/tracing';

/**
 * The functions that skbspan hooks, as indices into available_filter_functions (from 1). Taken from the kernel's own lists,
 * for skbspan's word is what is tested. Names would take function_graph's filter minutes to look up.
 */
function hooked({ backend, wants }: Lab): number[] {
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
  return available.flatMap((line, index) =>
    names.has(line.split(' ')[0] ?? '') ? [index + 1] : [],
  );
}

function recordGraph(lab: Lab, functions: readonly number[], traffic: string): string {
  const put = (file: string, text: string): void => {
    writeFileSync(join(TRACING, file), text);
  };
  put('tracing_on', '0');
  put('set_ftrace_filter', functions.join(' '));
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
    put('tracing_on', '1');
  }
}

/**
 * Calls that ftrace sees and skbspan does not, by design: a call belongs to a life, and these have none. By function, or by
 * function and caller.
 */
const NOT_OURS: Readonly<Record<string, string>> = {
  __alloc_skb: 'makes the skb: its argument is none; watched as the birth',
  __build_skb_around: 'fills in the skb before its birth',
  kmalloc_reserve: 'allocates data before the birth',
  __copy_skb_header: 'runs on the new half of a clone, which is linked when skb_clone returns',
  ip_route_output_key_hash_rcu: 'the route lookup of a packet that is not made yet: skb is NULL',
  'skb_put < tcp_v4_rcv': 'fills in a reset, which has no socket or device yet',
  fib_select_path: 'the same lookup: skb is NULL',
};

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
      const trace = await lab.trace();
      const functions = hooked(lab);
      lab.record('functions', functions.length);
      lab.record('graph', recordGraph(lab, functions, traffic));
      lab.record('status', (await trace.stop()).status);
    } finally {
      clean?.(lab);
    }
  },
  check({ paths, text, fact, summary, note }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const graph = graphCalls(text('graph'));
    const ours = choose(paths);
    const others = paths.filter((path) => !ours.includes(path));
    const { agreed, missing, extra, misplaced } = compareCalls(graph, ours, others);
    const reasonOf = (call: string): string | undefined =>
      NOT_OURS[call] ?? NOT_OURS[call.split(' ')[0] ?? ''];
    note(`${agreed} calls agree with ftrace`);
    for (const call of missing) note(`only ftrace: ${call}: ${reasonOf(call) ?? 'UNEXPLAINED'}`);
    assert.ok(agreed > least, `only ${agreed} calls agree`);
    const unexplained = missing.filter((call) => reasonOf(call) === undefined);
    const none: readonly string[] = [];
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

/** Two ports of a bridge in a namespace of its own. */
export const bridgedOracle = held({
  name: 'bridged oracle',
  prepare: (lab) => {
    lab.run(`ip netns add c
      ip -n c link add br0 type bridge; ip -n c link set br0 up
      ip netns exec c sysctl -qw net.ipv6.conf.all.disable_ipv6=1
      for n in a b; do
        ip link add x$n netns $n type veth peer name p$n netns c
        ip -n c link set p$n master br0 up; ip -n $n link set x$n up
      done
      ip -n a addr add 10.0.2.1/24 dev xa; ip -n b addr add 10.0.2.2/24 dev xb
      ip netns exec a ping -c 1 -W 5 10.0.2.2`);
  },
  clean: (lab) => {
    lab.run('ip netns del c');
  },
  traffic: 'ping -c 1 -W 5 10.0.2.2',
  ours: echoes,
  least: 20,
});

/** A short connection: handshake, a line each way, and its end. */
export const tcpOracle = held({
  name: 'tcp oracle',
  prepare: async (lab) => {
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.background('ip netns exec b busybox nc -l -p 7000 -e /bin/echo hello');
    await until('nc listens', 10_000, () =>
      lab.run('ip netns exec b ss -ltn').includes(':7000') ? true : undefined,
    );
  },
  traffic: 'echo hello | busybox nc 10.0.0.2 7000',
  ours: (paths) => paths.filter(({ flow }) => flow?.transport === 'tcp'),
  least: 100,
});
