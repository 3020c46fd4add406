import assert from 'node:assert/strict';
import test from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../src/cli/demo-network.ts';
import { freePorts } from '../peers/free-ports.ts';
import { startTrace } from './running-trace.ts';

const valueOf = (text: string, pattern: RegExp): number => Number(pattern.exec(text)?.[1] ?? 'NaN');

test('live: Prometheus reads packets, events and losses; --keep leaves out, and is counted', async (t) => {
  const [port = 0] = await freePorts(1);
  const address = `127.0.0.1:${port}`;
  const trace = await startTrace(
    t,
    '--format',
    'none',
    '--metrics-listen',
    address,
    '--keep',
    'flow=icmp',
  );
  await runProgram('ping', '-n', '-q', '-c', '20', '-i', '0.01', '127.0.0.1');
  const packets = /^skbspan_packets_total\{network_transport="icmp".*\} (\d+)$/m;
  let text = '';
  // Until the last path is over, which takes its time on a busy machine.
  const until = Date.now() + 20_000;
  while (Date.now() < until) {
    await sleep(100);
    text = await runProgram('curl', '-sS', `http://${address}/metrics`);
    if (valueOf(text, packets) >= 40) break;
  }
  const { status, stderr } = await trace.end('SIGINT');

  assert.equal(status, 0, stderr);
  assert.ok(valueOf(text, packets) >= 40, text);
  assert.ok(valueOf(text, /^skbspan_events_total\S* (\d+)$/m) >= 200);
  assert.equal(
    valueOf(text, /^skbspan_losses_total\{skbspan_loss_cause="ring_full".*\} (\d+)$/m),
    0,
  );
  assert.equal(
    valueOf(text, /^skbspan_export_queue_capacity\{skbspan_exporter="json".*\} (\d+)$/m),
    10_000,
  );
  // curl's own TCP packets.
  assert.match(stderr, /left out by --keep: [1-9]/);
  const transports = new Set(trace.paths().map(({ flow }) => flow?.transport));
  assert.deepEqual([...transports], ['icmp']);
});

test('live: a port that is taken is said before anything is attached', async (t) => {
  const [port = 0] = await freePorts(1);
  const options = ['--format', 'none', '--metrics-listen', `127.0.0.1:${port}`];
  const first = await startTrace(t, ...options);
  await assert.rejects(startTrace(t, ...options), /metrics cannot be served: .*EADDRINUSE/);
  assert.equal((await first.end('SIGINT')).status, 0);
});
