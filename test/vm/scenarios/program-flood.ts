import assert from 'node:assert/strict';
import { counted, ownCounts, programsObject } from '../programs.ts';
import { assertLossless, type Scenario, type SeenPath } from '../scenario.ts';

const PINGS = 500;
const BIG_BYTES = 1200;

/** Sender, identifier and number of an echo: the packet's name. */
const nameOf = ({ flow }: SeenPath): string => `${flow?.source_address} ${flow?.detail}`;

/** Paths in which the XDP program came to this verdict. */
const withVerdict = (paths: readonly SeenPath[], verdict: string): SeenPath[] =>
  paths.filter(({ lives }) =>
    lives.some(({ calls }) => calls.some((c) => c.kind === 'xdp' && c.verdict === verdict)),
  );

/** 500 pings that programs let pass, and 500 that XDP drops: none lost, none joined, and the drops are the program's own count. */
export const programFlood: Scenario = {
  name: 'flood of programs',
  async act(lab) {
    lab.run(`ip netns exec b tc qdisc add dev vb clsact
      ip netns exec b tc filter add dev vb ingress bpf da obj ${programsObject} sec tc_pass
      ip -n b link set dev vb xdp obj ${programsObject} sec xdp_drop
      ip netns exec a ping -q -c 1 -W 5 10.0.0.2`);
    const trace = await lab.trace(['icmp']);
    lab.run(`ip netns exec a ping -q -i 0.002 -c ${PINGS} -W 5 -s 56 10.0.0.2`);
    lab.run(`ip netns exec a ping -q -i 0.002 -c ${PINGS} -W 1 -s ${BIG_BYTES} 10.0.0.2 || true`);
    lab.record('counted', ownCounts(lab));
    lab.record('status', (await trace.stop()).status);
  },
  check({ paths, summary, fact, backend }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const passed = withVerdict(paths, 'XDP_PASS');
    const dropped = withVerdict(paths, 'XDP_DROP');
    for (const [what, some] of Object.entries({ passed, dropped })) {
      assert.equal(some.length, PINGS, what);
      assert.equal(new Set(some.map(nameOf)).size, PINGS, `${what}: a packet twice, or two joined`);
      for (const path of some) {
        assert.deepEqual(path.losses, []);
        assert.equal(path.ending, 'ended', `${what} ${nameOf(path)}`);
      }
    }
    for (const { lives } of passed) {
      const verdicts = lives.flatMap(({ calls }) => calls.flatMap(({ verdict }) => verdict ?? []));
      assert.deepEqual(verdicts, ['XDP_PASS', 'TC_ACT_OK']);
    }
    const program = 'xdp:xdp_drops_big_packets';
    const drops = paths.flatMap(({ lives }) => lives.filter(({ end }) => end?.program === program));
    assert.equal(drops.length, PINGS);
    assert.equal((fact('counted') as number[])[counted.xdpDrop], PINGS);
    // Who sent it is on the path as well, where the copies that veth makes can be seen.
    if (backend !== 'tracepoint')
      for (const path of dropped) assert.equal(path.direction, 'transmit');
  },
};

const MANY = 20;

/** How long a start takes without programs and with many. */
export const manyPrograms: Scenario = {
  name: 'many programs',
  async act(lab) {
    const start = async (): Promise<number> => {
      const trace = await lab.trace();
      await trace.stop();
      return trace.readyMs;
    };
    const without = await start();
    lab.run(`for n in $(seq ${MANY}); do
        bpftool prog load ${programsObject} /sys/fs/bpf/many$n type classifier
      done`);
    lab.record('ready', [without, await start()]);
    lab.run('rm /sys/fs/bpf/many*');
  },
  check({ fact, note, text }) {
    const [without = 0, many = 0] = fact('ready') as number[];
    note(
      `ready in ${Math.round(without)} ms without programs, ${Math.round(many)} ms with ${MANY}`,
    );
    assert.match(text('skbspan.log'), new RegExp(`and ${MANY} tc or XDP programs`));
  },
};
