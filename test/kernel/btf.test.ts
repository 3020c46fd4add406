import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SkbspanError } from '../../src/errors.ts';
import { kinds, parseBtf } from '../../src/kernel/btf.ts';
import {
  enumValues,
  findType,
  structField,
  structFields,
  structSize,
  typeBytes,
} from '../../src/kernel/btf-types.ts';
import { createBtfWriter } from './btf-fixture.ts';

test('every kind is stepped over, so that what follows is found', () => {
  const writer = createBtfWriter();
  const int = writer.int('int', 4);
  writer.array(int, 3);
  writer.forward('later');
  writer.float('double', 8);
  writer.variable('counter', int);
  writer.dataSection('.bss', [
    [int, 0, 4],
    [int, 4, 4],
  ]);
  writer.declTag('note', int);
  writer.typeTag(int, 'user');
  writer.enum64('wide', [['A', 1, 0]]);
  writer.enum('narrow', [['B', 1]]);
  writer.proto(int, [['x', int]]);
  writer.struct('u', 4, [['m', int, 0]], { union: true });
  const last = writer.struct('last', 12);
  const btf = parseBtf(writer.bytes());
  assert.equal(btf.endId, last + 1);
  assert.equal(findType(btf, 'last', kinds.struct), last);
  assert.equal(structSize(btf, 'last'), 12);
  assert.equal(findType(btf, 'last', kinds.union), undefined);
  assert.equal(findType(btf, 'las', kinds.struct), undefined);
  assert.equal(btf.kind(999), kinds.void);
});

test('fields: nested anonymous ones, arrays, pointers, bit-fields', () => {
  const writer = createBtfWriter();
  const u16 = writer.typedef('u16', writer.int('short', 2));
  const inner = writer.struct(
    '',
    2,
    [
      ['a', u16, 0],
      ['b', u16, 0],
    ],
    { union: true },
  );
  const members = [
    ['next', writer.pointer(0), 0],
    ['list', writer.array(writer.const(u16), 5), 64],
    ['', inner, 144],
    ['bits', u16, (3 << 24) | 165],
  ] as const;
  const id = writer.struct('thing', 24, members, { flag: true });
  const btf = parseBtf(writer.bytes());
  assert.deepEqual(
    structFields(btf, id).map(({ name, offsetBits, bytes, bitfieldBits }) => [
      name,
      offsetBits,
      bytes,
      bitfieldBits,
    ]),
    [
      ['next', 0, 8, 0],
      ['list', 64, 10, 0],
      ['a', 144, 2, 0],
      ['b', 144, 2, 0],
      ['bits', 165, 2, 3],
    ],
  );
  assert.equal(structField(btf, 'thing', 'b')?.offsetBits, 144);
  assert.equal(structField(btf, 'thing', 'c'), undefined);
  assert.equal(structField(btf, 'nothing', 'b'), undefined);
});

test('enums: signed, unsigned, 64 bits', () => {
  const writer = createBtfWriter();
  const all = 0xffffffff;
  writer.enum('plain', [['BIG', all]]);
  writer.enum('signed', [['MINUS', all]], true);
  writer.enum64('wide', [
    ['SMALL', 5, 0],
    ['HUGE', 1, 0x80000000],
  ]);
  writer.enum64('wide_signed', [['MINUS', all - 1, all]], true);
  const btf = parseBtf(writer.bytes());
  const table: [string, [string, number | bigint][]][] = [
    ['plain', [['BIG', all]]],
    ['signed', [['MINUS', -1]]],
    [
      'wide',
      [
        ['SMALL', 5],
        ['HUGE', 0x8000000000000001n],
      ],
    ],
    ['wide_signed', [['MINUS', -2]]],
  ];
  for (const [name, values] of table) assert.deepEqual([...(enumValues(btf, name) ?? [])], values);
  assert.equal(enumValues(btf, 'none'), undefined);
});

test("a module's BTF goes on where vmlinux ends", () => {
  const below = createBtfWriter();
  const int = below.int('int', 4);
  const skb = below.struct('sk_buff', 224);
  const base = parseBtf(below.bytes());
  const above = createBtfWriter(base.endId, base.stringsEnd);
  const own = above.struct('own', 8, [
    ['skb', skb, 0],
    ['n', int, 32],
  ]);
  const module = parseBtf(above.bytes(), base, 'some');
  assert.equal(own, 3);
  assert.equal(module.name(own), 'own');
  assert.equal(module.name(skb), 'sk_buff');
  assert.equal(typeBytes(module, skb), 224);
  assert.equal(findType(module, 'own', kinds.struct), own);
  assert.equal(findType(module, 'sk_buff', kinds.struct), undefined, 'own types only');
  assert.equal(module.nameOffset(skb), module.offsetOf('sk_buff'));
});

test('malformed bytes are refused, never misread', () => {
  const writer = createBtfWriter();
  writer.int('int', 4);
  const good = writer.bytes();
  const unknown = createBtfWriter();
  unknown.unknown();
  const cut = createBtfWriter();
  cut.struct('s', 8, [['m', 1, 0]]);
  const short = cut.bytes();
  new DataView(short.buffer, short.byteOffset).setUint32(12, 16, true); // type section ends inside the member
  const table: [string, Uint8Array, RegExp][] = [
    ['empty', new Uint8Array(0), /magic/],
    ['wrong magic', good.map((byte, i) => (i === 0 ? 0 : byte)), /magic/],
    ['truncated', good.subarray(0, good.length - 1), /longer than the file/],
    ['unknown kind', unknown.bytes(), /unknown kind 30/],
    ['cut off', short, /cut off/],
  ];
  for (const [what, bytes, message] of table) {
    const isRefusal = (error: unknown): boolean =>
      error instanceof SkbspanError && error.code === 'SKBSPAN_BTF' && message.test(error.message);
    assert.throws(() => parseBtf(bytes), isRefusal, what);
  }
});
