import assert from 'node:assert/strict';
import {
  assertLossless,
  assertSound,
  onlyPath,
  type Scenario,
  type SeenLife,
} from '../scenario.ts';
import { routed } from './fragments.ts';

/**
 * What the backend `tracepoint` links by trampolines: a router cuts a ping into fragments, which are put together again, and the
 * answer is cloned for the socket that reads it. Each is one path.
 */
export const links: Scenario = {
  name: 'links by trampolines',
  act: (lab) => routed.act(lab),
  check({ paths, fact, summary }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const icmp = paths.filter(({ flow }) => flow?.transport === 'icmp');
    const [request, reply] = ['echo request', 'echo reply'].map((detail) =>
      onlyPath(icmp, detail, (flow) => flow.detail.startsWith(detail)),
    );
    assert.ok(request !== undefined && reply !== undefined);
    assert.equal(icmp.length, 2, 'no part is a path by itself');
    const from = (lives: readonly SeenLife[], operation: string): SeenLife[] =>
      lives.filter(({ parent }) => parent?.operation === operation);
    for (const path of [request, reply]) {
      assertSound(path);
      const parts = from(path.lives, 'fragment');
      // Who answers makes its parts before a tracepoint sees any of them; they are one packet when they are put together.
      assert.equal(parts.length, path === request ? 3 : 0, '1408 bytes in parts of 576');
      assert.ok(parts.every(({ parent }) => parent?.life === 0));
      const joined = path.lives.filter((life) => life.merged_into?.operation === 'reassembly');
      assert.equal(joined.length, 2, 'put together again');
    }
    const read = from(reply.lives, 'clone').filter(({ calls }) =>
      calls.some(({ func }) => func === 'skb:skb_copy_datagram_iovec'),
    );
    assert.equal(read.length, 1, 'the clone for the socket was read');
  },
};
