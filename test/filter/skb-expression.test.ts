import assert from 'node:assert/strict';
import test from 'node:test';
import { parseExpression } from '../../src/filter/expression-parser.ts';
import { nearest } from '../../src/filter/nearest.ts';
import type { Member, StructTypes } from '../../src/event/struct-types.ts';
import { compileSkbExpression, compileSkbValues } from '../../src/filter/skb-expression.ts';

const number = (bytes: number, offset: number): Member => ({
  type: { kind: 'number', bytes, signed: false, bigEndian: false },
  offsetBits: offset * 8,
  bitfieldBits: 0,
});

const structs: Readonly<Record<number, Readonly<Record<string, Member>>>> = {
  1: {
    len: number(4, 112),
    mark: number(4, 168),
    cloned: { ...number(1, 128), offsetBits: 128 * 8 + 3, bitfieldBits: 1 },
    dev: { type: { kind: 'pointer', to: 2 }, offsetBits: 16 * 8, bitfieldBits: 0 },
    head: { type: { kind: 'pointer', to: undefined }, offsetBits: 200 * 8, bitfieldBits: 0 },
    cb: {
      type: { kind: 'array', element: number(1, 0).type, bytes: 1, count: 48 },
      offsetBits: 40 * 8,
      bitfieldBits: 0,
    },
  },
  2: { ifindex: number(4, 220) },
};

const types: StructTypes = {
  struct: (name) => (name === 'sk_buff' ? 1 : undefined),
  name: (id) => ['', 'sk_buff', 'net_device'][id] ?? '',
  member: (id, name) => structs[id]?.[name],
  memberNames: (id) => Object.keys(structs[id] ?? {}),
};

test('operators bind as in C', () => {
  const show = (text: string): string => {
    const walk = (one: ReturnType<typeof parseExpression>): string => {
      if (one.kind === 'number') return one.value.toString();
      if (one.kind === 'path') return 'skb';
      if (one.kind === 'unary') return `(${one.operator}${walk(one.operand)})`;
      return `(${walk(one.left)}${one.operator}${walk(one.right)})`;
    };
    return walk(parseExpression(text));
  };
  assert.equal(show('1 || 2 && 3 | 4 ^ 5 & 6 == 7'), '(1||(2&&(3|(4^(5&(6==7))))))');
  assert.equal(show('1 == 2 < 3 << 4 + 5 * 6'), '(1==(2<(3<<(4+(5*6)))))');
  assert.equal(show('10 - 2 - 3'), '((10-2)-3)');
  assert.equal(show('!-~1'), '(!(-(~1)))');
  assert.equal(show('(1 + 2) * 0x10 + 010'), '(((1+2)*16)+8)');
});

test('mistakes are told with their place and the nearest names', () => {
  const table: readonly (readonly [string, RegExp, number])[] = [
    ['skb->lem > 1', /struct sk_buff has no member 'lem'; near: len/, 5],
    ['skb->dev->ifindx', /struct net_device has no member 'ifindx'; near: ifindex/, 10],
    ['skb.len', /skb is a pointer: want '->'/, 4],
    ['skb->dev.ifindex', /this is a pointer: want '->'/, 9],
    ['skb->len->x', /this is no pointer/, 10],
    ['skb->len.x', /this has no members/, 9],
    ['skb->head->x', /points to no struct/, 11],
    ['skb->cb', /an array, not a number/, 5],
    ['skb->len[0]', /this is no array/, 10],
    ['skb->cb[48]', /48 elements/, 10],
    ['skb', /want a member of skb/, 0],
    ['len > 3', /want a number or a field of skb, not 'len'/, 0],
    ['skb->len >', /not the end/, 10],
    ['skb->len = 3', /'=' has no meaning/, 9],
    ['skb->len 3', /want an operator, not '3'/, 9],
    ['(skb->len', /want '\)', not the end/, 9],
    ['08', /want a number/, 0],
    ['', /not the end/, 0],
  ];
  for (const [text, message, place] of table) {
    assert.throws(
      () => compileSkbExpression(text, types),
      (error: Error & { code?: string }) => {
        assert.equal(error.code, 'SKBSPAN_USAGE', text);
        assert.match(error.message, message, text);
        assert.equal(error.message.split('\n').at(-1)?.indexOf('^'), place + 4, text);
        return true;
      },
    );
  }
});

test('an expression becomes code without calls of its neighbours', () => {
  const { instructions, calls } = compileSkbExpression(
    'skb->dev->ifindex == 2 && skb->cb[3]',
    types,
  );
  assert.equal(instructions.length % 8, 0);
  assert.deepEqual(calls, []);
});

test('near names come best first', () => {
  const names = ['len', 'data_len', 'mac_len', 'hdr_len', 'mark', 'network_header', 'mac_header'];
  assert.deepEqual(nearest('lenn', names), ['len']);
  assert.deepEqual(nearest('header', names), ['mac_header', 'network_header']);
  assert.deepEqual(nearest('xyzzy', names), []);
});

test('values: each knows its sign, a mistake names the option and the expression', () => {
  const { fields } = compileSkbValues(['skb->len', '-skb->len', '1 + 2'], types, '--option');
  assert.deepEqual(
    fields.map(({ signed }) => signed),
    [false, true, false],
  );
  assert.throws(() => compileSkbValues(['skb->len', 'skb->lem'], types, '--option'), {
    code: 'SKBSPAN_USAGE',
    message: /^--option: struct sk_buff has no member 'lem'; near: len, dev\n {4}skb->lem\n {9}\^$/,
  });
});
