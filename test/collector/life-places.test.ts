import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { putLifePlaces } from '../../src/collector/life-places.ts';

const object = readFileSync(new URL('../../build/skbspan-direct.bpf.o', import.meta.url));
/** LIFE_PLACES_MARK in bpf/lives.h. */
const mark = 0x73656369666c7073n;

/** Instructions that load 64 bits, by where they are: their registers and both halves. */
function loads(file: Buffer): Map<number, { registers: number; value: bigint }> {
  const found = new Map<number, { registers: number; value: bigint }>();
  for (let at = 0; at + 16 <= file.length; at += 8) {
    if (file[at] !== 0x18) continue;
    const value = BigInt(file.readUInt32LE(at + 4)) | (BigInt(file.readUInt32LE(at + 12)) << 32n);
    found.set(at, { registers: file.readUInt8(at + 1), value });
  }
  return found;
}

test('each number that stands for the places becomes the value of the map, and nothing else changes', () => {
  const patched = Buffer.from(object);
  putLifePlaces(patched, 77);
  const before = loads(object);
  const after = loads(patched);
  const marked = [...before].filter(([, { value }]) => value === mark);
  assert.ok(marked.length > 20);
  const expected = Buffer.from(object);
  for (const [at, { registers }] of marked) {
    assert.deepEqual(after.get(at), { registers: registers | 0x20, value: 77n });
    patched.copy(expected, at, at, at + 16);
  }
  assert.ok(expected.equals(patched));
});

test('an object without such a number is none of ours', () => {
  assert.throws(
    () => {
      putLifePlaces(Buffer.alloc(64), 77);
    },
    { code: 'SKBSPAN_INTERNAL' },
  );
});
