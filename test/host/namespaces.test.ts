import assert from 'node:assert/strict';
import test, { type TestContext } from 'node:test';
import { createDemoNetwork, type DemoNetwork } from '../../src/cli/demo-network.ts';
import { exchangeTcp, ping, sendUdp } from '../../src/cli/demo-traffic.ts';
import { isCopiedToUser, namespacesOf, type PathRecord, startTrace } from './running-trace.ts';

async function network(t: TestContext): Promise<DemoNetwork> {
  const made = await createDemoNetwork('skbspan-test');
  t.after(made.remove);
  return made;
}

const from = (address: string) => (path: PathRecord) => path.flow?.source_address === address;

test('a ping between namespaces: one path crosses both, one comes back', async (t) => {
  const { a, b } = await network(t);
  const trace = await startTrace(t);
  await ping(a, b);
  assert.equal((await trace.end('SIGINT')).status, 0);

  const icmp = trace
    .paths()
    .filter(({ flow }) => flow?.transport === 'icmp')
    .filter((path) => !path.lives.every(({ calls }) => calls.every(isCopiedToUser)));
  const [request, ...moreRequests] = icmp.filter(from(a.address));
  const [reply, ...moreReplies] = icmp.filter(from(b.address));
  assert.ok(request !== undefined && reply !== undefined);
  assert.deepEqual([moreRequests, moreReplies], [[], []]);
  assert.deepEqual(namespacesOf(request), [a.netns, b.netns]);
  assert.deepEqual(namespacesOf(reply), [b.netns, a.netns]);
  const devices = request.lives.flatMap((life) => life.calls.map((call) => call.device.name));
  assert.deepEqual(
    [...new Set(devices)].filter((name) => name !== ''),
    [a.device, b.device],
  );
  for (const path of [request, reply]) {
    assert.deepEqual([path.ending, path.losses], ['ended', []]);
  }
});

test('a firewall drop ends the path with its reason', async (t) => {
  const { a, b, blockedPort } = await network(t);
  const trace = await startTrace(t);
  await sendUdp(a, b, blockedPort);
  const { status, stderr } = await trace.end('SIGINT');
  assert.equal(status, 0);

  const dropped = trace.paths().filter(({ flow }) => flow?.destination_port === blockedPort);
  assert.equal(dropped.length, 1);
  const ends = dropped[0]?.lives.map((life) => life.end);
  assert.ok(
    ends?.some((end) => end?.how === 'dropped' && end.reason === 'NETFILTER_DROP'),
    JSON.stringify(ends),
  );
  assert.match(stderr, /dropped by the kernel:\n(.*\n)* +\d+ {2}NETFILTER_DROP\n/);
});

test('a TCP connection: every segment of it, from SYN to FIN, in both directions', async (t) => {
  const { a, b } = await network(t);
  const trace = await startTrace(t);
  await exchangeTcp(a, b);
  assert.equal((await trace.end('SIGINT')).status, 0);

  const segments = trace
    .paths()
    .filter(({ flow }) => flow?.transport === 'tcp')
    .filter((path) => from(a.address)(path) || from(b.address)(path));
  const flags = (address: string): string[] =>
    segments.filter(from(address)).map(({ flow }) => flow?.tcp_flags ?? '');
  assert.equal(flags(a.address)[0], 'S');
  assert.equal(flags(b.address)[0], 'S.');
  for (const { address } of [a, b]) {
    assert.ok(
      flags(address).some((text) => text.includes('P')),
      `no data from ${address}`,
    );
    assert.ok(
      flags(address).some((text) => text.includes('F')),
      `no FIN from ${address}`,
    );
  }
  for (const path of segments) {
    assert.deepEqual(path.losses, []);
    assert.equal(namespacesOf(path).length, 2, namespacesOf(path).join());
  }
});

test('--filter-netns follows only packets first seen there, wherever they go', async (t) => {
  const { a, b } = await network(t);
  const trace = await startTrace(t, '--filter-netns', a.netnsPath);
  await ping(a, b);
  assert.equal((await trace.end('SIGINT')).status, 0);

  const paths = trace.paths();
  const requests = paths.filter(({ flow }) => flow?.detail.startsWith('echo request'));
  assert.equal(requests.length, 1);
  assert.deepEqual(requests.map(namespacesOf), [[a.netns, b.netns]]);
  assert.deepEqual(
    paths.filter((path) => namespacesOf(path)[0] !== a.netns),
    [],
  );
});
