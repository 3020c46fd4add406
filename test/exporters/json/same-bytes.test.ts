import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { Call, PacketPath, PacketSight } from '../../../src/event/packet-path.ts';
import { pathLines } from '../../../src/exporters/json/records.ts';
import { textOf, type Fields } from '../../../src/exporters/json/text.ts';
import { manyPaths, take } from '../../fixtures/many-paths.ts';
import { allPaths, natPath, tcpSegmentPath } from '../../fixtures/packet-paths.ts';
import { plainRecord } from './plain-record.ts';

const iso = (epochNs: bigint): string =>
  new Date(Number(epochNs / 1_000_000n)).toISOString().slice(0, 19) +
  `.${(epochNs % 1_000_000_000n).toString().padStart(9, '0')}Z`;

/** What is written is what JSON.stringify (but for DEL and C1, text.ts) makes of the plain object. */
function same(path: PacketPath, what: string): void {
  const plain = plainRecord(path, iso(path.startTimeNs), path.origin) as Fields;
  assert.equal(pathLines([path]).toString(), `${textOf(plain)}\n`, what);
}

/** xorshift: the same ones every time. */
function createRandom(seed: number): (most: number) => number {
  let state = seed;
  return (most) => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) % (most + 1);
  };
}

describe('JSON of a path is byte for byte what JSON.stringify makes of a plain object', () => {
  for (const [name, path] of Object.entries(allPaths()))
    test(name, () => {
      same(path, name);
      same({ ...path, origin: { host: 'a"é\u0085', bootId: '' } }, name);
    });

  test('one after the other, what they share and what they do not', () => {
    for (const path of take(manyPaths(), 200)) same(path, path.traceId);
  });

  test('times of all days', () => {
    const times = [0n, 1n, 999_999_999n, 1_000_000_000n, 1_787_350_400_000_000_000n];
    const random = createRandom(7);
    for (let index = 0; index < 2_000; index++)
      times.push(BigInt(random(0xffff_ffff)) * BigInt(random(0x7fff_ffff)));
    for (const startTimeNs of times) same({ ...natPath(), startTimeNs }, `${startTimeNs}`);
  });

  test('calls that share all of their context, or all but one thing', () => {
    const path = tcpSegmentPath();
    const [life] = path.lives;
    const [call] = life?.calls ?? [];
    assert.ok(life !== undefined && call !== undefined);
    const others: readonly Partial<Call>[] = [
      {},
      { cpu: call.cpu + 1 },
      { task: { ...call.task, comm: 'other' } },
      { device: { ...call.device, name: 'other' } },
      { len: call.len + 1 },
      { mark: call.mark + 1 },
      { protocol: call.protocol + 1 },
    ];
    for (const one of others)
      for (const other of others) {
        const calls = [one, one, other, other, {}].map((more) => ({ ...call, ...more }));
        const lives = [life, { ...life, calls }, { ...life, calls }, { ...life, calls: [] }];
        same({ ...path, lives }, `${Object.keys(one).join()} ${Object.keys(other).join()}`);
      }
    // The record moves to larger memory in the middle of them, more than once.
    const calls = Array.from({ length: 20_000 }, (_, seq) => ({ ...call, seq, len: seq >> 8 }));
    same({ ...path, lives: [{ ...life, calls }] }, 'many calls');
  });

  test('numbers at their edges, in every place', () => {
    const path = tcpSegmentPath();
    const [life] = path.lives;
    const [call] = life?.calls ?? [];
    const [sight] = life?.packets ?? [];
    assert.ok(life !== undefined && call !== undefined && sight !== undefined);
    const random = createRandom(1);
    const numbers = [
      -1,
      0,
      1,
      9,
      63,
      64,
      65,
      9_999,
      10_000,
      2 ** 31,
      2 ** 32 - 1,
      2 ** 47,
      2 ** 53,
    ];
    const number = (): number => numbers[random(numbers.length - 1)] ?? 0;
    const bigs = [
      0n,
      1n,
      15n,
      0xfff_ffff_ffff_ffffn,
      0x1000_0000_0000_0000n,
      2n ** 64n - 1n,
      2n ** 64n,
    ];
    const big = (): bigint => (bigs[random(bigs.length - 1)] ?? 0n) ^ BigInt(random(1));
    const timings = ['exit', 'enter-only', 'point', 'unfinished'] as const;
    const randomCall = (): Call => ({
      ...call,
      seq: number(),
      offsetNs: number(),
      durationNs: random(3) === 0 ? undefined : number(),
      timing: timings[random(3)] ?? 'exit',
      depth: number(),
      parent: random(1) === 0 ? undefined : { life: number(), call: number() },
      cpu: number(),
      len: number(),
      mark: number(),
      protocol: number(),
      returnValue: random(3) === 0 ? undefined : big(),
      packet: number(),
      verdict: random(3) === 0 ? 'XDP_DROP' : undefined,
      task: { ...call.task, tid: number(), cgroup: big(), comm: 'x"\u0085é' },
      device: random(1) === 0 ? call.device : { ...call.device, mtu: number() },
    });
    const randomSight = (): PacketSight => ({
      ...sight,
      bytes: Uint8Array.from({ length: random(130) }, () => random(255)),
      hash: number(),
      mark: number(),
      socket: big(),
      macOffset: random(1) === 0 ? undefined : number(),
      vlan: random(1) === 0 ? undefined : { tci: number(), protocol: number() },
      gso: random(1) === 0 ? undefined : { size: number(), segments: number() },
    });
    for (let round = 0; round < 500; round++) {
      const calls = Array.from({ length: random(8) }, randomCall);
      const packets = Array.from({ length: random(3) }, randomSight);
      const lives = [{ ...life, id: number(), skb: big(), offsetNs: number(), calls, packets }];
      same({ ...path, id: number(), durationNs: number(), lives }, `round ${round}`);
    }
  });
});
