import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { until, type Lab } from '../lab.ts';
import { assertLossless, assertSound, type Scenario, type SeenPath } from '../scenario.ts';
import { undisturbed } from '../undisturbed.ts';

const BYTES = 300_000;

/** Paths of TCP with data towards the server. */
const dataPaths = (paths: readonly SeenPath[]): SeenPath[] =>
  paths.filter(
    ({ flow }) =>
      flow?.transport === 'tcp' && flow.destination_port === 5201 && flow.tcp_flags !== 'S',
  );

async function transfer(lab: Lab, settings: string): Promise<void> {
  lab.run(settings);
  await undisturbed(
    lab,
    async () => {
      lab.background('ip netns exec b iperf3 -s -1');
      await until('iperf3 listens', 10_000, () =>
        lab.run('ip netns exec b ss -ltn').includes(':5201') ? true : undefined,
      );
      lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
      const trace = await lab.trace();
      lab.record('iperf', lab.run(`ip netns exec a iperf3 -c 10.0.0.2 -n ${BYTES} -J`));
      await sleep(500);
      lab.record('status', (await trace.stop()).status);
    },
    { watches: true },
  );
  lab.record('wants', { segment: lab.wants('skb_segment'), merge: lab.wants('skb_gro_receive') });
}

/** A sender whose device takes no big packets: the kernel cuts them in software, and each segment hangs on its packet. */
export const segments: Scenario = {
  name: 'segments',
  act: (lab) =>
    transfer(
      lab,
      'ip netns exec a ethtool -K va tso off gso on; ip netns exec b ethtool -K vb gro off',
    ),
  check({ paths, fact, summary, note }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const { segment: isWanted } = fact('wants') as { segment: boolean };
    let cuts = 0;
    for (const path of dataPaths(paths)) {
      assertSound(path);
      // What is sent begins with the sender's socket, whatever becomes of it.
      assert.equal(path.direction, 'transmit', `path ${path.id} begins with a segment`);
      const wholes = new Map<number, number>();
      for (const life of path.lives) {
        if (life.parent?.operation !== 'segment') continue;
        wholes.set(life.parent.life, (wholes.get(life.parent.life) ?? 0) + 1);
        const maker = path.lives[life.parent.life]?.calls[life.parent.call]?.func;
        if (isWanted) assert.equal(maker, 'skb_segment');
        assert.ok(
          life.calls.some((call) => call.func === 'ip_rcv'),
          'each segment arrives',
        );
      }
      for (const [whole, count] of wholes) {
        cuts += 1;
        const gso = path.lives[whole]?.packets.findLast((packet) => packet.gso !== null)?.gso;
        assert.equal(count, gso?.segments, `path ${path.id}: segments of life ${whole}`);
      }
    }
    note(`${cuts} packets cut into segments`);
    assert.ok(cuts > 2, `${cuts} packets cut`);
  },
};

/** The same segments merged by the receiver's GRO: what comes out of it and all that went in are one path. */
export const merges: Scenario = {
  name: 'merges',
  act: (lab) =>
    transfer(
      lab,
      'ip netns exec a ethtool -K va tso off gso on; ip netns exec b ethtool -K vb gro on',
    ),
  check({ paths, fact, summary, note }) {
    assert.equal(fact('status'), 0);
    assertLossless(summary);
    const { merge: isWanted } = fact('wants') as { merge: boolean };
    let merged = 0;
    for (const path of dataPaths(paths)) {
      assertSound(path);
      for (const life of path.lives) {
        if (life.merged_into?.operation !== 'gro') continue;
        merged += 1;
        const by = life.calls[life.merged_into.call]?.func;
        if (isWanted) assert.equal(by, 'skb_gro_receive');
        assert.ok(
          !life.calls.some((call) => call.func === 'tcp_v4_rcv'),
          'what was merged does not go on by itself',
        );
        const into = path.lives[life.merged_into.life];
        assert.notEqual(into, life);
        assert.notEqual(life.end?.how, 'dropped');
      }
    }
    note(`${merged} segments merged`);
    assert.ok(merged > 10, `${merged} merged`);
  },
};
