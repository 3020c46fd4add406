import assert from 'node:assert/strict';
import { openBpfObject } from '../../../src/ffi/libbpf.ts';
import { attachTracing } from '../../../src/ffi/links.ts';
import { assertLossless, assertSound, ancestors, onlyPath, type Scenario } from '../scenario.ts';

/** Where the guest finds what the host compiled from map-user.bpf.c. */
export const mapUserObject = new URL('../../../build/map-user.bpf.o', import.meta.url).pathname;

const options = [
  ...['--filter-non-skb-funcs', 'fib_table_lookup', '--output-bpfmap'],
  ...['--output-caller', '--output-stack', '--output-skb', '--output-skb-cb'],
  ...['--output-skb-shared-info', '--output-skb-metadata', 'skb->len,skb->dev->ifindex'],
];

/** All that can be told of a call; functions without an skb, and maps of somebody else's BPF program, belong to the packet. */
export const details: Scenario = {
  name: 'details',
  async act(lab) {
    const object = openBpfObject(mapUserObject, {});
    object.load();
    const link = attachTracing(object.program('note_packet'));
    try {
      const trace = await lab.trace([...options, 'icmp']);
      lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
      lab.record('status', (await trace.stop()).status);
    } finally {
      link.close();
      object.close();
    }
  },
  check({ backend, paths, summary, fact, note }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    for (const path of paths) assertSound(path);
    const request = onlyPath(paths, 'echo request', (flow) =>
      flow.detail.startsWith('echo request'),
    );
    const calls = request.lives.flatMap((life) => life.calls);
    for (const { func, kind, detail, len } of calls) {
      assert.ok(detail !== null, func);
      const { caller, stack, metadata, skb } = detail;
      assert.equal(metadata?.[0]?.value, String(len), `${func}: skb->len`);
      assert.equal(skb?.len ?? 0, len, `${func}: the whole skb`);
      if (kind !== 'function') continue;
      assert.ok(stack !== null && stack.length > 3, `${func} has a stack`);
      assert.ok(caller !== null && caller.func !== '' && caller.func !== func, `${func}: caller`);
    }
    const callerOf = (func: string): string | undefined =>
      calls.find((call) => call.func === func)?.detail?.caller?.func;
    // Not of functions that may be jumped to: those have their caller's caller.
    assert.match(callerOf('icmp_rcv') ?? '', /^ip_protocol_deliver_rcu/);
    assert.equal(callerOf('icmp_echo'), 'icmp_rcv');

    const lookups = calls.filter(({ func }) => func === 'fib_table_lookup');
    assert.ok(lookups.length > 0, 'routing looks up for the packet');
    for (const lookup of lookups) {
      assert.ok(
        ancestors(request, lookup).some(({ func }) => func.startsWith('ip_')),
        'inside of a call on the packet',
      );
      assert.ok(lookup.detail?.stack?.some(({ func }) => func.startsWith('ip_')));
    }
    const maps = calls.flatMap(({ func, detail }) =>
      detail?.map == null ? [] : [{ func, ...detail.map }],
    );
    note(`${backend}: ${maps.map(({ func }) => func).join(' ')}`);
    assert.ok(maps.length >= 3, 'update, lookup and deletion were seen');
    for (const { name, key } of maps) {
      assert.deepEqual([name, key], ['seen_by_test', '04030201']);
    }
    const valueOf = (kind: string): (string | null)[] =>
      maps.filter(({ func }) => func.includes(kind)).map(({ value }) => value);
    assert.ok(valueOf('update').includes('8877665544332211'), 'the value that was written');
    assert.ok(valueOf('lookup').includes('8877665544332211'), 'the value that was found');
    assert.deepEqual([...new Set(valueOf('delete'))], [null]);
  },
};
