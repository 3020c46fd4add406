// What each option that chooses packets lets through: all tracers watch the same traffic at the same time.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { existsSync, mkdirSync, rmdirSync } from 'node:fs';
import { join } from 'node:path';
import test from 'node:test';
import { runProgram } from '../../src/cli/demo-network.ts';
import { cgroupRoot } from '../../src/kernel/cgroups.ts';
import { lossesOf, type PathRecord, type RunningTrace, startTrace } from './running-trace.ts';

const quiet = ['--format', 'none', '--ring-mb', '4'];

/** Who pinged: marked pings have another payload size. */
const pings = { small: 56, large: 400, marked: 100 } as const;
type Ping = keyof typeof pings;

async function traffic(): Promise<void> {
  const ping = ['-n', '-q', '-i', '0.01', '-c', '2'];
  await runProgram('ping', ...ping, '-s', `${pings.small}`, '127.0.0.1');
  await runProgram('ping', ...ping, '-s', `${pings.large}`, '127.0.0.2');
  await runProgram('ping', ...ping, '-s', `${pings.marked}`, '-m', '21', '127.0.0.3');
}

const kindOf = ({ flow }: PathRecord): Ping | undefined => {
  if (flow?.transport !== 'icmp' || !flow.detail.startsWith('echo request')) return undefined;
  const ends: Record<string, Ping> = { 1: 'small', 2: 'large', 3: 'marked' };
  return ends[flow.destination_address.slice('127.0.0.'.length)];
};

const cases: readonly (readonly [name: string, args: string[], want: Ping[]])[] = [
  ['no filter', [], ['small', 'large', 'marked']],
  ['a pcap filter', ['icmp[icmptype]', '=', 'icmp-echo', 'and', 'greater', '300'], ['large']],
  ['a pcap filter in one word', ['dst host 127.0.0.3 or dst host 127.0.0.1'], ['small', 'marked']],
  ['mark', ['--filter-mark', '0x15'], ['marked']],
  ['mark under a mask', ['--filter-mark', '0x10/0xf0'], ['marked']],
  ['mark 0', ['--filter-mark', '0'], ['small', 'large']],
  ['an interface', ['--filter-ifname', 'lo', 'less', '100'], ['small']],
  ['an interface that is not there', ['--filter-ifname', 'nosuch0'], []],
  [
    'fields of the skb',
    ['--filter-skb-expr', 'skb->len > 200 && skb->dev->ifindex == 1'],
    ['large'],
  ],
  ['fields in network order', ['--filter-skb-expr', 'skb->protocol == 0x86dd'], []],
  ['length', ['--filter-min-len', '120'], ['large', 'marked']],
  [
    'length and an expression',
    ['--filter-min-len', '120', '--filter-skb-expr', 'skb->mark'],
    ['marked'],
  ],
  ['what is sent', ['--filter-direction', 'transmit', 'icmp'], ['small', 'large', 'marked']],
  // On loopback everything that is sent also comes in.
  ['what came in', ['--filter-direction', 'receive', 'icmp'], ['small', 'large', 'marked']],
  ['another process', ['--filter-pid', '1'], []],
];

test('each option lets through what it says', async (t) => {
  // Four at a time: each has a ring of its own.
  for (let first = 0; first < cases.length; first += 5) {
    const some = cases.slice(first, first + 5);
    const traces = await Promise.all(some.map(([, args]) => startTrace(t, ...quiet, ...args)));
    await traffic();
    await Promise.all(traces.map((trace) => trace.end('SIGINT')));
    some.forEach(([name, , want], index) => {
      const trace = traces[index] as RunningTrace;
      const seen = new Set(trace.paths().map(kindOf));
      seen.delete(undefined);
      assert.deepEqual([...seen].sort(), [...want].sort(), name);
      assert.deepEqual(lossesOf(trace.summary()), {}, name);
    });
  }
});

/** Sends datagrams from this process to a port of loopback where nobody listens. */
async function sendDatagrams(port: number, count: number): Promise<void> {
  const socket = createSocket('udp4');
  const sent = Array.from(
    { length: count },
    (_, index) =>
      new Promise((resolve) => {
        socket.send(`datagram ${index}`, port, '127.0.0.1', resolve);
      }),
  );
  await Promise.all(sent);
  socket.close();
}

const udpTo = (trace: RunningTrace, port: number): number =>
  trace.paths().filter(({ flow }) => flow?.transport === 'udp' && flow.destination_port === port)
    .length;

test('a process sees only what it sends itself', async (t) => {
  const trace = await startTrace(t, ...quiet, '--filter-pid', `${process.pid}`);
  await sendDatagrams(4011, 5);
  await traffic();
  await trace.end('SIGINT');
  assert.equal(udpTo(trace, 4011), 5);
  assert.ok(trace.paths().every((path) => kindOf(path) === undefined));
});

test('a cgroup has the packets of its sockets, and of groups below', async (t) => {
  const root = cgroupRoot();
  if (root === undefined || !existsSync(join(root, 'cgroup.procs'))) {
    t.skip('no cgroup2 file system is mounted');
    return;
  }
  const outer = join(root, `skbspan-test-${process.pid}`);
  const inner = join(outer, 'docker-0123456789abcdef.scope');
  mkdirSync(inner, { recursive: true });
  t.after(() => {
    rmdirSync(inner);
    rmdirSync(outer);
  });
  const traces = await Promise.all([
    startTrace(t, ...quiet, '--filter-cgroup', outer),
    startTrace(t, ...quiet, '--filter-container', '0123456789ab'),
  ]);
  await traffic();
  const script = `echo $$ >${inner}/cgroup.procs && exec ping -n -q -c 1 -s ${pings.large} 127.0.0.2`;
  const child = spawn('sh', ['-c', script], { stdio: 'ignore' });
  assert.deepEqual(await once(child, 'exit'), [0, null]);
  for (const trace of traces) {
    await trace.end('SIGINT');
    assert.deepEqual(trace.paths().map(kindOf).filter(Boolean), ['large']);
  }
});

test('sampling chooses the same packets everywhere, about one of N', async (t) => {
  const traces = await Promise.all([
    startTrace(t, ...quiet, '--sample', '1/4', 'udp', 'dst', 'port', '4012'),
    startTrace(t, ...quiet, '--sample', '1/4'),
    startTrace(t, ...quiet, 'udp', 'dst', 'port', '4012'),
  ]);
  const sent = 400;
  await sendDatagrams(4012, sent);
  for (const trace of traces) await trace.end('SIGINT');
  const [narrow, wide, all] = traces.map((trace) =>
    trace
      .paths()
      .filter(({ flow }) => flow?.destination_port === 4012)
      .map((path) => path.lives[0]?.packets[0]?.bytes),
  );
  assert.equal(all?.length, sent);
  assert.ok(narrow !== undefined && wide !== undefined);
  assert.deepEqual(new Set(narrow), new Set(wide));
  assert.ok(narrow.length > sent / 8 && narrow.length < sent / 2, `${narrow.length} of ${sent}`);
});
