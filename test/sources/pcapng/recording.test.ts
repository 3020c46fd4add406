import assert from 'node:assert/strict';
import test from 'node:test';
import { SkbspanError } from '../../../src/errors.ts';
import type { Life, PacketPath, PacketSight } from '../../../src/event/packet-path.ts';
import { withStory } from '../../../src/event/story.ts';
import { createBlockBuffer } from '../../../src/exporters/pcapng/block-buffer.ts';
import {
  appendInterface,
  appendPacket,
  appendSectionHeader,
} from '../../../src/exporters/pcapng/blocks.ts';
import { createFileSection } from '../../../src/exporters/pcapng/file-section.ts';
import { hopRecords } from '../../../src/exporters/pcapng/hop-records.ts';
import {
  createRecordingReader,
  type RecordingReader,
} from '../../../src/sources/pcapng/recording.ts';
import { sight } from '../../fixtures/packet-path-parts.ts';
import { detailedPath } from '../../fixtures/detailed-path.ts';
import { allPaths, packetPaths, pingPath } from '../../fixtures/packet-paths.ts';
import { hostEth0 } from '../../fixtures/scenery.ts';
import { record } from './record.ts';

const all = Object.values(packetPaths());

function readAll(bytes: Uint8Array): { paths: PacketPath[]; reader: RecordingReader } {
  const reader = createRecordingReader('test');
  const paths = reader.push(bytes);
  reader.end();
  return { paths, reader };
}

/** The ping with something else in its life. */
function pingWith(part: Partial<Life>): PacketPath {
  const path = pingPath();
  const [life] = path.lives;
  assert.ok(life !== undefined);
  return withStory({ ...path, lives: [{ ...life, ...part }] });
}

for (const [name, path] of Object.entries(allPaths())) {
  test(`${name}: what was recorded comes back exactly`, () => {
    const { paths, reader } = readAll(record([path]));
    assert.deepEqual(paths, [path]);
    assert.equal(reader.statistics().losses.get('recording'), 0);
  });
}

test('so does what is rare: odd names, big numbers, headers in every place', () => {
  const [first] = pingPath().lives[0]?.calls ?? [];
  assert.ok(first !== undefined);
  const odd = 'a b=c%20 →\0\ud800"';
  const sights: readonly PacketSight[] = [
    sight('', { device: hostEth0, len: 0, networkOffset: undefined, protocol: 0 }),
    sight('aabbccddee4500', { device: hostEth0, len: 7, macOffset: 0, networkOffset: 5 }),
    sight('0001080006040001', { device: hostEth0, len: 28, protocol: 0x0806 }),
    sight('ff', {
      device: { ...hostEth0, name: odd, netnsName: odd, kind: odd },
      len: 4_294_967_295,
      vlan: { tci: 0xffff, protocol: 0x88a8 },
      gso: { size: 65_535, segments: 65_535 },
      hash: 0xffff_ffff,
      mark: 0xffff_ffff,
      queue: 65_535,
      socket: 0xffff_ffff_ffff_ffffn,
      flow: {
        network: 'other',
        transport: 'ethertype-0x88cc',
        sourceAddress: '',
        destinationAddress: odd,
        sourcePort: 0,
        destinationPort: 65_535,
        tcpFlags: '',
        detail: odd,
      },
    }),
  ];
  const path: PacketPath = {
    ...pingWith({
      skb: 0xffff_ffff_ffff_ffffn,
      id: 2 ** 48 - 1,
      packets: sights.map((each, seq) => ({ ...each, seq })),
      calls: [
        {
          ...first,
          func: odd,
          module: '',
          offsetNs: 8_985_600_000_000_000,
          durationNs: 8_985_600_000_000_000,
          task: {
            tid: 1,
            tgid: 2,
            comm: odd,
            cgroup: 0xffff_ffff_ffff_ffffn,
            containerId: odd,
            podUid: odd,
          },
          returnValue: 0xffff_ffff_ffff_ffffn,
          mark: 0xffff_ffff,
          packet: 3,
        },
      ],
      end: {
        offsetNs: 0,
        how: 'dropped',
        reason: odd,
        reasonCode: 0xffff_ffff,
        location: { address: 0xffff_ffff_ffff_ffffn, func: odd, offset: 4095, module: odd },
        program: undefined,
        rule: { family: odd, table: odd, chain: odd, handle: 2 ** 42 - 1 },
      },
    }),
    flow: undefined,
    startTimeNs: 0n,
    id: 2 ** 48 - 1,
  };
  assert.deepEqual(readAll(record([path])).paths, [path]);
});

