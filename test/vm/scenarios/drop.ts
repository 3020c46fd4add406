import assert from 'node:assert/strict';
import { assertLossless, assertSound, onlyPath, type Scenario } from '../scenario.ts';

/** A firewall rule in b drops pings: the path ends with the reason, and where. */
export const drop: Scenario = {
  name: 'drop',
  async act(lab) {
    lab.run(`ip netns exec b nft 'add table ip t
      add chain ip t in { type filter hook input priority 0; }
      add rule ip t in icmp type echo-request counter drop'`);
    const trace = await lab.trace();
    lab.run('ip netns exec a ping -c 1 -W 1 10.0.0.2 || true');
    lab.record('status', (await trace.stop()).status);
    lab.record('rules', lab.run('ip netns exec b nft list ruleset'));
  },
  check({ backend, release, paths, fact, summary, text }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    assert.match(text('rules'), /counter packets 1 /, 'the rule dropped the packet');
    const request = onlyPath(paths, 'echo request', (flow) =>
      flow.detail.startsWith('echo request'),
    );
    assertSound(request);
    const end = request.lives[0]?.end;
    assert.equal(end?.how, 'dropped');
    assert.equal(end.reason, 'NETFILTER_DROP');
    // From 6.9 on nf_tables frees what it drops itself, to tell the place.
    const place = release.startsWith('6.1.') ? 'nf_hook_slow' : 'nft_do_chain';
    assert.equal(end.location?.func, place);
    assert.ok(end.location.offset > 0);
    assert.equal(
      paths.some((path) => path.flow?.detail.startsWith('echo reply')),
      false,
    );
    const names = request.lives[0]?.calls.map((call) => call.func) ?? [];
    assert.equal(names.includes('icmp_rcv'), false, 'ended before ICMP');
    if (backend !== 'tracepoint') assert.ok(names.includes('nf_hook_slow'), names.join(' '));
    assert.match(text('skbspan.log'), /NETFILTER_DROP/, 'the summary tells drops by reason');
  },
};
