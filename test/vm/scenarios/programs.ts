import assert from 'node:assert/strict';
import type { Lab } from '../lab.ts';
import { counted, fillMap, ownCounts, plainObject, programsObject, said } from '../programs.ts';
import {
  assertLossless,
  assertNested,
  assertSound,
  type Evidence,
  type Scenario,
  type SeenCall,
  type SeenLife,
  type SeenPath,
} from '../scenario.ts';

const ping = (from: string, address: string, bytes: number, count = 1): string =>
  `ip netns exec ${from} ping -q -i 0.01 -c ${count} -W 1 -s ${bytes} ${address} || true`;

const callsOf = (path: SeenPath): SeenCall[] => path.lives.flatMap((life) => life.calls);

/** Paths with a call of this program, and its verdict in it. */
const decided = (paths: readonly SeenPath[], func: string, verdict: string): SeenPath[] =>
  paths.filter((path) =>
    callsOf(path).some((call) => call.func === func && call.verdict === verdict),
  );

const droppedBy = (paths: readonly SeenPath[], program: string): SeenLife[] =>
  paths.flatMap(({ lives }) => lives.filter(({ end }) => end?.program === program));

const sounds = ({ paths, summary, fact }: Evidence): void => {
  assert.equal(fact('status'), 0);
  assertLossless(summary);
  for (const path of paths) assertSound(path);
};

/** tc: dropped, passed, redirected; a program that comes while tracing, one that cannot be traced, and all of them gone. */
export const tc: Scenario = {
  name: 'tc programs',
  async act(lab) {
    const filter = (where: string, object: string, section: string, extra = ''): void => {
      lab.run(`ip netns exec ${where} bpf da obj ${object} sec ${section} ${extra}`);
    };
    for (const n of ['a', 'b']) lab.run(`ip netns exec ${n} tc qdisc add dev v${n} clsact`);
    filter('b tc filter add dev vb ingress', programsObject, 'tc_drop');
    filter('a tc filter add dev va ingress', programsObject, 'tc_redirect');
    const trace = await lab.trace(['icmp']);
    lab.run(ping('a', '10.0.0.2', 56));
    lab.run(ping('a', '10.0.0.2', 1200, 3));
    // Redirected by a, and dropped by b, where it came from.
    lab.run(ping('b', '10.0.0.1', 1300));
    filter('b tc filter add dev vb egress', programsObject, 'tc_pass');
    await said(lab, 'tc:lets_everything_pass');
    lab.run(ping('a', '10.0.0.2', 57));
    filter('b tc filter add dev vb egress prio 9', plainObject, 'tc');
    await said(lab, 'tc:tells_nothing');
    lab.record('counted', ownCounts(lab));
    for (const n of ['a', 'b']) lab.run(`ip netns exec ${n} tc qdisc del dev v${n} clsact`);
    await said(lab, 'was removed', 3);
    lab.record('status', (await trace.stop()).status);
  },
  check(evidence) {
    const { paths, backend, fact, text } = evidence;
    sounds(evidence);
    const counts = fact('counted') as number[];
    const shot = decided(paths, 'tc:drops_big_packets', 'TC_ACT_SHOT');
    assert.equal(shot.length, 4);
    assert.equal(counts[counted.tcDrop], 4);
    const drops = droppedBy(paths, 'tc:drops_big_packets');
    assert.equal(drops.length, 4);
    for (const { end, calls } of drops) {
      assert.equal(end?.how, 'dropped');
      assert.equal(end.reason, 'TC_INGRESS');
      assert.equal(calls.filter(({ kind }) => kind === 'tc').at(-1)?.verdict, 'TC_ACT_SHOT');
    }
    if (backend !== 'tracepoint') {
      for (const path of shot)
        assertNested(path, 'tc:drops_big_packets', ['__netif_receive_skb_one_core']);
    }
    const redirected = decided(paths, 'tc:sends_big_packets_back', 'TC_ACT_REDIRECT');
    assert.equal(redirected.length, 1);
    assert.equal(counts[counted.tcRedirect], 1);
    const programs = callsOf(redirected[0] as SeenPath).filter(({ kind }) => kind === 'tc');
    assert.deepEqual(
      programs.map(({ func, device }) => `${func} ${device.name}`),
      ['tc:sends_big_packets_back va', 'tc:drops_big_packets vb'],
    );
    // Two pings got through to the one that drops, and its twin came later.
    assert.equal(decided(paths, 'tc:drops_big_packets', 'TC_ACT_OK').length, 2);
    assert.equal(decided(paths, 'tc:lets_everything_pass', 'TC_ACT_OK').length, 1);
    const log = text('skbspan.log');
    assert.match(log, /tc:lets_everything_pass \(id \d+\) was loaded, and is traced/);
    assert.match(log, /tc:tells_nothing \(id \d+\) is not traced: no type information/);
    assert.match(log, /tc:drops_big_packets \(id \d+\) was removed/);
  },
};

const attach = (lab: Lab, mode: string, section: string): void => {
  lab.run(`ip -n b link set dev vb ${mode} obj ${programsObject} sec ${section}`);
};

