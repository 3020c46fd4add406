import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import { lifeSizes } from '../../../src/collector/table-sizes.ts';
import { life } from '../../../src/event/layout.ts';
import type { NumberResult } from '../../fixtures/numbered-packets.ts';
import { until, type Lab } from '../lab.ts';
import type { Scenario } from '../scenario.ts';

const PACKETS = 50_000;
const PORT = 5201;
/** What an emulated CPU reads without falling behind. */
const PACKETS_PER_SECOND = 2500;
const PAYLOAD_BYTES = 64;
/** What is dead is collected in the second round after its death, one round a second. */
const COLLECTED_MS = 3500;

/** So few that their places can be told one by one, and that some find their home taken (test/host/lives.test.ts is about those). */
const LIVES = 4096;

const MAPS = ['displaced', 'calls', 'merging', 'refused'] as const;
const counted = [...MAPS, 'lives', '.data.call_places'] as const;
type Entries = Readonly<Record<(typeof counted)[number], number>>;

/** Entries of the tracker's maps and taken places of its tables, by the word of bpftool. */
function entries(lab: Lab): Entries {
  const counts = MAPS.map((name): [string, number] => [
    name,
    (JSON.parse(lab.run(`bpftool -j map dump name ${name}`) || '[]') as unknown[]).length,
  ]);
  counts.push(['lives', takenLives(lab)], ['.data.call_places', takenCalls(lab)]);
  return Object.fromEntries(counts) as Entries;
}

/** Bytes that bpftool writes in a line. */
const LINE_BYTES = 16;

/** Taken places of lives (bpf/lives.h): they begin with an address. Counted in the shell: as text it is megabytes. */
function takenLives(lab: Lab): number {
  const ofPlace = `NF == ${LINE_BYTES} && line++ % ${life.size / LINE_BYTES} == 0`;
  const free = '$1 $2 $3 $4 $5 $6 $7 $8 ~ /^0+$/';
  const count = `${ofPlace} { if (${free}) free++; else taken++ } END { print free + 0, taken + 0 }`;
  const told = lab.run(`bpftool map dump name lives | awk '${count}'`);
  const [freePlaces = 0, taken = 0] = told.trim().split(' ').map(Number);
  const { homes, spares } = lifeSizes(LIVES);
  if (freePlaces + taken !== homes + spares)
    throw new Error(`the places of lives are not as expected: ${told}`);
  return taken;
}

/** Taken places of open calls (bpf/calls.h): they have a key. */
function takenCalls(lab: Lab): number {
  // The kernel cuts names after 15 characters.
  const dump = `bpftool map dump name ${'.data.call_places'.slice(0, 15)}`;
  const told = lab.run(`${dump} | grep -o '"key": [0-9]*' | sort | uniq -c`);
  const places = told.trim().split('\n');
  const [free, ...taken] = places.map((line) => Number(/^\s*(\d+) "key": \d+$/.exec(line)?.[1]));
  if (!((free ?? 0) > taken.length))
    throw new Error(`the places of calls are not as expected: ${places[0]}`);
  return taken.reduce((sum, count) => sum + count, 0);
}

/** How many of the lives were not at home, each counted when it came to its place. */
function displacedLives(lab: Lab): number {
  const dump = lab.run('bpftool map dump name .data.minted');
  const told = (member: string): number =>
    Number(new RegExp(`"${member}": (\\d+)`).exec(dump)?.[1]);
  return told('spares') + told('reused');
}

