// Filters on the packet inside of a real VXLAN tunnel between two namespaces.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { createDemoNetwork, type DemoHost, runProgram } from '../../src/cli/demo-network.ts';
import { readPath } from '../../src/sources/kafka/read-path.ts';
import { type RunningTrace, startTrace } from './running-trace.ts';

const inner = ['10.77.0.1', '10.77.0.2'] as const;

async function addTunnel(from: DemoHost, to: DemoHost, address: string): Promise<void> {
  const ip = (...words: string[]): Promise<string> => runProgram('ip', '-n', from.netns, ...words);
  const link = ['type', 'vxlan', 'id', '7', 'dev', from.device, 'remote', to.address];
  await ip('link', 'add', 'vx0', ...link, 'dstport', '4789');
  await ip('addr', 'add', `${address}/24`, 'dev', 'vx0');
  await ip('link', 'set', 'vx0', 'up');
}

test('filters look at the packet in a VXLAN tunnel, and its addresses are told', async (t) => {
  const { a, b, remove } = await createDemoNetwork('skbspan-tunnel');
  t.after(remove);
  await addTunnel(a, b, inner[0]);
  await addTunnel(b, a, inner[1]);
  const ping = (...words: string[]): Promise<string> =>
    runProgram('ip', 'netns', 'exec', a.netns, 'ping', '-n', '-q', '-i', '0.05', ...words);
  const cases = [
    { args: ['--filter-tunnel-pcap-l3', `icmp and dst host ${inner[1]}`], want: 2 },
    { args: ['--filter-tunnel-pcap-l2', 'ether proto 0x0800 and icmp[icmptype] = 8'], want: 2 },
    { args: ['--filter-tunnel-pcap-l2', 'icmp', '--filter-tunnel-pcap-l3', 'tcp'], want: 0 },
  ];
  // The two know each other's addresses from here on.
  await ping('-c', '1', inner[1]);
  const quiet = ['--format', 'none', '--ring-mb', '4', '--output-tunnel'];
  const traces: RunningTrace[] = [];
  // First seen here: not the replies.
  for (const { args } of cases) {
    traces.push(await startTrace(t, ...quiet, ...args, '--filter-netns', a.netns));
  }
  await ping('-c', '2', inner[1]);
  await ping('-c', '2', b.address);
  for (const [index, { args, want }] of cases.entries()) {
    const trace = traces[index];
    assert.ok(trace !== undefined);
    const { status, stderr } = await trace.end('SIGINT');
    assert.equal(status, 0, stderr);
    const lines = readFileSync(trace.jsonFile, 'utf8').split('\n').slice(0, -2);
    const paths = lines.map(readPath);
    assert.equal(paths.length, want, args.join(' '));
    for (const path of paths) {
      const ports = path.lives.flatMap(({ packets }) =>
        packets.map(({ flow }) => flow?.destinationPort),
      );
      assert.ok(ports.includes(4789), `the outer packet: ${ports.join(' ')}`);
      const told = path.lives
        .flatMap(({ calls }) => calls)
        .flatMap(({ detail }) => detail?.tunnel ?? []);
      assert.ok(told.length > 0, args.join(' '));
      for (const flow of told) {
        assert.equal(flow.transport, 'icmp');
        assert.deepEqual([flow.sourceAddress, flow.destinationAddress].sort(), [...inner]);
      }
    }
  }
});
