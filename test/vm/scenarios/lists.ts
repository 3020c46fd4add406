import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../lab.ts';
import {
  assertLossless,
  assertNested,
  assertSound,
  type Scenario,
  type SeenCall,
  type SeenPath,
} from '../scenario.ts';

const PACKETS = 6;
const LIST_MEMBERS = 2;

/** Packets leave `a` in bursts, so that the receiver's NAPI finds several at once and hands them on as a list. */
const burst = (lab: Lab): string => {
  lab.run(`ip netns exec b ethtool -K vb gro on; ip netns exec a ethtool -K va tso off
    ip netns exec a ping -c 1 -W 5 10.0.0.2
    tc -n a qdisc add dev va root netem slot 500ms 500ms`);
  return `ip netns exec a ping -c ${PACKETS} -l ${PACKETS} -W 5 10.0.0.2`;
};

const requestsOf = (paths: readonly SeenPath[]): SeenPath[] =>
  paths.filter(({ flow }) => flow?.detail.startsWith('echo request') === true);

const callsOf = (path: SeenPath, func: string): readonly SeenCall[] =>
  path.lives.flatMap((life) => life.calls).filter((call) => call.func === func);

/** When a call ran, since 1970. */
const spanOf = (path: SeenPath, call: SeenCall): readonly [bigint, bigint] => {
  const begin = BigInt(path.start_time_ns) + BigInt(call.offset_ns);
  return [begin, begin + BigInt(call.duration_ns ?? 0)];
};

/** How many of the packets were in the fullest call of a function: those whose calls ran at the same time. */
function fullest(paths: readonly SeenPath[], func: string): number {
  const spans = paths.flatMap((path) => callsOf(path, func).map((call) => spanOf(path, call)));
  return Math.max(
    0,
    ...spans.map(([begin, end]) => spans.filter(([from, to]) => from <= end && to >= begin).length),
  );
}

/** Of several packets in one call on their list each has that call on its path, with what it did to this packet inside. */
export const lists: Scenario = {
  name: 'lists',
  async act(lab) {
    const traffic = burst(lab);
    const trace = await lab.trace();
    lab.run(traffic);
    await sleep(200);
    lab.record('status', (await trace.stop()).status);
  },
  check({ paths, fact, summary, note }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const requests = requestsOf(paths);
    assert.equal(requests.length, PACKETS);
    for (const path of requests) {
      assertSound(path);
      assert.equal(callsOf(path, 'ip_rcv').length, 0, 'none came alone');
      assertNested(path, 'ip_local_deliver', ['ip_sublist_rcv', 'ip_list_rcv']);
      assertNested(path, 'ip_list_rcv', ['netif_receive_skb_list_internal']);
    }
    const members = fullest(requests, 'ip_list_rcv');
    note(`up to ${members} packets in one list`);
    assert.ok(members > LIST_MEMBERS, `${members} packets in one list`);
  },
};

/** With room for fewer members each call beyond is counted, and missing from the path of the packet that it was on. */
export const longLists: Scenario = {
  name: 'long lists',
  async act(lab) {
    const { startTracing } = await import('../../../src/collector/tracing.ts');
    const { backendNames } = await import('../../../src/collector/backend.ts');
    const traffic = burst(lab);
    const gaps: number[] = [];
    const tracing = await startTracing({
      backend: backendNames.find((name) => name === lab.backend),
      functions: lab.filter,
      netns: undefined,
      ringBytes: 16 * 1024 * 1024,
      snaplenBytes: 96,
      exits: true,
      maps: { listMembers: LIST_MEMBERS },
      onProgress: () => undefined,
      onPaths: (paths) => {
        for (const { losses } of paths)
          gaps.push(losses.reduce((sum, loss) => sum + ('count' in loss ? loss.count : 0), 0));
      },
      onError: (error) => {
        throw error;
      },
    });
    try {
      await lab.finished(traffic);
      const { losses } = await tracing.stop();
      lab.record('losses', Object.fromEntries([...losses].filter(([, count]) => count > 0)));
      lab.record('gaps', gaps);
    } finally {
      await tracing.stop();
    }
  },
  check({ fact, note }) {
    const { list_members: counted = 0, ...others } = fact('losses') as Record<string, number>;
    const gaps = fact('gaps') as number[];
    note(`${counted} calls beyond the first ${LIST_MEMBERS} of a list`);
    assert.deepEqual(others, {});
    assert.ok(counted > 0, 'else this proves nothing');
    assert.equal(
      gaps.reduce((sum, count) => sum + count, 0),
      counted,
      'the paths miss what was counted',
    );
  },
};
