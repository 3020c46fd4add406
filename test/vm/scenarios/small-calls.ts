import assert from 'node:assert/strict';
import { assertNested, functionsOf, type Scenario } from '../scenario.ts';

const CALLS = 8;

/** The table of open calls is too small on purpose: each exit that finds no call is counted, and that call is shown without an end. */
export const smallCalls: Scenario = {
  name: 'small calls',
  async act(lab) {
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    const trace = await lab.trace(['--max-calls', String(CALLS)]);
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.record('status', (await trace.stop()).status);
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
    assert.equal(open.filter(({ func }) => func === 'skb_clone').length, links);
    // What was matched is right; a clone that was not linked is a path of its own.
    const echoes = paths.filter(({ flow }) => flow?.detail.startsWith('echo ') === true);
    const sent = echoes.filter((path) => functionsOf(path).includes('ip_output'));
    assert.deepEqual([sent.length, echoes.length], [2, 2 + links]);
    for (const path of sent) assertNested(path, 'ip_finish_output2', ['ip_output']);
  },
};
