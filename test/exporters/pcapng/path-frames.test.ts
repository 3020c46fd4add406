import assert from 'node:assert/strict';
import test from 'node:test';
import type { Life, PacketPath } from '../../../src/event/packet-path.ts';
import { nameOfSender, pathFrames } from '../../../src/exporters/pcapng/path-frames.ts';
import { location } from '../../fixtures/packet-path-parts.ts';
import {
  droppedPath,
  enterOnlyPath,
  lossyPath,
  natPath,
  pingPath,
  tcpSegmentPath,
} from '../../fixtures/packet-paths.ts';

const timeOf = ({ timeHigh, timeLow }: { timeHigh: number; timeLow: number }): bigint =>
  (BigInt(timeHigh) << 32n) | BigInt(timeLow);

/** The path with a further life, made from the life `from`. */
function withClone(path: PacketPath, from: number, clone: Partial<Life>): PacketPath {
  const original = path.lives[from];
  assert.ok(original !== undefined);
  const life: Life = {
    ...original,
    id: 99,
    parent: { life: from, call: 0, operation: 'clone' },
    ...clone,
  };
  return { ...path, lives: [...path.lives, life] };
}

test('a packet is one frame at its first sight, with its path beside it', () => {
  const path = pingPath();
  const frames = pathFrames(path);
  assert.equal(frames.length, 1);
  const packet = frames[0]?.packet;
  assert.ok(packet !== undefined);
  assert.equal(timeOf(packet), path.startTimeNs);
  // It had no device at first sight: the one that it left by is shown.
  assert.equal(packet.interfaceName, 'client:veth0');
  assert.equal(packet.linkType, 101);
  assert.equal(packet.originalLength, 84);
  assert.equal(packet.flags, 2);
  assert.equal(packet.packetId, 17);
  assert.deepEqual(packet.process, { tgid: 4711, tid: 4711 });
  assert.deepEqual(packet.comments.slice(0, 2), [
    '17 calls  46.8us  client:veth0 -> server:veth1  consumed at icmp_rcv+0x1a3',
    'path id=17 trace=5eed0000000000000000000000000011 life=17 dur=46800ns calls=17 lives=1 dir=transmit' +
      ' netns=client,server dev=veth0,veth1 task=ping pid=4711 tid=4711 ending=ended outcome=consumed how=consumed loc=icmp_rcv+0x1a3',
  ]);
  assert.deepEqual(packet.comments[2]?.split('\n').slice(0, 4), [
    'calls',
    'ip_send_skb dur=46800ns at=0ns',
    '  ip_local_out dur=46200ns at=400ns',
    '    __ip_local_out dur=950ns at=650ns',
  ]);
});

test('a dropped packet says why and where; its VLAN tag is in the frame', () => {
  const [frame] = pathFrames(droppedPath());
  assert.ok(frame !== undefined);
  const { packet } = frame;
  assert.match(packet.comments[0] ?? '', /dropped NETFILTER_DROP at nf_hook_slow\+0x5a/);
  assert.match(
    packet.comments[1] ?? '',
    / how=dropped reason=NETFILTER_DROP loc=nf_hook_slow\+0x5a/,
  );
  assert.equal(packet.interfaceName, 'host:eth0');
  assert.equal(packet.flags, 1 | (1 << 2));
  assert.equal(packet.queue, 2);
  assert.equal(packet.originalLength, 51);
  assert.equal(Buffer.concat(packet.data).subarray(12, 16).toString('hex'), '81000064');
  assert.equal(packet.process, undefined);
});

test('a renamed packet is shown once, both names are in the comment', () => {
  const frames = pathFrames(natPath());
  assert.equal(frames.length, 1);
  const [sentence] = frames[0]?.packet.comments ?? [];
  assert.match(
    sentence ?? '',
    /renamed: tcp 198\.51\.100\.9:55000 > 192\.0\.2\.1:80 => tcp 198\.51\.100\.9:55000 > 10\.9\.0\.5:8080/,
  );
});

test("TCP's clone is the frame, its original without headers is not", () => {
  const frames = pathFrames(tcpSegmentPath());
  assert.equal(frames.length, 1);
  assert.match(frames[0]?.packet.comments[1] ?? '', / life=19 .* lives=2 links=clone /);
  assert.equal(frames[0]?.offsetNs, 1_700);
});

