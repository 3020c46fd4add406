import assert from 'node:assert/strict';
import { execFile, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { statSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { startTracing, type TracingOptions } from '../../src/collector/tracing.ts';
import type { PacketPath } from '../../src/event/packet-path.ts';
import type { Statistics } from '../../src/event/statistics.ts';

const execute = promisify(execFile);
const NAMESPACE = 'skbspan-small';
const PACKETS = 20_000;
/** What stands for a packet in this backend: it is sent once. */
const SENT = 'net:net_dev_queue';

interface Run {
  /** By the device's own count. */
  readonly sent: number;
  readonly paths: readonly PacketPath[];
  readonly statistics: Statistics;
}

const inside = (...command: readonly string[]): readonly string[] => [
  'netns',
  'exec',
  NAMESPACE,
  ...command,
];

function sentByDevice(): number {
  const text = execFileSync('ip', ['-n', NAMESPACE, '-s', '-j', 'link', 'show', 'lo'], {
    encoding: 'utf8',
  });
  const [link] = JSON.parse(text) as { stats64: { tx: { packets: number } } }[];
  return link?.stats64.tx.packets ?? Number.NaN;
}

/** A flood of UDP over the loopback device of a namespace where nobody else sends. */
async function flood(
  t: TestContext,
  sizes: Pick<TracingOptions, 'ringBytes' | 'maps'>,
): Promise<Run> {
  execFileSync('ip', ['netns', 'add', NAMESPACE]);
  t.after(() => execFileSync('ip', ['netns', 'del', NAMESPACE]));
  execFileSync('ip', ['-n', NAMESPACE, 'link', 'set', 'lo', 'up']);
  const server = spawn('ip', inside('iperf3', '-s', '-1', '--forceflush'), {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => server.kill('SIGKILL'));
  await once(server.stdout, 'data');
  const paths: PacketPath[] = [];
  const tracing = await startTracing({
    backend: 'tracepoint',
    functions: undefined,
    netns: statSync(`/run/netns/${NAMESPACE}`).ino,
    snaplenBytes: 64,
    exits: undefined,
    onProgress: () => undefined,
    onPaths: (finished) => {
      paths.push(...finished);
    },
    onError: (error) => {
      throw error;
    },
    ...sizes,
  });
  t.after(() => tracing.stop());
  const before = sentByDevice();
  await execute('ip', [
    ...inside('iperf3', '-u', '-c', '127.0.0.1', '-b', '0', '-l', '64', '-k', String(PACKETS)),
  ]);
  const sent = sentByDevice() - before;
  return { sent, paths, statistics: await tracing.stop() };
}

const lives = (paths: readonly PacketPath[]) => paths.flatMap((path) => path.lives);
const followed = (paths: readonly PacketPath[]): number =>
  lives(paths).filter((life) => life.calls.some(({ func }) => func === SENT)).length;

test('a table of lives that is too small: sent = followed + counted', async (t) => {
  const { sent, paths, statistics } = await flood(t, {
    ringBytes: 64 * 1024 * 1024,
    maps: { lives: 16 },
  });
  const { losses } = statistics;
  const refused = losses.get('lives_full') ?? 0;
  t.diagnostic(`${sent} sent = ${followed(paths)} followed + ${refused} counted`);
  assert.equal(losses.get('ring_full'), 0);
  assert.ok(refused > 100, 'the table was too small');
  assert.equal(followed(paths) + refused + (losses.get('lives_busy') ?? 0), sent);
  // One that is followed is so from its beginning: there are no halves.
  assert.deepEqual(
    paths.flatMap((path) => path.losses).filter(({ cause }) => cause === 'events'),
    [],
  );
});

test('a ring that is too small: every path that lacks something says so', async (t) => {
  const { sent, paths, statistics } = await flood(t, { ringBytes: 64 * 1024 });
  const lost = statistics.losses.get('ring_full') ?? 0;
  const gaps = paths.flatMap((path) => path.losses).filter(({ cause }) => cause === 'events');
  const missing = gaps.reduce((sum, loss) => sum + (loss.cause === 'events' ? loss.count : 0), 0);
  t.diagnostic(`${sent} sent; ${lost} records lost, ${missing} of them in gaps of paths`);
  assert.ok(lost > 100, 'the ring was too small');
  // The others are of packets that nothing at all, or no end, came of.
  assert.ok(missing <= lost, `${missing} missing, ${lost} lost`);
  const ended = paths.filter((path) => path.ending === 'ended' && path.losses.length === 0);
  assert.ok(ended.length < sent, `${ended.length} whole paths of ${sent}`);
  assert.ok(statistics.lives >= sent, 'the kernel side followed all of them');
  // A life of which the last record came and nothing is said to be missing has all its records: their numbers are complete.
  for (const path of paths) {
    for (const [index, life] of path.lives.entries()) {
      const own = path.losses.filter((loss) => loss.cause === 'events' && loss.life === index);
      const count = own.reduce((sum, loss) => sum + (loss.cause === 'events' ? loss.count : 0), 0);
      const last = Math.max(
        ...life.calls.map(({ seq }) => seq),
        ...life.packets.map(({ seq }) => seq),
      );
      const { calls, packets, sockets, conntracks } = life;
      const seen = calls.length + packets.length + sockets.length + conntracks.length;
      assert.ok(seen + count >= last, `life ${life.id}: ${seen} seen, ${count} missing of ${last}`);
      for (const loss of own) {
        if (loss.cause !== 'events') continue;
        const [before, after] = [life.calls[loss.before], life.calls[loss.after]];
        assert.ok((before?.seq ?? -1) <= loss.afterSeq, 'the call before the gap');
        assert.ok((after?.seq ?? Infinity) > loss.afterSeq + loss.count, 'the call after it');
      }
    }
  }
});