/** 50,000 numbered packets: each is one path, whatever addresses the kernel gives their sk_buffs; and nothing is left behind. */
export const flood: Scenario = {
  name: 'flood',
  async act(lab) {
    const { startTracing } = await import('../../../src/collector/tracing.ts');
    const { backendNames } = await import('../../../src/collector/backend.ts');
    const { createNumberAudit } = await import('../../fixtures/numbered-packets.ts');
    lab.run('ip netns exec a ping -c 1 -W 5 10.0.0.2');
    lab.background('ip netns exec b iperf3 -s -1');
    await until('iperf3 listens', 10_000, () =>
      lab.run('ip netns exec b ss -ltn').includes(`:${PORT}`) ? true : undefined,
    );
    const audit = createNumberAudit(PORT, PACKETS);
    const tracing = await startTracing({
      backend: backendNames.find((name) => name === lab.backend),
      functions: lab.filter,
      netns: undefined,
      ringBytes: 128 * 1024 * 1024,
      snaplenBytes: 96,
      exits: true,
      maps: { lives: LIVES },
      onProgress: () => undefined,
      onPaths: (paths) => {
        audit.add(paths);
      },
      onError: (error) => {
        throw error;
      },
    });
    try {
      await sleep(COLLECTED_MS);
      const before = entries(lab);
      const rate = PACKETS_PER_SECOND * PAYLOAD_BYTES * 8;
      const started = performance.now();
      await lab.finished(
        `ip netns exec a iperf3 -u -c 10.0.0.2 -b ${rate} -l ${PAYLOAD_BYTES} -k ${PACKETS} -J >${lab.folder}/iperf`,
      );
      const seconds = (performance.now() - started) / 1000;
      await sleep(COLLECTED_MS);
      const after = entries(lab);
      const { losses, events, lives } = await tracing.stop();
      lab.record('flood', {
        ...audit.result(),
        before,
        after,
        displaced: displacedLives(lab),
        seconds,
        events,
        allLives: lives,
        lost: Object.fromEntries([...losses].filter(([, count]) => count > 0)),
      });
    } finally {
      await tracing.stop();
    }
  },
  check({ fact, note }) {
    const seen = fact('flood') as NumberResult & {
      readonly before: Entries;
      readonly after: Entries;
      readonly displaced: number;
      readonly seconds: number;
      readonly events: number;
      readonly lost: Readonly<Record<string, number>>;
    };
    const sent = (fact('iperf') as { end: { sum: { packets: number } } }).end.sum.packets;
    const reuse = 100 * (1 - seen.addresses / seen.lives);
    note(
      `${seen.numbers} packets, ${seen.events} events in ${seen.seconds.toFixed(1)} s; ${seen.lives} lives at ` +
        `${seen.addresses} addresses: ${reuse.toFixed(2)} % of them on a used one`,
    );
    note(`map entries before ${JSON.stringify(seen.before)}, after ${JSON.stringify(seen.after)}`);
    // An emulated CPU may not hand out every path in time, and a probe hit inside of a probe does not run: both are counted.
    const { paths_dropped: dropped = 0, recursion = 0, ...others } = seen.lost;
    note(`${seen.displaced} lives came to an address whose home was taken`);
    note(`${dropped} paths dropped, ${recursion} probe hits missed by recursion`);
    assert.deepEqual(others, {}, 'something else was lost');
    assert.deepEqual([seen.joined, seen.split], [0, 0], seen.examples.join('\n'));
    assert.ok(sent >= PACKETS, `${sent} sent`);
    assert.ok(
      seen.numbers <= PACKETS && seen.numbers + dropped >= PACKETS,
      `every packet is there or counted: ${seen.numbers} of ${PACKETS}, ${dropped} dropped`,
    );
    assert.ok(seen.numbers > PACKETS / 2, 'else this proves nothing');
    // A hit that was missed may have been the one that told the end of a packet; nothing else excuses a path without one.
    assert.ok(seen.incomplete <= recursion, `${seen.incomplete} paths incomplete`);
    assert.ok(reuse > 50, 'addresses were used again, else this proves nothing');
    for (const name of counted) {
      assert.ok(
        seen.after[name] <= seen.before[name] + 8,
        `${name} grew: ${JSON.stringify([seen.before, seen.after])}`,
      );
    }
  },
};
