import assert from 'node:assert/strict';
import { assertNested, functionsOf, type Scenario } from '../scenario.ts';
import { undisturbed } from '../undisturbed.ts';

/** Where calls find a place depends on the addresses of their frames: with one place, and one entry beside it, little is left to luck. */
const CALLS = 1;

/** The table of open calls is too small on purpose: each exit that finds no call is counted, and that call is shown without an end. */
export const smallCalls: Scenario = {
  name: 'small calls',
  async act(lab) {
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    await undisturbed(lab, async () => {
      const trace = await lab.trace(['--max-calls', String(CALLS)]);
      lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
      lab.record('status', (await trace.stop()).status);
    });
  },
  check({ paths, fact, summary, note }) {
    assert.equal(fact('status'), 0);
    const lost = Object.entries(summary.losses).filter(([, count]) => count > 0);
    const { calls_full: counted = 0, links = 0, ...others } = Object.fromEntries(lost);
    assert.deepEqual(others, {});
    const calls = paths.flatMap((path) => path.lives.flatMap((life) => life.calls));
    const open = calls.filter(({ timing }) => timing === 'unfinished');
    note(`${counted} of ${calls.length} exits not matched, ${links} clones not linked`);
    assert.equal(open.length, counted);
    assert.ok(counted > 10 && counted < calls.length, 'else this proves nothing');
    const unlinked = open.filter(({ func }) => func === 'skb_clone');
    assert.equal(unlinked.length, links);
    // What was matched is right; a clone that was not linked is a path of its own. A slow machine also asks by ARP once more.
    const echoes = paths.filter(({ flow }) => flow?.detail.startsWith('echo ') === true);
    const sent = echoes.filter((path) => functionsOf(path).includes('ip_output'));
    const ofEchoes = echoes
      .flatMap(({ lives }) => lives.flatMap((life) => life.calls))
      .filter((call) => unlinked.includes(call));
    assert.deepEqual([sent.length, echoes.length], [2, 2 + ofEchoes.length]);
    for (const path of sent) assertNested(path, 'ip_finish_output2', ['ip_output']);
  },
};
