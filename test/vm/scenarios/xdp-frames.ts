import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { type Lab, until } from '../lab.ts';
import { counted, fillMap, ownCounts, programsObject, said } from '../programs.ts';
import {
  assertLossless,
  assertSound,
  type Evidence,
  type Scenario,
  type SeenCall,
  type SeenPath,
} from '../scenario.ts';
import type { SeenStory } from '../story.ts';

/** A third namespace: vx in b leads to vc in c, which takes frames without a program of its own. */
const network = `ip netns add c; ip link add vx netns b type veth peer name vc netns c
  ip netns exec c sysctl -qw net.ipv6.conf.all.disable_ipv6=1
  ip -n b link set vx up; ip -n c link set vc up; ip netns exec c ethtool -K vc gro on`;

interface Link {
  readonly ifindex: number;
  readonly address: string;
}

function linkOf(lab: Lab, netns: string, device: string): Link {
  const [link] = JSON.parse(lab.run(`ip -n ${netns} -j link show ${device}`)) as Link[];
  if (link === undefined) throw new Error(`no device ${device} in ${netns}`);
  return link;
}

const attach = (lab: Lab, section: string): string =>
  lab.run(`ip -n b link set dev vb xdp obj ${programsObject} sec ${section}`);

const callsOf = (path: SeenPath): SeenCall[] => path.lives.flatMap((life) => life.calls);

/** The call of the program with this verdict; fails if the path has none or several. */
function decision(path: SeenPath, func: string, verdict: string): SeenCall {
  const programs = callsOf(path).filter(({ kind }) => kind === 'xdp');
  assert.deepEqual(
    programs.map((call) => [call.func, call.verdict]),
    [[func, verdict]],
    `path ${path.id}`,
  );
  return programs[0] as SeenCall;
}

/** The life that began as the frame which this call sent on. */
function childOf(path: SeenPath, call: SeenCall, backend: string): SeenPath['lives'][number] {
  const child = path.lives.find(({ parent }) => parent?.operation === 'xdp');
  assert.ok(child !== undefined, `path ${path.id}: the frame was lost`);
  const from = path.lives[child.parent?.life ?? -1]?.calls[child.parent?.call ?? -1];
  assert.equal(from, call, `path ${path.id} (${backend}): child of the program's call`);
  return child;
}

const PORT = 5020;
const SENT = 5;
const DATA_BYTES = 1200;
const OTHER_CPU = 1;
/** Frames that a CPU's queue takes. */
const QUEUE = 192;

/** How frames are redirected, and the namespace where the socket is that gets them. */
const ways = [
  { section: 'xdp_cpumap', func: 'xdp:xdp_hands_big_packets_to_cpu_1', netns: 'b', device: 'vb' },
  {
    section: 'xdp_redirect',
    func: 'xdp:xdp_sends_big_packets_elsewhere',
    netns: 'c',
    device: 'vc',
  },
] as const;

/** XDP_REDIRECT to another CPU and to another device: one path from the sender over the frame to the socket. */
export const redirects: Scenario = {
  name: 'XDP redirects',
  async act(lab) {
    // Who sends frames on sends no half-made checksums: those are the skb's, which is gone by then.
    lab.run(`${network}; ip netns exec a ethtool -K va tx off`);
    try {
      lab.run(`ip -n c link set vc address ${linkOf(lab, 'b', 'vb').address}
        ip -n c addr add 10.0.0.2/24 dev vc; ip netns exec a ping -q -c 1 -W 5 10.0.0.2`);
      for (const { netns } of ways) {
        const ready = join(lab.folder, `server-${netns}`);
        lab.background(`ip netns exec ${netns} node test/vm/udp-peer.ts serve ${PORT} 0 ${ready}`);
        await until(`the server in ${netns} listens`, 60_000, () => existsSync(ready) || undefined);
      }
      const trace = await lab.trace([`udp port ${PORT}`]);
      for (const [index, { section }] of ways.entries()) {
        attach(lab, section);
        await said(lab, ' was loaded', index + 1);
        if (section === 'xdp_cpumap') fillMap(lab, 'other_cpu', OTHER_CPU, QUEUE);
        else fillMap(lab, 'elsewhere', 0, linkOf(lab, 'b', 'vx').ifindex);
        const target = `10.0.0.2:${PORT}:64:${DATA_BYTES}`;
        lab.run(`ip netns exec a node test/vm/udp-peer.ts send ${SENT} ${target}`);
        lab.record(`counted-${index}`, ownCounts(lab));
        lab.run('ip -n b link set dev vb xdp off');
        await said(lab, ' was removed', index + 1);
      }
      lab.record('status', (await trace.stop()).status);
    } finally {
      lab.run('ip netns del c');
    }
  },
  check(evidence) {
    const { backend, fact, summary } = evidence;
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    // From 6.18 on another CPU frees what was read, at some time: when nothing was heard for three seconds, in a second part.
    const paths = (evidence.paths as unknown as readonly SeenStory[]).filter(
      ({ losses }) => !losses.some((loss) => (loss as { cause: string }).cause === 'continued'),
    );
    assert.equal(paths.length, ways.length * SENT, 'a path for each datagram');
    for (const [index, { func, device }] of ways.entries()) {
      assert.equal((fact(`counted-${index}`) as number[])[counted.xdpRedirect], SENT, func);
      const of = paths.filter((path) => callsOf(path).some((call) => call.func === func));
      assert.equal(of.length, SENT, func);
      for (const path of of) {
        assertSound(path);
        assert.equal(path.direction, 'transmit', 'it begins where the sender made the packet');
        const child = childOf(path, decision(path, func, 'XDP_REDIRECT'), backend);
        // What was read may wait for another CPU to free it.
        for (const life of path.lives) if (life !== child) assert.ok(life.end !== null);
        const first = child.calls.find((call) => call.device.name !== '');
        assert.equal(first?.device.name, device, func);
        if (device === 'vb') assert.equal(first.cpu, OTHER_CPU, 'where the program sent it');
        const { outcome, lives } = path;
        // By tracepoints: 6.1 does not say who frees what, and from 6.18 on UDP's reader frees where none is.
        if (backend === 'tracepoint' && !evidence.release.startsWith('6.12.')) {
          assert.match(outcome.kind, /^(?:consumed|unknown)$/);
          continue;
        }
        assert.equal(outcome.kind, 'delivered', JSON.stringify(outcome));
        assert.equal(lives[outcome.life], child, 'what was delivered was the frame');
        assert.equal(outcome.device?.name, device);
      }
    }
  },
};

