import assert from 'node:assert/strict';
import { assertLossless, functionsOf, type Scenario } from '../scenario.ts';

/** A real VXLAN tunnel: the filters look at the packet inside of it, and its addresses are told. */
export const tunnel: Scenario = {
  name: 'tunnel',
  async act(lab) {
    lab.run(`modprobe vxlan
      ip -n a link add vx0 type vxlan id 7 dev va remote 10.0.0.2 dstport 4789
      ip -n b link add vx0 type vxlan id 7 dev vb remote 10.0.0.1 dstport 4789
      ip -n a addr add 10.7.0.1/24 dev vx0; ip -n b addr add 10.7.0.2/24 dev vx0
      ip -n a link set vx0 up; ip -n b link set vx0 up`);
    const inner = [
      ...['--filter-tunnel-pcap-l2', 'ether proto 0x0800 and icmp'],
      ...['--filter-tunnel-pcap-l3', 'dst host 10.7.0.2', '--output-tunnel'],
    ];
    const trace = await lab.trace(inner);
    lab.run('ip netns exec a ping -c 2 -i 0.2 -W 5 10.0.0.2');
    lab.run('ip netns exec a ping -c 3 -i 0.2 -W 5 10.7.0.2');
    lab.record('status', (await trace.stop()).status);
  },
  check({ paths, summary, fact }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    // The requests; no replies, and nothing of the ping outside.
    assert.equal(paths.length, 3);
    for (const path of paths) {
      // Followed from the moment at which the packet goes into the tunnel, before or after it has the outer header.
      const first = `${path.flow?.transport} ${path.flow?.destination_address}`;
      assert.ok(['udp 10.0.0.2', 'icmp 10.7.0.2'].includes(first), first);
      const inside = path.lives
        .flatMap(({ calls }) => calls)
        .flatMap(({ detail }) => detail?.tunnel ?? []);
      assert.ok(inside.length > 0, 'the packet in the tunnel is told');
      for (const flow of inside) {
        const { transport, source_address: from, destination_address: to } = flow;
        assert.deepEqual([transport, from, to], ['icmp', '10.7.0.1', '10.7.0.2']);
      }
    }
  },
};

/**
 * What is forwarded to a device without Ethernet headers has the one of the device it came by still before it. It does not count: the
 * packet begins with IP, so its length for a filter is that of the IP packet.
 */
export const forwarded: Scenario = {
  name: 'forwarded to a tunnel',
  async act(lab) {
    lab.run(`modprobe ipip
      ip -n b link add tl0 type ipip local 10.0.0.2 remote 10.0.0.1
      ip -n b addr add 10.9.0.2/32 dev tl0; ip -n b link set tl0 up
      ip -n b route add 10.9.0.1 dev tl0; ip -n a route add 10.9.0.1 via 10.0.0.2
      ip netns exec b sysctl -qw net.ipv4.ip_forward=1`);
    const trace = await lab.trace(['--filter-ifname', 'tl0', 'icmp and len == 84']);
    // Nobody answers: of the tunnel's two ends there is one.
    lab.run('ip netns exec a ping -c 3 -i 0.2 -W 1 10.9.0.1 || true');
    lab.record('status', (await trace.stop()).status);
    lab.run('ip -n a route del 10.9.0.1; ip -n b link del tl0');
  },
  check({ paths, summary, fact }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    assert.equal(paths.length, 3);
    for (const path of paths) {
      assert.equal(path.flow?.destination_address, '10.9.0.1');
      // Known before the device is about to send it, and has set the old header aside; what comes later may be the outer packet.
      const functions = functionsOf(path);
      const sent = functions.indexOf('dev_hard_start_xmit');
      assert.notEqual(sent, -1);
      assert.ok(functions.slice(0, sent).includes('ip_finish_output2'), functions.join(' '));
    }
  },
};
