import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { until } from '../lab.ts';
import {
  ancestors,
  assertLossless,
  assertSound,
  type Scenario,
  type SeenCall,
} from '../scenario.ts';

const PORT = 7000;

/**
 * The receiver's firewall drops a TCP segment with data once. What TCP keeps is one life, and each time that it is sent is a clone
 * of it: the first is dropped, the one that is sent again arrives. Nothing else is in that path.
 */
export const resend: Scenario = {
  name: 'resend',
  async act(lab) {
    lab.run(`ip netns exec b nft 'add table ip t
      add chain ip t pre { type filter hook prerouting priority 0; }
      add rule ip t pre tcp dport ${PORT} tcp flags & psh == psh limit rate 1/day burst 1 packets counter drop'
      ip netns exec a ping -c 1 -W 5 10.0.0.2`);
    lab.background(`ip netns exec b busybox nc -l -p ${PORT}`);
    await until('nc listens', 10_000, () =>
      lab.run('ip netns exec b ss -ltn').includes(`:${PORT}`) ? true : undefined,
    );
    const trace = await lab.trace();
    lab.run(`(echo once; sleep 3) | ip netns exec a busybox nc 10.0.0.2 ${PORT}`);
    await sleep(200);
    lab.record('rules', lab.run('ip netns exec b nft list chain ip t pre'));
    lab.record('tcp', lab.run('ip netns exec a cat /proc/net/snmp'));
    lab.record('status', (await trace.stop()).status);
    lab.record('wants', { again: lab.wants('__tcp_retransmit_skb') });
  },
  check({ paths, text, fact, summary, note }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    assert.match(text('rules'), /counter packets 1 /, 'one packet was dropped');
    const [names = [], values = []] = text('tcp')
      .split('\n')
      .filter((line) => line.startsWith('Tcp:'))
      .map((line) => line.split(' '));
    const sentAgain = Number(values[names.indexOf('RetransSegs')]);
    const withData = paths.filter(
      ({ flow }) => flow?.destination_port === PORT && flow.tcp_flags?.includes('P') === true,
    );
    assert.equal(withData.length, 1, 'the data is one path');
    const [path] = withData;
    assert.ok(path !== undefined);
    assertSound(path);
    const [kept, ...copies] = path.lives;
    const sent = copies.filter((life) => life.parent?.life === 0);
    note(`sent ${sent.length} times, TCP says ${sentAgain} again`);
    assert.equal(sent.length, 1 + sentAgain);
    assert.equal(copies.length, sent.length);
    const { again } = fact('wants') as { again: boolean };
    for (const [index, life] of sent.entries()) {
      assert.equal(life.parent?.operation, 'clone');
      const maker: SeenCall | undefined = kept?.calls[life.parent.call];
      assert.equal(maker?.func, 'skb_clone');
      const above: readonly string[] = ancestors(path, maker).map(({ func }) => func);
      if (again) assert.equal(above.includes('__tcp_retransmit_skb'), index > 0, above.join(' < '));
      assert.equal(
        life.calls.some(({ func }) => func === 'tcp_v4_rcv'),
        index > 0,
        'only what was sent again arrives',
      );
    }
    assert.deepEqual([sent[0]?.end?.how, sent[0]?.end?.reason], ['dropped', 'NETFILTER_DROP']);
    assert.notEqual(sent[1]?.end?.how, 'dropped');
    assert.equal(kept?.end?.how, 'released', 'acknowledged');
    const numbers = paths.flatMap((one) => one.lives.map(({ id }) => id));
    assert.equal(new Set(numbers).size, numbers.length, 'no life is in two paths');
  },
};
