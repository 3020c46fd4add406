import assert from 'node:assert/strict';
import { assertLossless, assertSound, onlyPath, type Scenario } from '../scenario.ts';

/** nftables duplicates an arriving ping to another host: a copy with data of its own (pskb_copy), which goes out again. */
export const copy: Scenario = {
  name: 'copy',
  async act(lab) {
    lab.run(`ip -n b neigh add 10.0.0.9 lladdr 02:00:00:00:00:09 dev vb
      ip netns exec b nft 'add table ip t
      add chain ip t pre { type filter hook prerouting priority 0; }
      add rule ip t pre icmp type echo-request dup to 10.0.0.9'`);
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    const trace = await lab.trace();
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.record('status', (await trace.stop()).status);
    lab.record('wants', { copy: lab.wants('skb_copy_header') });
  },
  check({ paths, fact, summary }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const request = onlyPath(paths, 'echo request', (flow) =>
      flow.detail.startsWith('echo request'),
    );
    assertSound(request);
    const copies = request.lives.filter((life) => life.parent?.operation === 'copy');
    assert.equal(copies.length, 1);
    assert.equal(copies[0]?.parent?.life, 0);
    const names = copies[0].calls.map((call) => call.func);
    assert.ok(names.includes('veth_xmit'), `the copy was sent: ${names.join(' ')}`);
    if ((fact('wants') as { copy: boolean }).copy) {
      const maker = request.lives[0]?.calls[copies[0].parent.call];
      assert.equal(maker?.func, 'skb_copy_header');
    }
  },
};
