import assert from 'node:assert/strict';
import { assertLossless, type Scenario } from '../scenario.ts';

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
