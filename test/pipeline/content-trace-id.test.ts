import assert from 'node:assert/strict';
import test from 'node:test';
import type { PacketPath } from '../../src/event/packet-path.ts';
import { contentOf } from '../../src/event/packet-content.ts';
import { createContentTraceIds } from '../../src/pipeline/content-trace-id.ts';
import { device, flow, sight } from '../fixtures/packet-path-parts.ts';
import { pingPath } from '../fixtures/packet-paths.ts';

/** IPv4 and TCP headers without options, as hex; changes by name. */
function tcp(
  change: Partial<
    Record<
      'tos' | 'len' | 'id' | 'ttl' | 'sum' | 'src' | 'sport' | 'seq' | 'flags' | 'tsum',
      string
    >
  > = {},
): string {
  const at = {
    tos: '00',
    len: '0034',
    id: '1234',
    ttl: '40',
    sum: 'aaaa',
    src: '0a070001',
    sport: '9c40',
    seq: '11111111',
    flags: '10',
    tsum: 'bbbb',
    ...change,
  };
  return `45${at.tos}${at.len}${at.id}4000${at.ttl}06${at.sum}${at.src}0a070002 ${at.sport}01bb${at.seq}22222222 50${at.flags}7210${at.tsum}0000`;
}
const udp = (payload: string, ports = '9c400035'): string =>
  `4500003c12340000 4011aaaa0a0700010a070002 ${ports}0028bbbb ${payload}`;

const contentHex = (hex: string, mac = ''): string =>
  Buffer.from(
    contentOf(
      sight(mac + hex, { device: device(1, 'a'), len: 100, networkOffset: mac.length / 2 }),
    ) ?? [],
  ).toString('hex');

const same: Readonly<Record<string, readonly [string, string]>> = {
  'routers change TTL and checksum': [tcp(), tcp({ ttl: '3f', sum: 'abab' })],
  'ECN and DSCP': [tcp(), tcp({ tos: '03' })],
  'NAT changes addresses, ports and checksums': [
    tcp(),
    tcp({ src: 'c0a80001', sport: '1111', sum: '0001', tsum: '0002' }),
  ],
  'offload leaves the checksum to the device': [tcp(), tcp({ tsum: '0000' })],
  'the first segment of a GSO packet has no PSH and another length': [
    tcp({ flags: '18', len: '4000' }),
    tcp({ len: '05dc' }),
  ],
  'UDP behind NAT': [
    udp('0102030405060708090a0b0c0d0e0f101112131415161718'),
    udp('0102030405060708090a0b0c0d0e0f101112131415161718', '11110035'),
  ],
};
for (const [name, [a, b]] of Object.entries(same))
  test(`the same content: ${name}`, () => {
    assert.notEqual(contentHex(a), '');
    assert.equal(contentHex(a), contentHex(b));
  });

test('the same content with and without a MAC header, and with payload cut off where no content is', () => {
  const payload = '01'.repeat(80);
  assert.equal(contentHex(tcp()), contentHex(tcp(), '00'.repeat(14)));
  assert.equal(contentHex(tcp()), contentHex(tcp() + payload));
  assert.equal(contentHex(udp(payload)), contentHex(udp(payload).slice(0, -20)));
});

test('the same number of bytes on every host: padding of a short frame is none, what was not captured is no content', () => {
  const short =
    '45000021 12340000 4011aaaa 0a070001 0a070002 9c400035 000dbbbb 68656c6c6f'.replaceAll(' ', '');
  const of = (hex: string, len: number, networkOffset: number): string | undefined => {
    const content = contentOf(sight(hex, { device: device(1, 'a'), len, networkOffset }));
    return content && Buffer.from(content).toString('hex');
  };
  const sent = of(short, 33, 0);
  assert.notEqual(sent, undefined);
  assert.equal(of('00'.repeat(14) + short + '00'.repeat(13), 60, 14), sent);
  assert.equal(of('00'.repeat(18) + short + '00'.repeat(13), 64, 18), sent);
  // A snap length of 128, from the network header on, behind Ethernet, and behind Ethernet with two VLAN tags.
  const long =
    `60000000 0200 1140 ${'fd'.repeat(16)} ${'fe'.repeat(16)} 9c400035 0200bbbb ${'5a'.repeat(504)}`.replaceAll(
      ' ',
      '',
    );
  const whole = long.length / 2;
  const [plain, tagged, twice] = [0, 14, 22].map((mac) =>
    of(('00'.repeat(mac) + long).slice(0, 2 * 128), whole + mac, mac),
  );
  assert.notEqual(plain, undefined);
  assert.equal(tagged, plain);
  assert.equal(twice, plain);
  // Its payload is in page fragments: the linear part ends with the headers.
  assert.equal(of(long.slice(0, 2 * 48), whole, 0), undefined);
});

