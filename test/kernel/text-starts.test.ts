import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { findFunction } from '../../src/kernel/kallsyms.ts';
import { parseTextStarts, readTextStarts } from '../../src/kernel/text-starts.ts';

const kallsyms = [
  '0000000000000000 A fixed_percpu_data',
  'ffffffff9a000000 T startup_64',
  'ffffffff9a000000 T _text',
  'ffffffff9a000040 T _texture',
  '',
].join('\n');
const modules = [
  'nf_tables 299008 112 nft_ct,nft_chain_nat, Live 0xffffffffc0a3e000',
  'veth 36864 0 - Live 0xffffffffc09b1000 (OE)',
  'hidden 36864 0 - Live 0x0000000000000000',
  '',
].join('\n');

test('the starts of the kernel and of its modules', () => {
  const starts = parseTextStarts(Buffer.from(kallsyms), modules);
  assert.deepEqual(
    [...(starts ?? [])],
    [
      [undefined, 0xffffffff9a000000n],
      ['nf_tables', 0xffffffffc0a3e000n],
      ['veth', 0xffffffffc09b1000n],
    ],
  );
});

test('addresses that are hidden are none', () => {
  const hidden = kallsyms.replaceAll('ffffffff9a0000', '00000000000000');
  assert.equal(parseTextStarts(Buffer.from(hidden), modules), undefined);
  assert.equal(parseTextStarts(Buffer.from(''), ''), undefined);
});

test('the running kernel tells what all of kallsyms tells', () => {
  const all = readFileSync('/proc/kallsyms');
  assert.equal(readTextStarts()?.get(undefined), findFunction(all, '_text'));
});
