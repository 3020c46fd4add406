import assert from 'node:assert/strict';
import test from 'node:test';
import { isDropVerdict, verdictName, verdictNumber } from '../../src/event/verdicts.ts';

const table = [
  ['tc', 0n, 'TC_ACT_OK', false],
  ['tc', 2n, 'TC_ACT_SHOT', true],
  ['tc', 7n, 'TC_ACT_REDIRECT', false],
  ['tc', 8n, 'TC_ACT_TRAP', false],
  // -1 of an int: the register's upper half is zero, or all ones.
  ['tc', 0xffff_ffffn, 'TC_ACT_UNSPEC', false],
  ['tc', 0xffff_ffff_ffff_ffffn, 'TC_ACT_UNSPEC', false],
  ['tc', 0x10001n, 'TC_ACT_65537', false],
  ['xdp', 0n, 'XDP_ABORTED', true],
  ['xdp', 1n, 'XDP_DROP', true],
  ['xdp', 2n, 'XDP_PASS', false],
  ['xdp', 3n, 'XDP_TX', false],
  ['xdp', 4n, 'XDP_REDIRECT', false],
] as const;

for (const [kind, value, name, drops] of table) {
  test(`${kind} ${value} is ${name}`, () => {
    assert.equal(verdictName(kind, value), name);
    assert.equal(isDropVerdict(name), drops);
  });
}

test('the kernel reads 32 bits', () => {
  assert.equal(verdictNumber('xdp', 0xdead_0000_0002n), 2);
  assert.equal(verdictNumber('tc', 0xffff_ffffn), -1);
});

test('XDP takes what it does not know for XDP_ABORTED', () => {
  assert.equal(verdictName('xdp', 9n), 'XDP_9');
  assert.equal(isDropVerdict('XDP_9'), true);
});

test('functions have no verdict, nor has a call without an exit', () => {
  assert.equal(verdictName('function', 2n), undefined);
  assert.equal(verdictName('xdp', undefined), undefined);
});
