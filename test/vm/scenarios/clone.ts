import assert from 'node:assert/strict';
import { until } from '../lab.ts';
import { assertLossless, assertSound, functionsOf, onlyPath, type Scenario } from '../scenario.ts';

/** tcpdump on the sending device: what leaves is cloned for it, and the clone hangs on the packet that left. */
export const clone: Scenario = {
  name: 'clone',
  async act(lab) {
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.background('ip netns exec a tcpdump -Z root -n -i va -w /tmp/capture icmp');
    await until('tcpdump has its socket', 10_000, () =>
      lab.run('ip netns exec a cat /proc/net/packet').trim().split('\n').length > 1
        ? true
        : undefined,
    );
    const trace = await lab.trace();
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.record('status', (await trace.stop()).status);
  },
  check({ paths, fact, summary }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const request = onlyPath(paths, 'echo request', (flow) =>
      flow.detail.startsWith('echo request'),
    );
    assertSound(request);
    const cloned = request.lives.filter((life) => life.parent?.operation === 'clone');
    assert.equal(cloned.length, 1, `clones in ${functionsOf(request).join(' ')}`);
    const parent = cloned[0]?.parent;
    assert.equal(parent?.life, 0, 'cloned from the packet itself');
    const maker = request.lives[0]?.calls[parent.call]?.func;
    assert.equal(maker, 'skb_clone');
    const names = cloned[0]?.calls.map((call) => call.func) ?? [];
    assert.ok(
      names.some((name) => /^t?packet_rcv$/.test(name)),
      `the clone went through ${names.join(' ')}`,
    );
    assert.ok(!names.includes('veth_xmit'), 'the clone was not sent');
    assert.ok(
      request.lives[0]?.calls.some((call) => call.func === 'icmp_rcv'),
      'the packet arrived',
    );
  },
};
