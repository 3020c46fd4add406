import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { assertLossless, assertSound, onlyPath, type Scenario } from '../scenario.ts';

/** --filter-netns: only packets first seen in a, but those to their end in b. */
export const netns: Scenario = {
  name: 'netns',
  async act(lab) {
    lab.record('inode', statSync('/run/netns/a').ino);
    const trace = await lab.trace(['--filter-netns', '/run/netns/a']);
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.record('status', (await trace.stop()).status);
  },
  check({ paths, fact, summary }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const inode = fact('inode') as number;
    const request = onlyPath(paths, 'echo request', (flow) =>
      flow.detail.startsWith('echo request'),
    );
    for (const path of paths) {
      assertSound(path);
      assert.equal(path.lives[0]?.calls[0]?.device.netns, inode, `path ${path.id} began elsewhere`);
    }
    const spaces = new Set(request.lives[0]?.calls.map((call) => call.device.netns));
    assert.equal(spaces.size, 2, 'followed into the other namespace');
    // The reply is not seen before it comes in from b.
    const reply = onlyPath(paths, 'echo reply', (flow) => flow.detail.startsWith('echo reply'));
    const places = reply.lives.flatMap((life) => life.calls.map((call) => call.device.netns));
    assert.deepEqual([...new Set(places)], [inode]);
  },
};