const different: Readonly<Record<string, readonly [string, string]>> = {
  'sequence number': [tcp(), tcp({ seq: '11111112' })],
  'identification, as of a retransmission': [tcp(), tcp({ id: '1235' })],
  'SYN and not': [tcp({ flags: '02' }), tcp()],
  'payload of a datagram': [udp('01'.repeat(24)), udp('02'.repeat(24))],
};
for (const [name, [a, b]] of Object.entries(different))
  test(`another content: ${name}`, () => {
    assert.notEqual(contentHex(a), contentHex(b));
  });

test('IPv6: extension headers are jumped over, a fragment counts by its offset', () => {
  const header = (next: string): string =>
    `60000000 0028${next}40 ${'fd'.repeat(16)} ${'fe'.repeat(16)}`;
  const body = '9c400035 0028bbbb' + '01'.repeat(24);
  assert.equal(
    contentHex(header('11') + body),
    contentHex(`${header('00')}1100000000000000${body}`),
  );
  const fragment = (offset: string): string => `${header('2c')}1100${offset}00000007${body}`;
  assert.notEqual(contentHex(fragment('0000')), contentHex(fragment('0008')));
});

test('what is no IP packet, or cut off, has no content', () => {
  assert.equal(contentHex('0001080006040001'), '');
  assert.equal(contentHex(tcp().replaceAll(' ', '').slice(0, 70)), '');
});

const pathOf = (hex: string, part: { startNs?: bigint; netns?: number } = {}): PacketPath => {
  const path = pingPath();
  const packet = sight(hex, {
    device: device(part.netns ?? 1, 'a'),
    len: 100,
    flow: flow({ network: 'ipv4', transport: 'tcp' }),
  });
  return {
    ...path,
    startTimeNs: part.startNs ?? path.startTimeNs,
    lives: path.lives.map((life, index) => ({ ...life, packets: index === 0 ? [packet] : [] })),
  };
};

test('two hosts give one packet one trace id, and the n-th repetition one of its own', () => {
  const [a, b] = [createContentTraceIds(), createContentTraceIds()];
  const first = a(pathOf(tcp()));
  assert.match(first.traceId, /^[0-9a-f]{32}$/);
  assert.notEqual(first.traceId, pathOf(tcp()).traceId);
  assert.equal(b(pathOf(tcp({ ttl: '3f' }), { netns: 2 })).traceId, first.traceId);
  const again = a(pathOf(tcp()));
  assert.notEqual(again.traceId, first.traceId);
  assert.equal(b(pathOf(tcp(), { netns: 2 })).traceId, again.traceId);
  assert.equal(a(pathOf(tcp(), { netns: 3 })).traceId, first.traceId, 'a hop on the same host');
});

test('a minute later the same content is not a repetition any more', () => {
  const ids = createContentTraceIds();
  const first = ids(pathOf(tcp(), { startNs: 10n ** 18n }));
  assert.equal(
    ids(pathOf(tcp(), { startNs: 10n ** 18n + 61n * 10n ** 9n })).traceId,
    first.traceId,
  );
});

test('what is remembered is bounded, and a path without content keeps its id', () => {
  const ids = createContentTraceIds();
  const first = ids(pathOf(tcp()));
  for (let i = 0; i < 70_000; i++) ids(pathOf(tcp({ seq: i.toString(16).padStart(8, '0') })));
  assert.equal(ids(pathOf(tcp())).traceId, first.traceId, 'forgotten');
  assert.equal(ids(pathOf('00')).traceId, pathOf('00').traceId);
});
