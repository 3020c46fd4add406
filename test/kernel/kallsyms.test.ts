import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { test } from 'node:test';
import { SkbspanError } from '../../src/errors.ts';
import { findFunction, findFunctions, parseKallsyms } from '../../src/kernel/kallsyms.ts';

const text = `0000000000000000 A fixed_percpu_data
ffffffff81000000 T _text
ffffffff81000000 T startup_64
ffffffff81000100 t dup
ffffffff81000180 D a_variable
ffffffff81000200 T ip_rcv
ffffffff81000300 W weak_one
ffffffff81000400 t dup
ffffffffc0a02000 t nf_b\t[nf_tables]
ffffffffc0a01000 t nf_a\t[nf_tables]
ffffffffc0a00800 t dup\t[veth]
ffffffffc0b00000 t bpf_prog_6deef7357e7b4530_enter\t[bpf]
not a line at all
ffffffff810
`;

test('an address lies in the function that begins before it', () => {
  const symbols = parseKallsyms(Buffer.from(text));
  const table: [bigint, string | undefined, number, string | undefined][] = [
    [0xffffffff81000200n, 'ip_rcv', 0, undefined],
    [0xffffffff810002ffn, 'ip_rcv', 0xff, undefined],
    [0xffffffff81000300n, 'weak_one', 0, undefined],
    [0xffffffff81000190n, 'dup', 0x90, undefined],
    [0xffffffff81000000n, '_text', 0, undefined],
    [0xffffffffc0a01001n, 'nf_a', 1, 'nf_tables'],
    [0xffffffffc0a02001n, 'nf_b', 1, 'nf_tables'],
    [0xffffffffc0a00fffn, 'dup', 0x7ff, 'veth'],
    [0xffffffffc0b00010n, 'bpf_prog_6deef7357e7b4530_enter', 0x10, 'bpf'],
  ];
  for (const [address, name, offset, module] of table)
    assert.deepEqual(symbols.lookup(address), { name, offset, module }, address.toString(16));
});

test('an address outside of every function has no name', () => {
  const symbols = parseKallsyms(Buffer.from(text));
  const outside = [
    0n,
    0xffffffff80ffffffn,
    0xffffffff90000000n,
    0xffffffffffffffffn,
    0x7fff00000000n,
  ];
  for (const address of outside) assert.equal(symbols.lookup(address), undefined);
});

test('a name finds all its functions, and nothing else', () => {
  const wanted = new Set(['dup', 'weak_one', 'du', 'dupp', 'a_variable', 'fixed_percpu_data', '']);
  assert.deepEqual(
    findFunctions(Buffer.from(text), wanted),
    new Map([
      [
        'dup',
        [
          { address: 0xffffffff81000100n, module: undefined },
          { address: 0xffffffff81000400n, module: undefined },
          { address: 0xffffffffc0a00800n, module: 'veth' },
        ],
      ],
      ['weak_one', [{ address: 0xffffffff81000300n, module: undefined }]],
    ]),
  );
  assert.equal(parseKallsyms(Buffer.from(text)).size, 10);
});

test('one function is found by a search', () => {
  const find = (name: string): bigint | undefined => findFunction(Buffer.from(text), name);
  assert.equal(find('ip_rcv'), 0xffffffff81000200n);
  assert.equal(find('dup'), 0xffffffff81000100n);
  for (const name of ['nf_b', 'rcv', 'a_variable', 'fixed_percpu_data', 'absent'])
    assert.equal(find(name), undefined);
});

test('hidden addresses are an error with advice', () => {
  const isTold = (error: unknown): boolean =>
    error instanceof SkbspanError &&
    error.code === 'SKBSPAN_KALLSYMS' &&
    /CAP_SYSLOG.*kptr_restrict/.test(error.advice ?? '');
  const hidden = '0000000000000000 T _text\n0000000000000000 T ip_rcv\n';
  for (const bytes of [Buffer.from(hidden), Buffer.alloc(0)]) {
    assert.throws(() => parseKallsyms(bytes), isTold);
    assert.throws(() => findFunctions(bytes, new Set(['ip_rcv'])), isTold);
  }
});

const noSymbols = existsSync('/proc/kallsyms') && process.getuid?.() === 0 ? false : 'needs root';

test('this kernel: what the bytes say, a plain reading says too', { skip: noSymbols }, () => {
  const raw = readFileSync('/proc/kallsyms');
  const symbols = parseKallsyms(raw);
  const lines = raw.toString('latin1').split('\n');
  const functions = lines.filter((line) => /^ffff\S+ [tTwW] /.test(line));
  assert.equal(symbols.size, functions.length);
  const some = functions.filter((_, i) => i % 500 === 0);
  const places = findFunctions(raw, new Set(some.map((line) => line.split(/\s/)[2] ?? '')));
  for (const line of some) {
    const [address = '', , name = ''] = line.split(/\s/);
    const value = BigInt(`0x${address}`);
    assert.ok(
      places.get(name)?.some((place) => place.address === value),
      line,
    );
    assert.equal(symbols.lookup(value)?.offset, 0, line);
  }
});
