import assert from 'node:assert/strict';
import type { Lab } from '../lab.ts';
import {
  assertLossless,
  assertSound,
  functionsOf,
  onlyPath,
  type Scenario,
  type SeenLife,
  type SeenPath,
} from '../scenario.ts';

const BYTES = 4000;
/** 4000 bytes of data and 8 of ICMP, 1480 in each but the last. */
const FRAGMENTS = 3;

/** The lives that were made by an operation. */
const madeBy = (path: SeenPath, operation: string): readonly SeenLife[] =>
  path.lives.filter((life) => life.parent?.operation === operation);

/** Name of the function that made a life; undefined if the trace did not ask for it. */
function maker(path: SeenPath, { parent }: SeenLife): string | undefined {
  return path.lives[parent?.life ?? -1]?.calls[parent?.call ?? -1]?.func;
}

const runs = (path: SeenPath, func: string): number =>
  functionsOf(path).filter((name) => name === func).length;

function enableIpv6(lab: Lab): void {
  lab.run(`for n in a b; do
      ip netns exec $n sysctl -qw net.ipv6.conf.v$n.disable_ipv6=0
      ip netns exec $n sysctl -qw net.ipv6.conf.v$n.accept_dad=0
    done
    ip -n a addr add fd00::1/64 dev va nodad; ip -n b addr add fd00::2/64 dev vb nodad`);
}

/**
 * A ping too big for the device, over IPv4 and IPv6: the sender's list of skbs goes out as fragments of one packet, and the
 * receiver puts them together again. The fragment that came last gets the first one's content (skb_morph) and goes on.
 */
export const fragments: Scenario = {
  name: 'fragments',
  async act(lab) {
    enableIpv6(lab);
    lab.run(`ip netns exec a ping -c 1 -W 5 10.0.0.2; ip netns exec a ping -c 1 -W 5 fd00::2`);
    const trace = await lab.trace();
    lab.run(`ip netns exec a ping -c 1 -W 5 -s ${BYTES} 10.0.0.2
      ip netns exec a ping -c 1 -W 5 -s ${BYTES} fd00::2`);
    lab.record('status', (await trace.stop()).status);
    lab.record('wants', { fragment: lab.wants('ip_do_fragment') });
  },
  check({ paths, fact, summary }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const { fragment: isWanted } = fact('wants') as { fragment: boolean };
    for (const [transport, input, cut, deliver] of [
      ['icmp', 'ip_rcv', 'ip_do_fragment', 'icmp_rcv'],
      ['icmpv6', 'ipv6_rcv', 'ip6_fragment', 'icmpv6_rcv'],
    ] as const) {
      for (const way of ['echo request', 'echo reply']) {
        const path = onlyPath(
          paths,
          `${transport} ${way}`,
          (flow) => flow.transport === transport && flow.detail.startsWith(way),
        );
        assertSound(path);
        const parts = madeBy(path, 'fragment');
        assert.equal(parts.length, FRAGMENTS - 1, `${way}: further fragments`);
        for (const part of parts) {
          assert.equal(part.parent?.life, 0);
          if (isWanted) assert.equal(maker(path, part), cut);
        }
        const joined = path.lives.filter((life) => life.merged_into !== null);
        assert.equal(joined.length, FRAGMENTS - 1, `${way}: put together`);
        for (const life of joined) assert.equal(life.merged_into?.operation, 'reassembly');
        const [whole, ...others] = madeBy(path, 'morph');
        assert.deepEqual(others, [], 'one packet comes out');
        assert.ok(whole?.parent?.life === 0, 'it has the content of the first fragment');
        assert.equal(
          path.lives.find((life) => life.skb === whole.skb && life !== whole)?.end?.how,
          'morphed',
        );
        assert.equal(runs(path, 'veth_xmit'), FRAGMENTS);
        // A reply that the kernel has no use for itself is dropped as a whole: NO_SOCKET, on 6.1 for no reason (icmpv6_rcv).
        const drops = path.lives.filter((life) => life !== whole && life.end?.how === 'dropped');
        assert.deepEqual(
          drops.map((life) => life.end),
          [],
          'the fragments were not dropped',
        );
        if (isWanted || transport === 'icmp') {
          assert.equal(runs(path, input), FRAGMENTS, `${way}: ${input}`);
          assert.equal(runs(path, deliver), 1, `${way}: ${deliver}`);
          assert.ok(
            whole.calls.some((call) => call.func === deliver),
            'the whole is delivered',
          );
        }
      }
    }
  },
};

/** A router's next device takes less: it copies the packet's parts into new skbs (no frag list to send). */
export const routed: Scenario = {
  name: 'routed fragments',
  async act(lab) {
    lab.run(`ip netns add c
      ip link add vd netns b type veth peer name vc netns c
      ip -n b addr add 10.0.1.1/24 dev vd; ip -n c addr add 10.0.1.2/24 dev vc
      ip -n b link set vd up mtu 600; ip -n c link set vc up mtu 600
      ip netns exec b sysctl -qw net.ipv4.ip_forward=1
      ip -n a route add 10.0.1.0/24 via 10.0.0.2; ip -n c route add 10.0.0.0/24 via 10.0.1.1`);
    try {
      lab.run('ip netns exec a ping -c 1 -W 5 10.0.1.2');
      const trace = await lab.trace();
      lab.run('ip netns exec a ping -c 1 -W 5 -M dont -s 1400 10.0.1.2');
      lab.record('status', (await trace.stop()).status);
      lab.record('wants', { fragment: lab.wants('ip_frag_next') });
    } finally {
      lab.run('ip netns del c');
    }
  },
  check({ paths, fact, summary }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const request = onlyPath(paths, 'echo request', (flow) =>
      flow.detail.startsWith('echo request'),
    );
    assertSound(request);
    const parts = madeBy(request, 'fragment');
    // 1408 bytes in parts of 576, all of them new.
    assert.equal(parts.length, 3, functionsOf(request).join(' '));
    assert.ok(parts.every((part) => part.parent?.life === 0));
    if ((fact('wants') as { fragment: boolean }).fragment)
      assert.deepEqual([...new Set(parts.map((part) => maker(request, part)))], ['ip_frag_next']);
    assert.equal(runs(request, 'veth_xmit'), 4, 'once whole, three times in parts');
    assert.equal(runs(request, 'icmp_rcv'), 1);
    assert.equal(
      request.lives.filter((life) => life.merged_into?.operation === 'reassembly').length,
      2,
    );
    assert.equal(request.lives[0]?.end?.how, 'consumed', 'the whole ends when its parts are made');
  },
};
