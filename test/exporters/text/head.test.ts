import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { PacketPath, PathLoss } from '../../../src/event/packet-path.ts';
import { withStory } from '../../../src/event/story.ts';
import { headLines } from '../../../src/exporters/text/head.ts';
import { outcome } from '../../../src/exporters/text/outcome.ts';
import { createPaint } from '../../../src/exporters/text/paint.ts';
import { device, buildPath } from '../../fixtures/packet-path-parts.ts';
import { droppedPath, ipv6UdpPath, pingPath, tcpSegmentPath } from '../../fixtures/packet-paths.ts';
import { client, clientVeth, serverVeth, start } from '../../fixtures/scenery.ts';

process.env['TZ'] = 'UTC';

const plain = createPaint(false);
const drop = droppedPath().lives[0]?.end;
const withEnds = (path: PacketPath, ...ends: PacketPath['lives'][number]['end'][]): PacketPath =>
  withStory({
    ...path,
    lives: path.lives.map((life, index) => ({ ...life, end: ends[index] })),
  });

describe('outcome', () => {
  const table: readonly { name: string; path: PacketPath; text: string; dropped: boolean }[] = [
    {
      name: 'the end of the packet itself',
      path: pingPath(),
      text: 'consumed at icmp_rcv+0x1a3',
      dropped: false,
    },
    {
      name: 'a drop',
      path: droppedPath(),
      text: '✗ dropped NETFILTER_DROP at nf_hook_slow+0x5a by inet filter input handle 7',
      dropped: true,
    },
    {
      name: 'a drop of a clone counts before the end of the original',
      path: withEnds(tcpSegmentPath(), undefined, drop),
      text: '✗ dropped NETFILTER_DROP at nf_hook_slow+0x5a by inet filter input handle 7 (clone #19)',
      dropped: true,
    },
    {
      name: 'several drops',
      path: withEnds(tcpSegmentPath(), drop, drop),
      text: '✗ dropped NETFILTER_DROP at nf_hook_slow+0x5a by inet filter input handle 7, 2 drops in all',
      dropped: true,
    },
    {
      name: 'delivered: to which socket, read by whom',
      path: tcpSegmentPath(),
      text: 'delivered to tcp socket 127.0.0.1:8080 (inode 34999, uid 33, container 4f3c0de54f3c), read by nginx[5001]',
      dropped: false,
    },
    {
      name: 'transmitted: on which device',
      path: ipv6UdpPath(),
      text: 'transmitted on host:eth0',
      dropped: false,
    },
    { name: 'no end', path: withEnds(pingPath()), text: 'still alive', dropped: false },
  ];
  for (const { name, path, text, dropped } of table) {
    test(name, () => {
      assert.deepEqual(outcome(path), { text, dropped });
    });
  }
});

test('many losses are counted, not listed', () => {
  const loss: PathLoss = { cause: 'events', life: 0, afterSeq: 3, count: 2 };
  const path = { ...pingPath(), losses: Array.from({ length: 12 }, () => loss) };
  const lines = headLines(path, plain).slice(2);
  assert.equal(lines.length, 6);
  assert.equal(lines[0], '    ! 2 events of #17 are missing after its event 3');
  assert.equal(lines[5], '    ! and 7 more losses');
});

test('an early end says why', () => {
  const line = (ending: PacketPath['ending']): string | undefined =>
    headLines({ ...pingPath(), ending }, plain)[2];
  assert.equal(line('ended'), undefined);
  assert.match(line('idle') ?? '', /nothing was heard/);
  assert.match(line('evicted') ?? '', /memory/);
  assert.match(line('stopped') ?? '', /tracing stopped/);
});

test('places: each crossing once, a namespace without a device only where none is known', () => {
  const at = (...devices: readonly ReturnType<typeof device>[]): string | undefined =>
    headLines(
      buildPath({
        lives: [
          {
            id: 1,
            skb: 1n,
            start,
            calls: devices.map((each, index) => ({ func: 'f', at: index, lasts: 1, device: each })),
          },
        ],
      }),
      plain,
    )[1];
  assert.equal(at(client), '    client');
  assert.equal(at(client, clientVeth, client, serverVeth), '    client:veth0 → server:veth1');
  assert.equal(
    at(clientVeth, serverVeth, clientVeth),
    '    client:veth0 → server:veth1 → client:veth0',
  );
  assert.equal(at(device(0, '')), undefined);
});

test('the first line names who, which way, how long and what became of it', () => {
  assert.equal(
    headLines({ ...droppedPath(), direction: 'unknown' }, plain)[0],
    '22:13:20.123456 #23 udp 192.0.2.7:40000 > 192.0.2.1:9   47 B   9.3us   ✗ dropped NETFILTER_DROP at nf_hook_slow+0x5a by inet filter input handle 7',
  );
});
