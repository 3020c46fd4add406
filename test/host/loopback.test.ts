import assert from 'node:assert/strict';
import test from 'node:test';
import { runProgram } from '../../src/cli/demo-network.ts';
import { isCopiedToUser, lossesOf, startTrace } from './running-trace.ts';

test('a ping on loopback: each request and reply is one whole path', async (t) => {
  const trace = await startTrace(t);
  await runProgram('ping', '-n', '-q', '-c', '3', '-i', '0.01', '-p', '5b5b', '127.0.0.1');
  const { status } = await trace.end('SIGINT');
  assert.equal(status, 0);

  const pings = trace
    .paths()
    .filter(({ flow }) => flow?.transport === 'icmp' && flow.source_address === '127.0.0.1')
    // This backend sees no clone being made: the raw socket's own copy is a path by itself.
    .filter((path) => !path.lives.every(({ calls }) => calls.every(isCopiedToUser)));
  const requests = pings.filter(({ flow }) => flow?.detail.startsWith('echo request'));
  const replies = pings.filter(({ flow }) => flow?.detail.startsWith('echo reply'));
  assert.ok(requests.length >= 3, `${requests.length} requests`);
  assert.ok(replies.length >= 3, `${replies.length} replies`);
  for (const path of pings) {
    const calls = path.lives.flatMap((life) => life.calls);
    const names = calls.map((call) => call.func);
    assert.equal(path.ending, 'ended');
    assert.deepEqual(path.losses, []);
    // Sent, then received, by the same skb: one path from one end to the other.
    assert.ok(names.includes('net:net_dev_start_xmit'), names.join(' '));
    assert.ok(names.includes('net:netif_receive_skb'), names.join(' '));
    assert.ok(calls.every((call) => call.kind === 'tracepoint' && call.timing === 'point'));
    assert.ok(path.lives.every((life) => life.end !== null && life.end.how !== 'reused'));
  }
});

test('a flood of 20,000 pings loses no event', async (t) => {
  const trace = await startTrace(t, '--format', 'none');
  await runProgram('ping', '-n', '-q', '-f', '-c', '20000', '127.0.0.1');
  const { status } = await trace.end('SIGINT');
  assert.equal(status, 0);
  const summary = trace.summary();
  assert.deepEqual(lossesOf(summary), {});
  assert.ok(summary.paths >= 40_000, `${summary.paths} paths`);
  const echoes = trace.paths().filter(({ flow }) => flow?.detail.startsWith('echo re'));
  assert.ok(echoes.length >= 40_000, `${echoes.length} echo paths`);
});
