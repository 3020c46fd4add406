import assert from 'node:assert/strict';
import test from 'node:test';
import { parsePageMap } from '../../src/kernel/page-map.ts';

const none = 0xffffffffffffffffn;

/** The beginning of a /proc/kcore with these program headers. */
function kcore(
  ...segments: readonly (readonly [virtual: bigint, physical: bigint, bytes: bigint])[]
): Uint8Array {
  const view = new DataView(new ArrayBuffer(64 + segments.length * 56));
  view.setBigUint64(32, 64n, true);
  view.setUint16(56, segments.length, true);
  segments.forEach(([virtual, physical, bytes], index) => {
    view.setUint32(64 + index * 56, 1, true);
    view.setBigUint64(64 + index * 56 + 16, virtual, true);
    view.setBigUint64(64 + index * 56 + 24, physical, true);
    view.setBigUint64(64 + index * 56 + 40, bytes, true);
  });
  return new Uint8Array(view.buffer);
}

// As readelf -l showed them on 6.12 with random memory: code, vmalloc, memory from page 1 on, and the struct pages.
const text = [0xffffffff8b000000n, 0x13000000n, 0x2e00000n] as const;
const vmalloc = [0xffffb0d080000000n, none, 0x1fffffffffffn] as const;
const memory = [0xffff9c8f40001000n, 0x1000n, 0x9e000n] as const;
const pages = [0xffffe67200000000n, none, 0x3000n] as const;

test('both places are found, in any order of the headers', () => {
  const want = { pageOffset: 0xffff9c8f40000000n, vmemmap: 0xffffe67200000000n };
  assert.deepEqual(parsePageMap(kcore(text, vmalloc, memory, pages), 64), want);
  assert.deepEqual(parsePageMap(kcore(pages, memory, vmalloc, text), 64), want);
});

test('a file that tells nothing gives nothing', () => {
  assert.equal(parsePageMap(new Uint8Array(0), 64), undefined);
  assert.equal(parsePageMap(kcore(), 64), undefined);
  assert.equal(parsePageMap(kcore(memory), 64), undefined);
  assert.equal(parsePageMap(kcore(text, memory, pages).subarray(0, 100), 64), undefined);
});
