import assert from 'node:assert/strict';
import { rmSync } from 'node:fs';
import { counted, oneObject, ownCounts, programsObject } from '../programs.ts';
import { quiet, settled, traces, type Traces } from './leftovers.ts';
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
  check({ paths, summary, fact }) {
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
    // Who sent it is on the path as well.
    for (const path of [...passed, ...dropped]) assert.equal(path.direction, 'transmit');
  },
};

const MANY = 20;
/**
 * The verifier checks two programs of ours for each, which are bigger than it: measured is 2 to 7 times what `bpftool prog load`
 * takes for it on the same emulated CPU.
 */
const LOADS_PER_PROGRAM = 10;

/** How long a start takes without programs, with one and with many: nobody waits for more than each one needs. Nothing stays behind. */
export const manyPrograms: Scenario = {
  name: 'many programs',
  async act(lab) {
    const before = await quiet(lab);
    const start = async (): Promise<number> => {
      const standing = traces(lab);
      const trace = await lab.trace();
      await trace.stop();
      await settled(lab, standing);
      return trace.readyMs;
    };
    const file = (n: number): string => `/sys/fs/bpf/many${n}`;
    const load = (n: number): string => lab.run(`bpftool prog load ${oneObject} ${file(n)}`);
    const without = await start();
    load(1);
    const one = await start();
    const began = performance.now();
    for (let n = 2; n <= MANY; n++) load(n);
    const loadMs = performance.now() - began;
    lab.record('check', lab.run(`${process.execPath} dist/cli/main.js check`));
    const loaded = traces(lab);
    const trace = await lab.trace();
    const during = traces(lab);
    const { exitMs } = await trace.stop();
    const after = await settled(lab, loaded);
    lab.record('stages', { before, loaded, during, after });
    lab.record('times', { without, one, many: trace.readyMs, loadMs, exitMs });
    for (let n = 1; n <= MANY; n++) rmSync(file(n));
  },
  check({ fact, note, text }) {
    const times = fact('times') as Record<'without' | 'one' | 'many' | 'loadMs', number>;
    const took = times.many - times.one;
    note(`ms: ${JSON.stringify(times)}, ${Math.round(took / (MANY - 1))} for each more`);
    const most = LOADS_PER_PROGRAM * times.loadMs;
    assert.ok(
      took <= most,
      `${took} ms for ${MANY - 1} more, which were loaded in ${times.loadMs}`,
    );
    assert.match(
      text('check'),
      new RegExp(
        `^Loaded: ${MANY} tc programs and 0 XDP programs; this kernel lets them be traced`,
        'm',
      ),
    );
    assert.match(text('check'), /^fentry and fexit +yes/m);
    assert.match(text('skbspan.log'), new RegExp(`and ${MANY} tc or XDP programs`));
    const { before, loaded, during, after } = fact('stages') as Record<string, Traces>;
    assert.equal((loaded?.programs ?? 0) - (before?.programs ?? 0), MANY);
    // One before and one after each.
    assert.ok((during?.links ?? 0) - (loaded?.links ?? 0) >= 2 * MANY);
    assert.deepEqual(after, loaded, 'something was left behind');
  },
};
