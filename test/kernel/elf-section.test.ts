import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { parseBtf } from '../../src/kernel/btf.ts';
import { structField } from '../../src/kernel/btf-types.ts';
import { elfSection } from '../../src/kernel/elf-section.ts';
import { compileSample } from '../ffi/sample-object.ts';

test("a compiled object's sections are found, and its BTF is read", (t) => {
  const object = readFileSync(compileSample(t));
  const section = elfSection(object, '.BTF');
  assert.ok(section);
  const btf = parseBtf(section, undefined, 'sample');
  assert.deepEqual(structField(btf, 'sample', 'inner'), {
    name: 'inner',
    offsetBits: 128,
    bytes: 2,
    bitfieldBits: 0,
  });
  assert.equal(structField(btf, 'sample', 'high')?.bitfieldBits, 5);
  assert.equal(elfSection(object, 'license')?.length, 4);
  assert.equal(elfSection(object, '.nope'), undefined);
});

test('what is not ELF is refused', () => {
  assert.throws(() => elfSection(Buffer.from('#!/bin/sh\n'), '.BTF'), /not a 64-bit ELF file/);
});