test('statistics come back, also those of several runs', () => {
  const statistics = {
    events: 2 ** 40,
    lives: 3,
    paths: 2,
    drops: new Map([['a reason: odd', 4]]),
    losses: new Map([['ring_full', 5] as const]),
  };
  const once = readAll(record(all, statistics)).reader.statistics();
  assert.equal(once.events, 2 ** 40);
  assert.deepEqual(once.drops, statistics.drops);
  assert.equal(once.losses.get('ring_full'), 5);
  const two = Buffer.concat([record(all, statistics), record(all, statistics)]);
  const twice = readAll(two);
  assert.equal(twice.paths.length, 2 * all.length);
  assert.equal(twice.reader.statistics().drops.get('a reason: odd'), 8);
});

test('it does not matter how the bytes come in pieces', () => {
  const bytes = record(all);
  for (const size of [1, 7, 1000]) {
    const reader = createRecordingReader('test');
    const paths: PacketPath[] = [];
    for (let at = 0; at < bytes.length; at += size) {
      paths.push(...reader.push(bytes.subarray(at, at + size)));
    }
    reader.end();
    assert.deepEqual(paths, all);
  }
});

test('a recording that was cut off gives the paths that are whole, and counts the others', () => {
  const bytes = record(all);
  const { paths, reader } = readAll(bytes.subarray(0, bytes.length / 2));
  assert.deepEqual(paths, all.slice(0, paths.length));
  assert.ok(paths.length > 2 && paths.length < all.length);
  assert.ok(reader.cutOff > 0);
  assert.equal(reader.statistics().losses.get('recording'), 1);
  assert.equal(reader.statistics().paths, paths.length);
});

/** A recording whose records were changed or put in another order. */
function rearranged(
  change: (records: ReturnType<typeof hopRecords>) => ReturnType<typeof hopRecords>,
): Uint8Array {
  const out = createBlockBuffer();
  const section = createFileSection(out, { mode: 'hop', version: '0', os: '', hardware: '' });
  for (const packet of change(all.flatMap(hopRecords))) section.packet(packet);
  return out.take();
}

test('records that another tool has sorted by time or mixed are put together all the same', () => {
  const { paths } = readAll(rearranged((records) => records.toReversed()));
  assert.deepEqual(
    paths.toSorted((a, b) => a.id - b.id),
    all.toSorted((a, b) => a.id - b.id),
  );
});

test('a path of which a record is missing, twice there or changed is counted, the others come', () => {
  const table: readonly (readonly [string, Parameters<typeof rearranged>[0]])[] = [
    ['missing', (records) => records.slice(1)],
    ['twice', (records) => [...records.slice(0, 3), ...records.slice(2)]],
    ['changed', (records) => records.map(replaced('seq=1 ', 'seq=x '))],
    ['unknown timing', (records) => records.map(replaced('timing=point', 'timing=never'))],
    ['impossible reference', (records) => records.map(replaced(' in=0/0 ', ' in=0/99 '))],
    ['other total', (records) => records.map(replaced('rec=1/19', 'rec=1/20'))],
    ['no life', (records) => records.map(replaced('life id=17 index=0', 'life id=17 index=7'))],
  ];
  for (const [name, change] of table) {
    const { paths, reader } = readAll(rearranged(change));
    const broken = reader.statistics().losses.get('recording') ?? 0;
    assert.ok(broken > 0, name);
    assert.ok(paths.length < all.length, name);
    for (const path of paths)
      assert.deepEqual(
        path,
        all.find(({ id }) => id === path.id),
        name,
      );
  }
});

const replaced =
  (from: string, to: string) =>
  (packet: ReturnType<typeof hopRecords>[number]): ReturnType<typeof hopRecords>[number] => ({
    ...packet,
    comments: packet.comments.map((comment) => comment.replace(from, to)),
  });

test("packets and comments of others don't disturb", () => {
  const { paths, reader } = readAll(
    rearranged((records) => [
      ...records.map((packet) => ({ ...packet, comments: ['my note', ...packet.comments] })),
      ...records.slice(0, 2).map((packet) => ({ ...packet, comments: ['call me'] })),
    ]),
  );
  assert.deepEqual(paths, all);
  assert.equal(reader.foreign, 2);
});

