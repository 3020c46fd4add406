import assert from 'node:assert/strict';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Lab } from '../lab.ts';
import { parseLines, type Scenario, type SeenPath } from '../scenario.ts';
import type { StoryLife } from '../story.ts';

const PACKETS = 1_500;
const LIVES = 64;
/** Longer than it takes to send all, and near netem's limit. */
const HELD = '250s';

/** Pings to nobody, all at once, by a device that swallows them: each goes the same way, in the sender's own context. */
function send(lab: Lab): void {
  lab.run(`ip netns exec a ping -n -q -l ${PACKETS} -c ${PACKETS} -W 1 10.9.0.2 || true`);
}

const sentByDevice = (lab: Lab): number => {
  const [link] = JSON.parse(lab.run('ip -n a -s -j link show d0')) as [
    { readonly stats64: { readonly tx: { readonly packets: number } } },
  ];
  return link.stats64.tx.packets;
};

/** A run of skbspan around `during`; what it wrote is on record as `name`. */
async function traced(
  lab: Lab,
  name: string,
  args: readonly string[],
  during: (pid: number) => Promise<void>,
): Promise<void> {
  const trace = await lab.trace([...args, 'icmp', 'and', 'dst', 'host', '10.9.0.2']);
  await during(trace.pid);
  lab.record(`${name}-status`, (await trace.stop()).status);
  lab.run(`mv ${lab.folder}/paths.jsonl ${lab.folder}/${name}.jsonl`);
}

interface Came {
  /** Records that take a number of their life, of those that JSON tells one by one. */
  readonly numbered: number;
  readonly calls: number;
  readonly exits: number;
}

function cameOf(paths: readonly SeenPath[]): Came {
  const lives = paths.flatMap((path) => path.lives as readonly StoryLife[]);
  const calls = lives.flatMap((life) => life.calls);
  const others = lives.map(
    ({ packets, sockets, conntracks, end }) =>
      packets.length + sockets.length + conntracks.length + (end === null ? 0 : 1),
  );
  return {
    numbered: others.reduce((sum, count) => sum + count, calls.length),
    calls: calls.length,
    exits: calls.filter(({ timing }) => timing === 'exit').length,
  };
}

const isWhole = (path: SeenPath, numbered: number): boolean => {
  const came = cameOf([path]);
  return came.numbered === numbered && came.exits === came.calls;
};

/**
 * A ring that is not read for a while, and a table of lives that is too small. That each packet makes the same records is
 * seen in a run that loses nothing; so how many there must be is known, and what did not come must have been counted, to the record.
 * An exit is recorded only if its call was.
 */
export const tooSmall: Scenario = {
  name: 'too small',
  async act(lab) {
    lab.run(`ip -n a link add d0 type dummy && ip -n a addr add 10.9.0.1/24 dev d0 && ip -n a link set d0 up
      ip -n a neigh add 10.9.0.2 lladdr 02:00:00:00:09:02 dev d0`);
    // The first one to a neighbour has its link header put together, the others copy that.
    lab.run('ip netns exec a ping -n -q -c 1 -W 1 10.9.0.2 || true');
    const before = sentByDevice(lab);
    await traced(lab, 'whole', [], async () => {
      send(lab);
      await sleep(500);
    });
    await traced(lab, 'ring', ['--ring-mb', '1'], async (pid) => {
      process.kill(pid, 'SIGSTOP');
      send(lab);
      process.kill(pid, 'SIGCONT');
      await sleep(500);
    });
    // A queue that holds all packets: more of them live than the table has places for.
    lab.run(`ip netns exec a tc qdisc add dev d0 root netem delay ${HELD} limit ${10 * PACKETS}`);
    await traced(lab, 'lives', ['--max-lives', String(LIVES)], async () => {
      send(lab);
      await sleep(500);
      lab.record('held', lab.run('ip netns exec a tc -s qdisc show dev d0'));
    });
    lab.record('sent', sentByDevice(lab) - before);
    lab.run('ip -n a link del d0');
  },
  check({ fact, text, note }) {
    const names = ['whole', 'ring', 'lives'] as const;
    for (const name of names) assert.equal(fact(`${name}-status`), 0);
    const [whole, ring, lives] = names.map((name) => parseLines(text(`${name}.jsonl`))) as [
      Run,
      Run,
      Run,
    ];
    assert.equal(fact('sent'), 2 * PACKETS, 'the device sent those that were not held');

    assert.equal(whole.paths.length, PACKETS);
    const each = new Set(whole.paths.map((path) => cameOf([path]).numbered));
    const [perPacket = 0] = each;
    assert.equal(each.size, 1, `packets differ: ${[...each].join(', ')} records`);
    assert.ok(whole.paths.every((path) => isWhole(path, perPacket)));
    assert.deepEqual(lossesOf(whole), {});

    const {
      ring_full: full = 0,
      context = 0,
      orphan_exits: orphans = 0,
      ...others
    } = lossesOf(ring);
    assert.deepEqual(others, {});
    const { numbered, calls, exits } = cameOf(ring.paths);
    const marked = ring.paths.filter(
      ({ losses, ending }) => losses.length > 0 || ending !== 'ended',
    );
    note(
      `${PACKETS} packets of ${perPacket} records, and exits: ${numbered} and ${exits} came, ${full - context} are ` +
        `counted as lost; ${ring.paths.length} paths, ${marked.length} of them marked`,
    );
    assert.ok(full > PACKETS && ring.paths.length > 50, 'else this proves nothing');
    const made = PACKETS * perPacket + calls + orphans;
    assert.equal(numbered + exits + orphans + full - context, made, 'came + counted = made');
    for (const path of ring.paths) {
      const says =
        marked.includes(path) ||
        path.lives.some((life) => life.calls.some(({ timing }) => timing !== 'exit'));
      assert.equal(says, !isWhole(path, perPacket), 'who lacks something says so');
    }

    const { lives_full: refused = 0, ...rest } = lossesOf(lives);
    note(`${lives.paths.length} followed, ${refused} refused, with ${LIVES} places`);
    assert.match(text('held'), new RegExp(`\\b${PACKETS}p\\b`), 'all were held at the same time');
    assert.deepEqual(rest, {});
    assert.equal(lives.paths.length + refused, PACKETS, 'followed + counted = sent');
    assert.ok(lives.paths.length >= LIVES && lives.paths.length < PACKETS / 2);
  },
};

type Run = ReturnType<typeof parseLines>;

const lossesOf = ({ summary }: Run): Partial<Record<string, number>> =>
  Object.fromEntries(Object.entries(summary.losses).filter(([, count]) => count > 0));
