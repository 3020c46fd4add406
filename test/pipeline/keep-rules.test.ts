import assert from 'node:assert/strict';
import test from 'node:test';
import type { PacketPath } from '../../src/event/packet-path.ts';
import { parseKeep } from '../../src/pipeline/keep-rules.ts';
import { manyPaths, take } from '../fixtures/many-paths.ts';
import { packetPaths, pingPath } from '../fixtures/packet-paths.ts';

function kept(rules: string, paths = packetPaths()): string[] {
  const keep = parseKeep(rules);
  assert.ok(typeof keep === 'function', String(keep));
  return Object.entries(paths)
    .filter(([, path]) => keep(path))
    .map(([name]) => name);
}

function returning(value: bigint): Record<string, PacketPath> {
  const path = pingPath();
  const lives = path.lives.map((life) => ({
    ...life,
    calls: life.calls.map((call) => ({ ...call, returnValue: value })),
  }));
  return { path: { ...path, lives } };
}

const table: readonly (readonly [rules: string, names: readonly string[]])[] = [
  ['dropped', ['dropped']],
  ['incomplete', ['lossy']],
  ['dropped, incomplete', ['dropped', 'lossy']],
  ['1/1', Object.keys(packetPaths())],
  ['flow=arp', ['arp']],
  ['flow=udp/192.0.2.7', ['dropped', 'lossy']],
];
for (const [rules, names] of table)
  test(rules, () => {
    assert.deepEqual(kept(rules), names);
  });

test('slow: longer than a time in any unit', () => {
  const path = { ...pingPath(), durationNs: 5_000_001 };
  for (const limit of ['5ms', '5000us', '5000000ns', '0.005s'])
    assert.deepEqual(kept(`slow>${limit}`, { path }), ['path'], limit);
  assert.deepEqual(kept('slow>5ms', { path: { ...path, durationNs: 5_000_000 } }), []);
});

test('errors: an error number was returned, as an int or a pointer', () => {
  for (const value of [0xffff_ffean, 0xffff_ffff_ffff_ffean, 0xffff_f001n])
    assert.deepEqual(kept('errors', returning(value)), ['path'], value.toString(16));
  for (const value of [0n, 1n, 0xffff_f000n, 0x8000_0000n, 0xffff_8881_ffff_ffean])
    assert.deepEqual(kept('errors', returning(value)), [], value.toString(16));
});

test('1/N: some N-th of the paths, the same ones each time', () => {
  const paths = take(manyPaths(), 20_000);
  const keep = parseKeep('1/100');
  assert.ok(typeof keep === 'function');
  const first = paths.filter(keep);
  assert.ok(first.length > 150 && first.length < 250, `${first.length}`);
  assert.deepEqual(paths.filter(keep), first);
});

const flows: readonly (readonly [rule: string, matches: boolean])[] = [
  ['10.7.0.1', true],
  ['10.7.0.2', true],
  ['10.7.0.3', false],
  ['10.0.0.0/8', true],
  ['11.0.0.0/8', false],
  ['0.0.0.0/0', true],
  [':443', true],
  [':80', false],
  ['10.7.0.2:443', true],
  ['10.7.0.1:443', false],
  ['tcp', true],
  ['udp', false],
  ['tcp/10.7.0.2:443', true],
  ['tcp/:443', true],
  ['fd00::1', false],
  ['[::]:443', false],
];
for (const [rule, matches] of flows)
  test(`flow=${rule} ${matches ? 'matches' : 'does not match'} 10.7.0.1:4000 > 10.7.0.2:443`, () => {
    const path = pingPath();
    const flow = {
      network: 'ipv4',
      transport: 'tcp',
      sourceAddress: '10.7.0.1',
      sourcePort: 4000,
      destinationAddress: '10.7.0.2',
      destinationPort: 443,
      tcpFlags: 'S',
      detail: '',
    } as const;
    const lives = path.lives.map((life) => ({
      ...life,
      packets: life.packets.map((sight) => ({ ...sight, flow })),
    }));
    assert.deepEqual(kept(`flow=${rule}`, { path: { ...path, lives } }), matches ? ['path'] : []);
  });

test('an IPv6 address with a port', () => {
  assert.deepEqual(kept('flow=[2001:db8::53]:53'), ['ipv6_udp']);
  assert.deepEqual(kept('flow=[2001:db8::53]:54'), []);
  assert.deepEqual(kept('flow=2001:db8::/32'), ['ipv6_udp']);
});

test('every mistake is named', () => {
  for (const rules of [
    '',
    'slow',
    'slow>5',
    'slow>5m',
    '1/0',
    '2/3',
    'drop',
    'flow=',
    'flow=x/',
    'flow=1.2.3',
    'flow=10.0.0.0/33',
    'flow=:70000',
    'flow=tcp/x',
  ])
    assert.ok(Array.isArray(parseKeep(rules)), rules);
  assert.equal((parseKeep('a,dropped,b') as string[]).length, 2);
});
