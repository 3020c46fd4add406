import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { test, type TestContext } from 'node:test';
import { promisify } from 'node:util';
import { startTracing, type Tracing } from '../../src/collector/tracing.ts';
import type { PacketPath } from '../../src/event/packet-path.ts';
import { createNumberAudit } from '../fixtures/numbered-packets.ts';

const execute = promisify(execFile);

/** SKBSPAN_FLOOD=1000000 takes a minute. */
const PACKETS = Number(process.env['SKBSPAN_FLOOD'] ?? 50_000);
const PACKETS_PER_SECOND = 25_000;
const PAYLOAD_BYTES = 64;
const PORT = 5391;
const TCP_BYTES = 2_000_000_000;

async function listening(t: TestContext): Promise<void> {
  const server = spawn('iperf3', ['-s', '-1', '--forceflush', '-p', String(PORT)], {
    stdio: ['ignore', 'pipe', 'ignore'],
  });
  t.after(() => server.kill('SIGKILL'));
  await once(server.stdout, 'data');
}

const trace = (onPaths: (paths: readonly PacketPath[]) => void): Promise<Tracing> =>
  startTracing({
    backend: 'tracepoint',
    functions: undefined,
    netns: undefined,
    ringBytes: 128 * 1024 * 1024,
    snaplenBytes: 96,
    exits: undefined,
    onProgress: () => undefined,
    onPaths,
    onError: (error) => {
      throw error;
    },
  });

/**
 * Numbered packets over loopback: as many paths, none with two packets in it, none split; by the backend that sees no
 * allocations and not every free, so that it must judge by where a packet is whether an address is used again.
 */
test('a flood of numbered packets: every one is one path', { timeout: 300_000 }, async (t) => {
  await listening(t);
  const audit = createNumberAudit(PORT, PACKETS);
  const tracing = await trace((paths) => {
    audit.add(paths);
  });
  t.after(() => tracing.stop());
  const rate = PACKETS_PER_SECOND * PAYLOAD_BYTES * 8;
  const { stdout } = await execute('iperf3', [
    ...['-u', '-c', '127.0.0.1', '-p', String(PORT), '-J', '-b', String(rate)],
    ...['-l', String(PAYLOAD_BYTES), '-k', String(PACKETS)],
  ]);
  const { losses, events } = await tracing.stop();
  const sent = (JSON.parse(stdout) as { end: { sum: { packets: number } } }).end.sum.packets;
  const seen = audit.result();
  const lost = Object.fromEntries([...losses].filter(([, count]) => count > 0));
  t.diagnostic(
    `${seen.numbers} packets, ${events} events; ${seen.lives} lives at ${seen.addresses} addresses: ` +
      `${(100 * (1 - seen.addresses / seen.lives)).toFixed(2)} % of them on a used one; lost ${JSON.stringify(lost)}`,
  );
  assert.ok(sent >= PACKETS, `${sent} sent`);
  assert.deepEqual([seen.joined, seen.split], [0, 0], seen.examples.join('\n'));
  assert.equal(losses.get('ring_full'), 0, 'the ring held all');
  assert.equal(seen.numbers, PACKETS, 'every packet is there');
});

/**
 * TCP in bulk: what is sent is the second half of a pair of sk_buffs that goes back as one, freed by no tracepoint of its own.
 * The headers of one connection's segments are all alike, so two that were joined show only by what they do twice.
 */
test('bulk TCP on loopback: no packet is sent twice', { timeout: 300_000 }, async (t) => {
  await listening(t);
  let sent = 0;
  const twice: string[] = [];
  const tracing = await trace((paths) => {
    for (const path of paths) {
      const { flow } = path;
      // Others on this machine may send through tunnels, that is more than once.
      if (flow?.sourcePort !== PORT && flow?.destinationPort !== PORT) continue;
      for (const life of path.lives) {
        const names = life.calls.map(({ func }) => func);
        const times = names.filter((name) => name === 'net:net_dev_queue').length;
        if (times > 0) sent += 1;
        // A resent segment is another clone, at the same address if the first one is gone: its parts are told apart.
        if (times > 1) twice.push(`#${path.id}: ${names.join(' ')}`);
      }
    }
  });
  t.after(() => tracing.stop());
  await execute('iperf3', ['-c', '127.0.0.1', '-p', String(PORT), '-n', `${TCP_BYTES}`]);
  const { losses } = await tracing.stop();
  const lost = Object.fromEntries([...losses].filter(([, count]) => count > 0));
  t.diagnostic(`${sent} packets, ${twice.length} sent twice; lost ${JSON.stringify(lost)}`);
  assert.ok(sent > 10_000, `${sent} sent`);
  assert.deepEqual(twice, []);
});
