import assert from 'node:assert/strict';
import { test } from 'node:test';
import { recordBytes } from '../../src/collector/decode.ts';
import { packetEvent } from '../../src/event/layout.ts';
import {
  deviceRecord,
  dropRecord,
  enterRecord,
  exitRecord,
  freeRecord,
  linkRecord,
  packetRecord,
  taskRecord,
  wordsOf,
} from '../fixtures/records.ts';

const measure = (bytes: Uint8Array, byteLength = bytes.length): number =>
  recordBytes(wordsOf(bytes), 0, byteLength);

const everyKind = {
  enter: enterRecord({ life: 1 }),
  exit: exitRecord({ life: 1 }),
  packet: packetRecord({ life: 1, data: new Uint8Array(20) }),
  link: linkRecord({ life: 2, parent: 1 }),
  free: freeRecord({ life: 1 }),
  drop: dropRecord({ life: 1, reason: 2 }),
  task: taskRecord({ tid: 1, comm: 'init' }),
  device: deviceRecord({ netns: 1, ifindex: 1, name: 'lo' }),
};

test('a whole record is taken, one byte less is refused', () => {
  for (const [kind, bytes] of Object.entries(everyKind)) {
    assert.equal(measure(bytes), bytes.length, kind);
    assert.equal(measure(bytes, bytes.length - 1), 0, kind);
  }
});

test('what the snap length left over is not counted', () => {
  const bytes = packetRecord({ life: 1, data: new Uint8Array(60), slack: 68 });
  assert.equal(bytes.length, 112 + 128);
  assert.equal(measure(bytes), 112 + 60);
});

test('broken bytes are no record', () => {
  const overCaptured = packetRecord({ life: 1, data: new Uint8Array(16) });
  new DataView(overCaptured.buffer).setUint32(packetEvent.caplen, 17, true);
  const hugeCaptured = packetRecord({ life: 1 });
  new DataView(hugeCaptured.buffer).setUint32(packetEvent.caplen, 0xffffffff, true);
  const withKind = (kind: number): Uint8Array => {
    const bytes = enterRecord({ life: 1 });
    bytes[30] = kind;
    return bytes;
  };
  const cases: [string, Uint8Array][] = [
    ['nothing', new Uint8Array(0)],
    ['one byte', Uint8Array.of(1)],
    ['a header of zeros', new Uint8Array(32)],
    ['zeros', new Uint8Array(200)],
    ['ones', new Uint8Array(200).fill(255)],
    ['kind 0', withKind(0)],
    ['kind 9', withKind(9)],
    ['kind 255', withKind(255)],
    ['no life', enterRecord({ life: 0 })],
    ['life of 48 bits and one', enterRecord({ life: 2 ** 48 })],
    ['more captured than there is', overCaptured],
    ['captured wraps around', hugeCaptured],
  ];
  for (const [name, bytes] of cases) assert.equal(measure(bytes), 0, name);
  assert.notEqual(measure(enterRecord({ life: 2 ** 48 - 1 })), 0);
});