test('a clone with the same addresses is no second frame, one that differs is', () => {
  assert.equal(pathFrames(withClone(pingPath(), 0, {})).length, 1);
  const [sight] = pingPath().lives[0]?.packets ?? [];
  assert.ok(sight !== undefined);
  const bytes = Uint8Array.from(sight.bytes, (byte, at) => (at === 10 ? 9 : byte));
  const checksummed = { ...sight, bytes };
  assert.equal(pathFrames(withClone(pingPath(), 0, { packets: [checksummed] })).length, 1);
  const flow = sight.flow && { ...sight.flow, destinationAddress: '10.7.0.9' };
  const renamed = { ...sight, flow };
  assert.equal(pathFrames(withClone(pingPath(), 0, { packets: [renamed] })).length, 2);
  const unknown = { ...sight, flow: undefined };
  assert.equal(pathFrames(withClone(pingPath(), 0, { packets: [unknown] })).length, 1);
  // Two clones of an original without headers: TCP sent it twice.
  const twice = withClone(tcpSegmentPath(), 0, {
    packets: tcpSegmentPath().lives[1]?.packets ?? [],
  });
  assert.equal(pathFrames(twice).length, 2);
});

test('a path without headers is a frame that says nothing, not left out', () => {
  const path = pingPath();
  const [root] = path.lives;
  assert.ok(root !== undefined);
  const frames = pathFrames({ ...path, lives: [{ ...root, packets: [] }], flow: undefined });
  assert.equal(frames.length, 1);
  const packet = frames[0]?.packet;
  assert.equal(packet?.linkType, 276);
  assert.equal(packet.originalLength, 20 + 84);
});

test('losses and enter-only paths are said', () => {
  assert.match(pathFrames(lossyPath())[0]?.packet.comments[0] ?? '', /incomplete: 41 events of/);
  assert.equal(pathFrames(enterOnlyPath()).length, 1);
});

test('an endless list of calls is cut and says so', () => {
  const path = pingPath();
  const [root] = path.lives;
  assert.ok(root !== undefined);
  const [call] = root.calls;
  assert.ok(call !== undefined);
  const calls = Array.from({ length: 5000 }, (_, offsetNs) => ({ ...call, offsetNs }));
  const [frame] = pathFrames({ ...path, lives: [{ ...root, calls }] });
  const list = frame?.packet.comments[2] ?? '';
  assert.ok(Buffer.byteLength(list) < 65_535);
  assert.match(list, /\n\.\.\. and \d+ calls more$/);
});

test('the sender of a packet made in a named namespace has its name', () => {
  assert.deepEqual(nameOfSender(pingPath()), {
    address: Uint8Array.of(10, 7, 0, 1),
    name: 'client',
  });
  assert.equal(nameOfSender(droppedPath()), undefined);
  assert.equal(nameOfSender(tcpSegmentPath()), undefined);
});

test('a packet that was cut into segments has no bytes: they would come twice', () => {
  const path = tcpSegmentPath();
  const [original, clone] = path.lives;
  assert.ok(original !== undefined && clone?.end !== undefined);
  const end = { ...clone.end, location: location('validate_xmit_skb', 0x10) };
  const packets = clone.packets.map((sight) => ({ ...sight, gso: { size: 1448, segments: 3 } }));
  const cut = { ...path, lives: [original, { ...clone, end, packets }] };
  const [frame, ...more] = pathFrames(cut);
  assert.deepEqual(more, []);
  assert.equal(frame?.packet.linkType, 276);
  assert.match(frame.packet.comments[0] ?? '', /cut into segments, which stand for themselves/);
  // Where segments are linked, they are the frames.
  const parent = { life: 1, call: 0, operation: 'segment' } as const;
  const linked = withClone(cut, 1, { parent, end: clone.end });
  assert.deepEqual(
    pathFrames(linked).map(({ packet }) => packet.linkType),
    [101],
  );
});

test('headers that were not filled in at first sight are shown as they are later', () => {
  const path = pingPath();
  const [root] = path.lives;
  const [sight] = root?.packets ?? [];
  assert.ok(root !== undefined && sight?.flow !== undefined);
  const empty = { ...sight, flow: { ...sight.flow, sourcePort: 0, destinationPort: 0 } };
  const later = { ...sight, seq: 3, offsetNs: 500 };
  const show = (packets: Life['packets']): number | undefined =>
    pathFrames({ ...path, lives: [{ ...root, packets }] })[0]?.offsetNs;
  assert.equal(show([empty, later]), 500);
  assert.equal(show([empty]), 0);
});