const JUMBO_MTU = 9000;
const JUMBO_PINGS = 2;
const HEADER_BYTES = 14 + 20 + 8;
const jumboProgram = 'xdp:xdp_judges_jumbo_frames';
const verdicts = [
  { bytes: 5000, verdict: 'XDP_PASS' },
  { bytes: 7000, verdict: 'XDP_DROP' },
  { bytes: 8500, verdict: 'XDP_REDIRECT' },
] as const;

/** Frames of several buffers: their whole length, and joined as others are. */
export const jumbo: Scenario = {
  name: 'XDP jumbo frames',
  async act(lab) {
    lab.run(`ip -n a link set va mtu ${JUMBO_MTU}; ip -n b link set vb mtu ${JUMBO_MTU}`);
    attach(lab, 'xdp.frags');
    fillMap(lab, 'other_cpu', OTHER_CPU, QUEUE);
    lab.run('ip netns exec a ping -q -c 1 -W 5 10.0.0.2');
    const trace = await lab.trace(['icmp']);
    for (const { bytes } of verdicts)
      lab.run(
        `ip netns exec a ping -q -i 0.01 -c ${JUMBO_PINGS} -W 1 -s ${bytes} 10.0.0.2 || true`,
      );
    lab.record('counted', ownCounts(lab));
    lab.record('status', (await trace.stop()).status);
  },
  check(evidence: Evidence) {
    const { paths, backend, fact, summary } = evidence;
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const counts = fact('counted') as number[];
    assert.equal(counts[counted.xdpDrop], JUMBO_PINGS);
    assert.equal(counts[counted.xdpRedirect], JUMBO_PINGS);
    for (const path of paths) assertSound(path);
    const requests = paths.filter(({ flow }) => flow?.detail.startsWith('echo request'));
    assert.equal(requests.length, verdicts.length * JUMBO_PINGS, 'a path for each request');
    for (const { bytes, verdict } of verdicts) {
      const of = requests.filter((path) =>
        callsOf(path).some(
          (call) => call.func === jumboProgram && call.len === bytes + HEADER_BYTES,
        ),
      );
      assert.equal(of.length, JUMBO_PINGS, `${bytes} bytes`);
      for (const path of of) {
        assert.equal(path.direction, 'transmit', 'it begins where the sender made the packet');
        assert.equal(path.ending, 'ended');
        const call = decision(path, jumboProgram, verdict);
        const dropped = path.lives.filter(({ end }) => end?.program === jumboProgram);
        assert.equal(dropped.length, verdict === 'XDP_DROP' ? 1 : 0, verdict);
        if (verdict === 'XDP_REDIRECT') {
          const child = childOf(path, call, backend);
          assert.ok(
            child.calls.some(({ len }) => len === bytes + HEADER_BYTES - 14),
            'the whole packet arrived',
          );
        }
      }
    }
    const replies = paths.filter(
      ({ flow, direction }) => direction === 'transmit' && flow?.detail.startsWith('echo reply'),
    );
    assert.equal(replies.length, 2 * JUMBO_PINGS, 'what was not dropped was answered');
  },
};