/** XDP on veth, native and generic: every verdict, sender and receiver on one path. */
export const xdp: Scenario = {
  name: 'XDP programs',
  async act(lab) {
    // Frames go to a device only if its peer polls.
    lab.run(`ip netns add c; ip link add vx netns b type veth peer name vc netns c
      ip netns exec c sysctl -qw net.ipv6.conf.all.disable_ipv6=1
      ip -n b link set vx up; ip -n c link set vc up; ip netns exec c ethtool -K vc gro on
      ip -n a link set dev va xdp obj ${programsObject} sec xdp_peer; ip netns exec a ping -q -c 1 -W 5 10.0.0.2`);
    try {
      const trace = await lab.trace(['icmp']);
      let loaded = 0;
      for (const [index, [mode, section]] of modes.entries()) {
        attach(lab, mode, section);
        await said(lab, ' was loaded', ++loaded);
        if (section === 'xdp_redirect') connect(lab);
        lab.run(ping('a', '10.0.0.2', 56));
        lab.run(ping('a', '10.0.0.2', 1100 + index, 2));
        lab.record(`counted-${index}`, ownCounts(lab));
        lab.run(`ip -n b link set dev vb ${mode} off`);
        await said(lab, ' was removed', loaded);
      }
      lab.record('status', (await trace.stop()).status);
    } finally {
      lab.run('ip netns del c');
    }
  },
  check(evidence) {
    sounds(evidence);
    for (const [index, mode] of modes.entries()) {
      checkMode(evidence, mode, 1100 + index);
      const counts = evidence.fact(`counted-${index}`) as number[];
      const big = counts.slice(counted.xdpDrop).reduce((sum, count) => sum + count);
      assert.equal(big, mode[1] === 'xdp_pass' ? 0 : 2, `${mode.join(' ')}: its own count`);
    }
  },
};

const modes = [
  ['xdp', 'xdp_pass'],
  ['xdp', 'xdp_drop'],
  ['xdp', 'xdp_tx'],
  ['xdp', 'xdp_redirect'],
  ['xdpgeneric', 'xdp_drop'],
  ['xdpgeneric', 'xdp_tx'],
] as const;

const programOf = {
  xdp_pass: ['xdp:xdp_lets_everything_pass', 'XDP_PASS'],
  xdp_drop: ['xdp:xdp_drops_big_packets', 'XDP_DROP'],
  xdp_tx: ['xdp:xdp_sends_big_packets_back', 'XDP_TX'],
  xdp_redirect: ['xdp:xdp_sends_big_packets_elsewhere', 'XDP_REDIRECT'],
} as const;

/** Puts the device that leads to c into the map of the program on vb. */
function connect(lab: Lab): void {
  const [to] = JSON.parse(lab.run('ip -n b -j link show vx')) as { ifindex: number }[];
  fillMap(lab, 'elsewhere', 0, to?.ifindex ?? 0);
}

/** Bytes of headers before an echo's payload; generic XDP's skb does not count the Ethernet header. */
const HEADERS: readonly number[] = [20 + 8, 14 + 20 + 8];

function checkMode(
  { paths, backend }: Evidence,
  [mode, section]: (typeof modes)[number],
  bytes: number,
): void {
  const [func, verdict] = programOf[section];
  const what = `${mode} ${section}`;
  const of = paths.filter((path) =>
    callsOf(path).some((call) => call.func === func && HEADERS.includes(call.len - bytes)),
  );
  const hit = decided(of, func, verdict);
  assert.equal(hit.length, 2, `${what}: ${hit.length} paths with ${verdict}`);
  for (const path of hit) {
    assert.equal(path.direction, 'transmit', `${what}: it begins where the sender made the packet`);
    assert.equal(path.lives[0]?.calls[0]?.device.netns === 0, false, what);
    const [life, call] = programCall(path, func);
    switch (verdict) {
      case 'XDP_DROP':
        assert.equal(life.end?.how, 'dropped', what);
        assert.equal(life.end.program, func, what);
        break;
      case 'XDP_PASS':
        assert.ok(path.flow?.detail.startsWith('echo re'), `${what}: ${JSON.stringify(path.flow)}`);
        break;
      case 'XDP_TX':
      case 'XDP_REDIRECT': {
        if (mode === 'xdpgeneric') break;
        const child = path.lives.find(({ parent }) => parent?.operation === 'xdp');
        assert.ok(child !== undefined, `${what}: the frame was lost`);
        const from = path.lives[child.parent?.life ?? -1]?.calls[child.parent?.call ?? -1];
        // A frame that was one before stays the same life in the next program.
        if (backend === 'tracepoint') assert.equal(from?.kind, 'xdp', what);
        else assert.equal(from, call, `${what}: the child of the program's call`);
        const verdicts = path.lives.flatMap(({ calls }) =>
          calls.flatMap((one) => one.verdict ?? []),
        );
        assert.deepEqual(verdicts, verdict === 'XDP_TX' ? [verdict, 'XDP_PASS'] : [verdict], what);
        const last = path.lives.findLast(({ calls }) =>
          calls.some((one) => one.device.name !== ''),
        );
        const device = last?.calls.findLast((one) => one.device.name !== '')?.device.name;
        // With few functions nobody sees the packet on vc: it came for another host, and was dropped.
        if (backend !== 'kprobe' || verdict === 'XDP_TX')
          assert.equal(device, verdict === 'XDP_TX' ? 'va' : 'vc', what);
        if (verdict === 'XDP_REDIRECT') assert.equal(child.end?.reason, 'OTHERHOST', what);
      }
    }
  }
}

function programCall(path: SeenPath, func: string): [SeenLife, SeenCall] {
  for (const life of path.lives) {
    const call = life.calls.find((one) => one.func === func);
    if (call !== undefined) return [life, call];
  }
  assert.fail(`${func} is not on the path`);
}
