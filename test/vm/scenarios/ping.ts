import assert from 'node:assert/strict';
import {
  assertExits,
  assertNested,
  assertLossless,
  assertSound,
  functionsOf,
  onlyPath,
  type Scenario,
} from '../scenario.ts';

/** Ping from a to b: ARP, echo request and reply, each a path from the sender's stack over veth to the receiver's. */
export const ping: Scenario = {
  name: 'ping',
  async act(lab) {
    const trace = await lab.trace();
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    const { status } = await trace.stop();
    lab.record('status', status);
  },
  check({ backend, paths, fact, summary }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const request = onlyPath(paths, 'echo request', (flow) =>
      flow.detail.startsWith('echo request'),
    );
    const replies = paths.filter((path) => path.flow?.detail.startsWith('echo reply'));
    // The ping gets a clone by its raw socket. The backend tracepoint knows that from a trampoline.
    assert.equal(replies.length, 1, 'echo replies');
    const reply = replies[0] ?? request;
    const arp = paths.filter((path) => path.flow?.transport === 'arp');
    assert.deepEqual(
      [request.flow?.source_address, request.flow?.destination_address],
      ['10.0.0.1', '10.0.0.2'],
    );
    assert.deepEqual([request.direction, reply.direction], ['transmit', 'transmit']);
    assert.ok(arp.length >= 2, 'who-has and is-at');
    // The kernel frees the reply itself as a drop: ICMP finds no socket of its own for it.
    const end = reply.lives[0]?.end;
    assert.ok(end?.how === 'consumed' || end?.reason === 'NO_SOCKET', JSON.stringify(end));
    for (const path of [request, ...arp])
      assert.equal(path.lives[0]?.end?.how, 'consumed', JSON.stringify(path.flow));
    for (const path of [request, reply, ...arp]) {
      assertSound(path);
      assert.equal(path.ending, 'ended');
      assert.deepEqual(
        [...new Set(path.lives.flatMap((life) => life.calls.map((call) => call.device.name)))]
          .filter((name) => name !== '')
          .sort(),
        ['va', 'vb'],
      );
    }
    const [, clone] = reply.lives;
    assert.equal(clone?.parent?.operation, 'clone');
    assert.equal(clone.end?.how, 'consumed', 'read from the socket');
    if (backend === 'tracepoint') {
      const seen = functionsOf(request);
      for (const name of ['net:net_dev_queue', 'net:net_dev_start_xmit', 'net:netif_rx'])
        assert.ok(seen.includes(name), `${name} is not among ${seen.join(' ')}`);
      return;
    }
    for (const path of [request, reply]) {
      assertExits(path);
      assertNested(path, 'veth_xmit', ['dev_hard_start_xmit', '__dev_queue_xmit', 'ip_output']);
      assertNested(path, 'icmp_rcv', ['ip_local_deliver']);
      const order = [
        'ip_output',
        '__dev_queue_xmit',
        'veth_xmit',
        'ip_rcv',
        'ip_local_deliver',
        'icmp_rcv',
      ];
      assert.deepEqual(
        functionsOf(path).filter((name) => order.includes(name)),
        order,
      );
    }
    for (const path of arp) {
      assertExits(path);
      assertNested(path, 'veth_xmit', ['dev_hard_start_xmit', '__dev_queue_xmit', 'arp_xmit']);
      assertNested(path, 'arp_process', ['arp_rcv']);
    }
  },
};
