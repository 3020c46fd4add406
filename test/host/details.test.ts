/** Every option that tells more of a call, on this kernel, all at once: what text shows, JSON carries. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { runProgram } from '../../src/cli/demo-network.ts';
import { createTextExporter } from '../../src/exporters/text/text-exporter.ts';
import { readPath } from '../../src/sources/kafka/read-path.ts';
import { cannotLoad } from '../ffi/sample-object.ts';
import { collect } from '../exporters/text/collect.ts';
import { startTrace } from './running-trace.ts';

const skip = cannotLoad();

const every = [
  ...['--output-caller', '--output-stack', '--output-tunnel', '--output-skb', '--output-skb-cb'],
  ...['--output-skb-shared-info', '--output-skb-metadata', 'skb->len,skb->dev->ifindex'],
  ...['--output-meta', '--output-tuple', '--output-netns-names', '--format', 'table'],
  ...['--output-tcp-flags', '--timestamp', 'absolute'],
];

/** Other tests may ping, too. */
const ours = 'icmp and ip[2:2] = 361';

test('all options of output together: JSON has what text shows', { skip }, async (t) => {
  const trace = await startTrace(t, ...every, ours);
  await runProgram('ping', '-c', '2', '-i', '0.05', '-s', '333', '127.0.0.1');
  const ended = await trace.end('SIGINT');
  assert.equal(ended.status, 0, ended.stderr);
  const lines = readFileSync(trace.jsonFile, 'utf8').split('\n').slice(0, -2);
  const paths = lines.map(readPath);
  // Requests and replies; the reply's copy for ping's raw socket is a path of its own here.
  assert.ok(paths.length >= 4, `${paths.length} paths`);
  const { output, text } = collect();
  const again = createTextExporter({
    output,
    format: 'table',
    table: { timestamp: 'absolute', tcpFlags: true },
    color: false,
  });
  await again.export(paths);
  assert.equal(text(), ended.stdout, 'the text made from JSON is the text that was printed');

  for (const path of paths) {
    assert.deepEqual(path.losses, []);
    for (const { func, detail, len, device } of path.lives.flatMap(({ calls }) => calls)) {
      assert.ok(detail !== undefined, func);
      const { caller, stack = [], metadata, controlBlock, skb, sharedInfo, tunnel } = detail;
      assert.deepEqual(caller, stack[0], func);
      assert.ok(stack.length > 3, `${func}: ${stack.map((frame) => frame.func).join(' ')}`);
      assert.ok(
        stack.every((frame) => frame.func !== ''),
        func,
      );
      // Two ways to read the same.
      assert.equal(metadata?.[0]?.value, BigInt(len), func);
      assert.equal(skb?.['len'], len, func);
      if (device.ifindex !== 0) assert.equal(metadata[1]?.value, BigInt(device.ifindex), func);
      const cb = Buffer.from(Uint32Array.from(controlBlock ?? []).buffer).toString('hex');
      assert.equal(skb['cb'] ?? '00'.repeat(48), cb, func);
      assert.notEqual(sharedInfo?.['dataref'], undefined, func);
      assert.equal(tunnel, undefined);
    }
  }
  const callers = paths.flatMap(({ lives }) =>
    lives.flatMap(({ calls }) =>
      calls.map(({ func, detail }) => `${func} < ${detail?.caller?.func}`),
    ),
  );
  assert.ok(callers.includes('net:net_dev_start_xmit < dev_hard_start_xmit'), callers.join('\n'));
});

test('an expression that is wrong is refused before anything is loaded', { skip }, async (t) => {
  await assert.rejects(
    startTrace(t, '--output-skb-metadata', 'skb->len,skb->lem'),
    /--output-skb-metadata: struct sk_buff has no member 'lem'; near: len/,
  );
});

test('functions of functions need another backend', { skip }, async (t) => {
  await assert.rejects(
    startTrace(t, '--filter-non-skb-funcs', 'fib_table_lookup'),
    /the backend tracepoint has none/,
  );
});
