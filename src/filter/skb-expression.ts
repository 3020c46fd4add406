/**
 * Code from expressions over the fields of an skb: for skb_filter() in bpf/filter.h, u32 skb_filter(u64 skb), and for
 * skb_value() in bpf/detail.h.
 *
 * Every value is 64 bits wide, on a small stack of its own. What is signed in the kernel is extended with its sign, and a
 * comparison is signed if one side is; fields declared in network order (__be16) are compared as people write them. A field
 * that cannot be read, for a pointer on the way is NULL, makes the whole expression false.
 */
import type { StructTypes, ValueType } from '../event/struct-types.ts';
import { type Assembler, type Code, createAssembler, type Label, type Width } from './assembler.ts';
import { type Expression, mistakeAt, parseExpression, type Step } from './expression-parser.ts';
import { nearest } from './nearest.ts';

const registers = { value: 0, other: 1, skb: 6, base: 7, index: 8, asked: 9, frame: 10 } as const;
const loadBuffer = -8;
/** Slots for values below the buffer. */
const firstSlot = -16;
const mostSlots = 24;
const probeReadKernel = 113;

const widthOf: Readonly<Record<number, Width>> = { 1: 'byte', 2: 'half', 4: 'word', 8: 'double' };
/** The same numbers in eBPF: BPF_ADD and so on. */
const arithmetic: Readonly<Record<string, number>> = {
  '+': 0x00,
  '-': 0x10,
  '*': 0x20,
  '/': 0x30,
  '|': 0x40,
  '&': 0x50,
  '<<': 0x60,
  '>>': 0x70,
  '%': 0x90,
  '^': 0xa0,
};
const signedShift = 0xc0;
/** Unsigned and signed jump: BPF_JEQ and so on. */
const comparisons: Readonly<Record<string, readonly [number, number]>> = {
  '==': [0x10, 0x10],
  '!=': [0x50, 0x50],
  '>': [0x20, 0x60],
  '>=': [0x30, 0x70],
  '<': [0xa0, 0xc0],
  '<=': [0xb0, 0xd0],
};

/** Compiles an expression against the kernel's types. Throws UsageError that points at the mistake. */
export function compileSkbExpression(text: string, types: StructTypes): Code {
  const to = createAssembler();
  const reject = to.label();
  to.alu64('mov', registers.skb, { register: 1 });
  const compiler = createCompiler(to, { text, option: '--filter-skb-expr' }, types, reject);
  compiler.value(parseExpression(text), 0);
  to.jumpIf64('eq', registers.value, 0, reject);
  to.alu32('mov', registers.value, 1);
  to.exit();
  to.place(reject);
  to.alu32('mov', registers.value, 0);
  to.exit();
  return to.finish();
}

/** As EXPRESSION_READABLE in bpf/detail.h. */
const askReadable = 0x80;

export interface SkbValues {
  readonly code: Code;
  readonly fields: readonly { readonly text: string; readonly signed: boolean }[];
}

/**
 * Code for skb_value() in bpf/detail.h: u64 skb_value(u64 skb, u32 index), the value of the expression at `index`, or, with
 * EXPRESSION_READABLE, whether it can be read. Throws UsageError that points at the mistake.
 */
export function compileSkbValues(
  texts: readonly string[],
  types: StructTypes,
  option: string,
): SkbValues {
  const to = createAssembler();
  const reject = to.label();
  const done = to.label();
  const { value, skb, index, asked } = registers;
  to.alu64('mov', skb, { register: 1 });
  to.alu32('mov', asked, { register: 2 });
  to.alu32('mov', index, { register: 2 });
  to.alu32('and', index, askReadable - 1);
  const fields = texts.map((text, number) => {
    const next = to.label();
    to.jumpIf64('ne', index, number, next);
    const compiler = createCompiler(to, { text, option }, types, reject);
    const signed = compiler.value(parseExpression(text, option), 0);
    to.jump(done);
    to.place(next);
    return { text, signed };
  });
  to.place(reject);
  to.alu32('mov', value, 0);
  to.exit();
  to.place(done);
  const plain = to.label();
  to.jumpIf64('lt', asked, askReadable, plain);
  to.alu32('mov', value, 1);
  to.place(plain);
  to.exit();
  return { code: to.finish(), fields };
}

