import assert from 'node:assert/strict';
import { counted, fillMap, ownCounts, programsObject, said } from '../programs.ts';
import { assertLossless, assertSound, type Scenario } from '../scenario.ts';
import type { SeenStory } from '../story.ts';

const PINGS = 3;
const BIG_BYTES = 1200;
const PROGRAM = 'xdp:xdp_sends_big_packets_elsewhere';
/** How the program is attached, in this order. */
const modes = ['xdpdrv', 'xdpgeneric'] as const;

interface Link {
  readonly ifindex: number;
}

/** XDP_REDIRECT to a device that is down: the kernel refuses, after the program has said where to. The packet went nowhere. */
export const refusedRedirects: Scenario = {
  name: 'refused XDP redirects',
  async act(lab) {
    lab.run(`ip netns add c; ip link add vx netns b type veth peer name vc netns c
      ip -n b link set vx down; ip netns exec a ping -q -c 1 -W 5 10.0.0.2`);
    try {
      const [vx] = JSON.parse(lab.run('ip -n b -j link show vx')) as [Link];
      const trace = await lab.trace(['icmp']);
      for (const [index, mode] of modes.entries()) {
        lab.run(`ip -n b link set dev vb ${mode} obj ${programsObject} sec xdp_redirect`);
        await said(lab, ' was loaded', index + 1);
        fillMap(lab, 'elsewhere', 0, vx.ifindex);
        lab.run(
          `ip netns exec a ping -q -c ${PINGS} -i 0.05 -W 1 -s ${BIG_BYTES} 10.0.0.2 || true`,
        );
        lab.record(`counted-${index}`, ownCounts(lab));
        lab.run(`ip -n b link set dev vb ${mode} off`);
        await said(lab, ' was removed', index + 1);
      }
      lab.record('status', (await trace.stop()).status);
    } finally {
      lab.run('ip netns del c');
    }
  },
  check(evidence) {
    const { fact, release, summary } = evidence;
    // Newer ones ask first whether the device takes frames, which a veth that is down does not.
    const error = release.startsWith('6.1.') ? 'ENETDOWN' : 'EOPNOTSUPP';
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const paths = evidence.paths as unknown as readonly SeenStory[];
    assert.equal(paths.length, modes.length * PINGS, 'a path for each ping');
    for (const [index, mode] of modes.entries()) {
      assert.equal((fact(`counted-${index}`) as number[])[counted.xdpRedirect], PINGS, mode);
      for (const path of paths.slice(index * PINGS, (index + 1) * PINGS)) {
        assertSound(path);
        const programs = path.lives.flatMap(({ calls }) => calls.filter((c) => c.kind === 'xdp'));
        assert.deepEqual(
          programs.map(({ func, verdict }) => [func, verdict]),
          [[PROGRAM, 'XDP_REDIRECT']],
          mode,
        );
        const { outcome, lives } = path;
        assert.equal(outcome.kind, 'dropped', `${mode}: ${JSON.stringify(outcome)}`);
        const end = lives[outcome.life]?.end;
        if (mode === 'xdpgeneric') continue; // The skb's own drop, in the kernel's words.
        assert.equal(end?.reason, `XDP_REDIRECT_ERR (${error})`);
        assert.equal(end.program, PROGRAM);
      }
    }
  },
};
