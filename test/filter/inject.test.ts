import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import type { Code } from '../../src/filter/assembler.ts';
import { dropLines, emptyFunctions, injectFunction } from '../../src/filter/inject.ts';
import { elfSection } from '../../src/kernel/elf-section.ts';

const object = readFileSync(new URL('../../build/skbspan.bpf.o', import.meta.url));
// call <neighbour>; exit
const call = { opcode: 0x85, register: 0x10 };
const code: Code = {
  instructions: Uint8Array.of(
    call.opcode,
    call.register,
    0,
    0,
    0,
    0,
    0,
    0,
    0x95,
    ...new Array<number>(7).fill(0),
  ),
  calls: [0],
};

test('the new body stands at the end of .text and calls its neighbour', () => {
  const before = elfSection(object, '.text');
  const after = elfSection(injectFunction(object, 'pcap_filter', code, 'read_fragments'), '.text');
  assert.ok(before !== undefined && after !== undefined);
  assert.equal(after.length, before.length + code.instructions.length);
  assert.equal(Buffer.compare(after.subarray(0, before.length), before), 0);
  const distance = Buffer.from(after).readInt32LE(before.length + 4);
  // Backwards to an instruction of the old part.
  const target = before.length / 8 + distance + 1;
  assert.ok(target >= 0 && target < before.length / 8);
});

test('two functions can be replaced, one after the other', () => {
  const first = injectFunction(object, 'pcap_filter', code, 'read_fragments');
  const second = injectFunction(first, 'skb_filter', { ...code, calls: [] });
  const sizes = [object, first, second].map((file) => elfSection(file, '.text')?.length ?? 0);
  assert.deepEqual(
    sizes.map((size) => size - (sizes[0] ?? 0)),
    [0, 16, 32],
  );
  assert.equal(elfSection(second, '.BTF.ext')?.length, elfSection(object, '.BTF.ext')?.length);
});

test('an object without the function is an error', () => {
  assert.throws(() => injectFunction(object, 'nobody', code), {
    code: 'SKBSPAN_INTERNAL',
    message: /no function nobody/,
  });
});

test('lines of source can be left out, and nothing else goes', () => {
  const without = new Uint8Array(object);
  dropLines(without);
  const [before, after] = [object, without].map((file) => elfSection(file, '.BTF.ext'));
  assert.ok(before !== undefined && after !== undefined);
  // Header: magic, version, flags, its length, then offset and length of functions and of lines.
  const header = (bytes: Uint8Array): Uint32Array =>
    new Uint32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + 24));
  const [, , , functionBytes, , lineBytes = 0] = header(before);
  assert.ok(lineBytes > 0);
  assert.deepEqual([...header(after)].slice(3), [functionBytes, header(before)[4], 0]);
  const changed = object.filter((byte, index) => byte !== without[index]).length;
  assert.ok(changed > 0 && changed <= 4, `${changed} bytes`);
});

test('a function that nobody calls only returns 0, and nothing else changes', () => {
  const emptied = Buffer.from(object);
  emptyFunctions(emptied, ['first_look']);
  const changed = [...object.keys()].filter((at) => emptied[at] !== object[at]);
  const first = changed[0] ?? 0;
  // Two instructions, where the function was, and the size of its symbol.
  assert.ok(changed.length > 2 && changed.length <= 16 + 8, `${changed.length} bytes`);
  const begin = first - (first % 8);
  const returnZero = [0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0];
  assert.deepEqual([...emptied.subarray(begin, begin + 16)], returnZero);
  assert.throws(
    () => {
      emptyFunctions(emptied, ['no_such']);
    },
    { code: 'SKBSPAN_INTERNAL' },
  );
});
