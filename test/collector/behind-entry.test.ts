import assert from 'node:assert/strict';
import test from 'node:test';
import { placesBehindEntry, seesSameBehind } from '../../src/collector/behind-entry.ts';

const idle = [0x0f, 0x1f, 0x44, 0x00, 0x00];
const call = [0xe8, 0x12, 0x34, 0x56, 0x78];
const sees = (...code: readonly number[]): boolean => seesSameBehind(Uint8Array.from(code));

test('behind the place of ftrace only where the instruction begins a function', () => {
  for (const place of [idle, call]) {
    assert.ok(sees(...place, 0x55, 0x48, 0x89), 'push rbp');
    assert.ok(sees(...place, 0x41, 0x57, 0x41), 'push r15');
    assert.ok(sees(...place, 0x48, 0x83, 0xec), 'sub rsp, 8');
    assert.ok(!sees(...place, 0x48, 0x85, 0xff), 'test rdi, rdi: a loop may begin so');
    assert.ok(!sees(...place, 0x48, 0x83, 0xef), 'sub rdi, 8');
    assert.ok(!sees(...place, 0x41, 0x8b, 0x47), 'mov eax, [r15]');
    assert.ok(!sees(...place, 0x31, 0xc0, 0xc3), 'xor eax, eax');
  }
});

test('not where ftrace has no place, or it does not come first', () => {
  assert.ok(!sees(0x55, 0x48, 0x89, 0xe5, 0x41, 0x57, 0x41, 0x56), 'a function without one');
  assert.ok(!sees(0xf3, 0x0f, 0x1e, 0xfa, ...idle.slice(0, 4)), 'endbr64');
  assert.ok(!sees(0x0f, 0x1f, 0x44, 0x00, 0x08, 0x55, 0x48, 0x89), 'another nop');
});

test('nowhere on other machines', () => {
  assert.equal(placesBehindEntry([], 'arm64').size, 0);
});
