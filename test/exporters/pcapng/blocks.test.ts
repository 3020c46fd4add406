import assert from 'node:assert/strict';
import test from 'node:test';
import { createBlockBuffer } from '../../../src/exporters/pcapng/block-buffer.ts';
import {
  appendInterface,
  appendNames,
  appendPacket,
  appendSectionHeader,
  appendStatistics,
  capturedBytesMax,
  checkPacket,
  type EnhancedPacket,
  verdictType,
} from '../../../src/exporters/pcapng/blocks.ts';
import { optionBytesMax } from '../../../src/exporters/pcapng/options.ts';

const packet: EnhancedPacket = {
  timeHigh: 0,
  timeLow: 0,
  data: [],
  originalLength: 0,
  comments: [],
  flags: 0,
  packetId: undefined,
  queue: undefined,
};

const hex = (write: (out: ReturnType<typeof createBlockBuffer>) => void): string => {
  const out = createBlockBuffer(8);
  write(out);
  return Buffer.from(out.take()).toString('hex');
};

test('each block has the bytes of the specification', () => {
  const table: readonly (readonly [string, string, string])[] = [
    [
      'section',
      hex((out) => {
        appendSectionHeader(out, { application: 'skb' });
      }),
      '0a0d0d0a 28000000 4d3c2b1a 0100 0000 ffffffffffffffff 0400 0300 736b6200 00000000 28000000',
    ],
    [
      'interface',
      hex((out) => {
        appendInterface(out, { linkType: 1, snaplen: 128, name: 'eth0' });
      }),
      '01000000 28000000 0100 0000 80000000 0200 0400 65746830 0900 0100 09000000 00000000 28000000',
    ],
    [
      'packet',
      hex((out) => {
        appendPacket(out, 2, {
          ...packet,
          timeHigh: 1,
          timeLow: 0x80000000,
          data: [Uint8Array.of(1, 2), Uint8Array.of(3)],
          originalLength: 9,
          comments: ['é'],
          flags: 2,
          packetId: 0x1_0000_0002n,
          queue: 3,
        });
      }),
      '06000000 4c000000 02000000 01000000 00000080 03000000 09000000 01020300 0100 0200 c3a90000' +
        '0200 0400 02000000 0500 0800 0200000001000000 0600 0400 03000000 00000000 4c000000',
    ],
    [
      'packet with verdicts, drop count and process',
      hex((out) => {
        appendPacket(out, 0, {
          ...packet,
          dropCount: 7n,
          verdicts: [
            { type: verdictType.hardware, value: Uint8Array.of(0xab) },
            { type: verdictType.tc, value: -1n },
          ],
          process: { tgid: 5, tid: 6 },
        });
      }),
      '06000000 54000000 00000000 00000000 00000000 00000000 00000000 0400 0800 0700000000000000' +
        '0700 0200 00ab0000 0700 0900 01ffffffffffffffff000000 0800 0800 05000000 06000000 00000000 54000000',
    ],
    [
      'statistics',
      hex((out) => {
        appendStatistics(out, { interface: 1, time: 0x2_0000_0003n, received: 4n, osDropped: 5n });
      }),
      '05000000 34000000 01000000 02000000 03000000 0400 0800 0400000000000000' +
        '0700 0800 0500000000000000 00000000 34000000',
    ],
    [
      'names',
      hex((out) => {
        appendNames(out, [{ address: Uint8Array.of(10, 7, 0, 1), name: 'web' }]);
      }),
      '04000000 20000000 0100 0800 0a070001 77656200 00000000 00000000 20000000',
    ],
  ];
  for (const [name, got, want] of table) assert.equal(got, want.replaceAll(' ', ''), name);
});

test('nonsense is refused before the first byte', () => {
  const table: readonly (readonly [string, (out: ReturnType<typeof createBlockBuffer>) => void])[] =
    [
      [
        'less than captured',
        (out) => {
          appendPacket(out, 0, { ...packet, data: [new Uint8Array(2)], originalLength: 1 });
        },
      ],
      [
        'too much captured',
        (out) => {
          const data = [new Uint8Array(capturedBytesMax + 1)];
          appendPacket(out, 0, { ...packet, data, originalLength: capturedBytesMax + 1 });
        },
      ],
      [
        'a comment that no option holds',
        (out) => {
          appendPacket(out, 0, { ...packet, comments: ['é'.repeat(optionBytesMax / 2 + 1)] });
        },
      ],
      [
        'a verdict of bytes for tc',
        (out) => {
          const verdicts = [{ type: verdictType.tc, value: Uint8Array.of(1) }];
          appendPacket(out, 0, { ...packet, verdicts });
        },
      ],
      [
        'an interface name that no option holds',
        (out) => {
          appendInterface(out, { linkType: 1, snaplen: 0, name: 'x'.repeat(optionBytesMax + 1) });
        },
      ],
      [
        'half a MAC address',
        (out) => {
          appendInterface(out, { linkType: 1, snaplen: 0, mac: new Uint8Array(3) });
        },
      ],
      [
        'a name for no address',
        (out) => {
          appendNames(out, [{ address: new Uint8Array(5), name: 'x' }]);
        },
      ],
      [
        'no name',
        (out) => {
          appendNames(out, [{ address: new Uint8Array(4), name: '' }]);
        },
      ],
    ];
  for (const [name, write] of table) {
    const out = createBlockBuffer();
    assert.throws(
      () => {
        write(out);
      },
      RangeError,
      name,
    );
    assert.equal(out.length, 0, name);
  }
});

test('a comment of exactly the longest length is written', () => {
  const comments = ['x'.repeat(optionBytesMax)];
  checkPacket({ ...packet, comments });
  const out = createBlockBuffer();
  appendPacket(out, 0, { ...packet, comments });
  assert.ok(out.length > optionBytesMax);
});