const ofTshark = (): Uint8Array => {
  const out = createBlockBuffer();
  appendSectionHeader(out, { application: 'Dumpcap (Wireshark) 4.0.17' });
  return out.take();
};
const header = (comment: string): Uint8Array => {
  const out = createBlockBuffer();
  appendSectionHeader(out, { comments: [comment] });
  return out.take();
};
const withPacketOnly = (): Uint8Array => {
  const out = createBlockBuffer();
  appendSectionHeader(out, { comments: ['skbspan format=1 mode=hop'] });
  appendPacket(out, 0, {
    timeHigh: 0,
    timeLow: 0,
    data: [],
    originalLength: 0,
    comments: [],
    flags: 0,
    packetId: undefined,
    queue: undefined,
  });
  return out.take();
};
const changed = (at: number, ...values: number[]): Uint8Array => {
  const bytes = Buffer.from(record(all));
  bytes.set(values, at);
  return bytes;
};
const shortInterface = (): Uint8Array => {
  const out = createBlockBuffer();
  appendSectionHeader(out, { comments: ['skbspan format=1 mode=hop'] });
  appendInterface(out, { linkType: 1, snaplen: 0 });
  const bytes = Buffer.from(out.take());
  return bytes;
};

test('what is no recording is refused with what it is', () => {
  const table: readonly (readonly [string, Uint8Array, RegExp])[] = [
    ['pcap', Buffer.from('d4c3b2a1020004000000000000000000', 'hex'), /is a pcap file/],
    ['JSON', Buffer.from('{"schema":1}'), /is JSON, not a recording/],
    ['text', Buffer.from('hello, world'), /is no pcapng/],
    ['other tool', ofTshark(), /written by 'Dumpcap \(Wireshark\) 4\.0\.17': it has packets, but/],
    ['path mode', header('skbspan format=1 mode=path'), /mode path: each packet once/],
    ['newer', header('skbspan format=2 mode=hop'), /recording of format 2; this skbspan reads 1/],
    ['odd format', header('skbspan format=x mode=hop'), /section header that is damaged/],
    ['no interface', withPacketOnly(), /a packet of an interface that is not there/],
    ['big-endian', changed(8, 0x1a, 0x2b, 0x3c, 0x4d), /big-endian/],
    ['no byte order', changed(8, 1, 2, 3, 4), /no byte order/],
    ['lengths differ', changed(4, 60), /the two lengths of a block differ|a block of/],
    ['a huge block', changed(4, 0, 0, 0, 0x7f), /a block of 2130706432 bytes/],
  ];
  for (const [name, bytes, message] of table) {
    assert.throws(
      () => readAll(bytes),
      (error) =>
        error instanceof SkbspanError &&
        error.code === 'SKBSPAN_INPUT' &&
        message.test(error.message),
      name,
    );
  }
  assert.throws(() => readAll(new Uint8Array()), /is empty/);
  assert.doesNotThrow(() => readAll(shortInterface()));
});

test('what stands before damage is handed out', () => {
  const good = record(all);
  const bad = Buffer.concat([good, Buffer.alloc(40, 0xff)]);
  const reader = createRecordingReader('test');
  assert.throws(() => reader.push(bad), /damaged at byte/);
  assert.deepEqual(reader.salvage(), all);
});

test("what was asked of a program's call comes back beside its verdict", () => {
  const [life] = detailedPath().lives;
  const detailed = life?.calls.find(({ detail }) => detail !== undefined);
  assert.ok(detailed !== undefined);
  const path = pingWith({
    calls: [
      {
        ...detailed,
        kind: 'tc',
        parent: undefined,
        packet: -1,
        returnValue: 2n,
        verdict: 'TC_ACT_SHOT',
      },
    ],
  });
  assert.deepEqual(readAll(record([path])).paths, [path]);
});

test('words that a later version adds are passed over', () => {
  const bytes = rearranged((records) =>
    records
      .map(replaced(' at=', ' newer=%20x at='))
      .map(replaced(' seq=', ' more=0x7 seq='))
      .map(replaced('/19', '/19 last=1')),
  );
  assert.deepEqual(readAll(bytes).paths, all);
});