/** A field on its way to be read: at `offset` from the address in register `base`, or a value in register `value`. */
interface Place {
  readonly type: ValueType;
  readonly offsetBits: number;
  readonly bitfieldBits: number;
}

interface Source {
  readonly text: string;
  /** Where it was given. */
  readonly option: string;
}

function createCompiler(
  to: Assembler,
  { text, option }: Source,
  types: StructTypes,
  reject: Label,
) {
  const { value, other, skb, base, frame } = registers;
  const fail = (at: number, what: string) => mistakeAt(option, text, at, what);

  /** Reads `bytes` at base + offset to `value`. */
  const read = (offset: number, bytes: number): void => {
    to.alu64('mov', 3, { register: base });
    to.alu64('add', 3, offset);
    to.alu64('mov', 1, { register: frame });
    to.alu64('add', 1, loadBuffer);
    to.alu32('mov', 2, bytes);
    to.callHelper(probeReadKernel);
    to.jumpIfNegative64(value, reject);
    to.load(widthOf[bytes] ?? 'double', value, frame, loadBuffer);
  };

  const follow = (place: Place, step: Step): Place => {
    if (step.kind === 'index') {
      if (place.type.kind !== 'array') throw fail(step.at, 'this is no array');
      const { element, bytes, count } = place.type;
      if (step.index >= count) throw fail(step.at, `the array has ${count} elements`);
      const offsetBits = place.offsetBits + 8 * bytes * step.index;
      return { type: element, offsetBits, bitfieldBits: 0 };
    }
    let from = place;
    if (step.kind === 'arrow') {
      if (from.type.kind !== 'pointer') throw fail(step.at, `this is no pointer: want '.'`);
      const { to: id } = from.type;
      if (id === undefined)
        throw fail(step.at, 'this points to no struct that the kernel tells of');
      read(from.offsetBits / 8, 8);
      to.alu64('mov', base, { register: value });
      from = { type: { kind: 'struct', id }, offsetBits: 0, bitfieldBits: 0 };
    }
    if (from.type.kind === 'pointer') throw fail(step.at, `this is a pointer: want '->'`);
    if (from.type.kind !== 'struct') throw fail(step.at, 'this has no members');
    const { id } = from.type;
    const member = types.member(id, step.name);
    if (member === undefined) {
      const near = nearest(step.name, types.memberNames(id));
      const hint = near.length === 0 ? '' : `; near: ${near.join(', ')}`;
      throw fail(step.at, `struct ${types.name(id)} has no member '${step.name}'${hint}`);
    }
    return { ...member, offsetBits: from.offsetBits + member.offsetBits };
  };

  /** Leaves the field's value; is it signed? */
  const path = (steps: readonly Step[], at: number): boolean => {
    const id = types.struct('sk_buff');
    const [first, ...rest] = steps;
    if (id === undefined) throw fail(at, 'this kernel does not tell what an sk_buff is');
    if (first === undefined) throw fail(at, "want a member of skb, as 'skb->len'");
    if (first.kind !== 'arrow') throw fail(first.at, "skb is a pointer: want '->'");
    to.alu64('mov', base, { register: skb });
    const start: Place = { type: { kind: 'struct', id }, offsetBits: 0, bitfieldBits: 0 };
    const place = [{ ...first, kind: 'dot' as const }, ...rest].reduce(follow, start);
    return load(place, steps.at(-1)?.at ?? at);
  };

  const load = ({ type, offsetBits, bitfieldBits }: Place, at: number): boolean => {
    if (type.kind === 'struct' || type.kind === 'array') {
      throw fail(at, `this is ${type.kind === 'array' ? 'an array' : 'a struct'}, not a number`);
    }
    const bytes = type.kind === 'pointer' ? 8 : type.bytes;
    const signed = type.kind === 'number' && type.signed;
    if (bitfieldBits > 0) {
      // A bit-field may begin anywhere: read the bytes around it, which never are more than 8.
      const start = Math.floor(offsetBits / 8);
      const first = offsetBits % 8;
      const size = [1, 2, 4, 8].find((candidate) => candidate * 8 >= first + bitfieldBits) ?? 8;
      read(start, size);
      to.alu64('lsh', value, 64 - first - bitfieldBits);
      to.alu64Raw(signed ? signedShift : 0x70, value, 64 - bitfieldBits);
      return signed;
    }
    read(offsetBits / 8, bytes);
    if (type.kind === 'number' && type.bigEndian && bytes > 1) {
      to.fromBigEndian(value, (bytes * 8) as 16 | 32 | 64);
    }
    if (signed && bytes < 8) {
      to.alu64('lsh', value, 64 - 8 * bytes);
      to.alu64Raw(signedShift, value, 64 - 8 * bytes);
    }
    return signed;
  };

  const truth = (condition: (yes: Label) => void): void => {
    const yes = to.label();
    const done = to.label();
    condition(yes);
    to.alu32('mov', value, 0);
    to.jump(done);
    to.place(yes);
    to.alu32('mov', value, 1);
    to.place(done);
  };

  const literal = (number: bigint): void => {
    to.loadImmediate64(value, number, 2);
  };

  /** Both sides of && and ||: the right one only if the left one leaves it open. */
  const shortCircuit = (expression: Expression & { kind: 'binary' }, depth: number): void => {
    const done = to.label();
    visit(expression.left, depth);
    truth((yes) => {
      to.jumpIf64('ne', value, 0, yes);
    });
    to.jumpIf64(expression.operator === '&&' ? 'eq' : 'ne', value, 0, done);
    visit(expression.right, depth);
    truth((yes) => {
      to.jumpIf64('ne', value, 0, yes);
    });
    to.place(done);
  };

  const binary = (expression: Expression & { kind: 'binary' }, depth: number): boolean => {
    const { operator, left, right } = expression;
    if (depth >= mostSlots) throw fail(0, 'the expression is nested too deep');
    if (operator === '&&' || operator === '||') {
      shortCircuit(expression, depth);
      return false;
    }
    const slot = firstSlot - 8 * depth;
    const leftSigned = visit(left, depth);
    to.store('double', frame, slot, value);
    const rightSigned = visit(right, depth + 1);
    const signed = leftSigned || rightSigned;
    to.alu64('mov', other, { register: value });
    to.load('double', value, frame, slot);
    const comparison = comparisons[operator];
    if (comparison !== undefined) {
      truth((yes) => {
        to.jumpIf64Raw(comparison[signed ? 1 : 0], value, { register: other }, yes);
      });
      return false;
    }
    // Dividing by zero is undefined in C; here it makes the expression false.
    if (operator === '/' || operator === '%') to.jumpIf64('eq', other, 0, reject);
    const number = operator === '>>' && leftSigned ? signedShift : arithmetic[operator];
    to.alu64Raw(number ?? 0, value, { register: other });
    return signed;
  };

  const visit = (expression: Expression, depth: number): boolean => {
    switch (expression.kind) {
      case 'number':
        literal(expression.value);
        return false;
      case 'path':
        return path(expression.steps, expression.at);
      case 'binary':
        return binary(expression, depth);
      case 'unary': {
        const signed = visit(expression.operand, depth);
        if (expression.operator === '!') {
          truth((yes) => {
            to.jumpIf64('eq', value, 0, yes);
          });
          return false;
        }
        if (expression.operator === '~') to.alu64Raw(0xa0, value, -1);
        else to.alu64Raw(0x80, value, 0);
        return signed || expression.operator === '-';
      }
    }
  };

  return { value: visit };
}
