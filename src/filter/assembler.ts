/** Writes eBPF instructions (linux/bpf.h), with labels for jumps. What cannot be reached is left out: the verifier refuses it. */
import { SkbspanError } from '../errors.ts';

/**
 * An instruction is 8 bytes:
 *   u8 opcode | u8 source register << 4 | destination register | s16 offset | s32 immediate
 */
const instructionBytes = 8;

export type Label = symbol;

interface Draft {
  readonly opcode: number;
  readonly destination: number;
  readonly source: number;
  readonly offset: number;
  readonly immediate: number;
  /** Of a jump. */
  readonly target: Label | undefined;
}

/** Finished code. It has no absolute places in it, so it can be put anywhere. */
export interface Code {
  readonly instructions: Uint8Array;
  /** Indexes of the calls of the function beside the code, whose distance is to be filled in by whoever places it. */
  readonly calls: readonly number[];
}

export const bytes = { word: 4, half: 2, byte: 1, double: 8 } as const;
export type Width = keyof typeof bytes;
const widths: Readonly<Record<Width, number>> = {
  word: 0x00,
  half: 0x08,
  byte: 0x10,
  double: 0x18,
};

const aluOperations = {
  add: 0x00,
  sub: 0x10,
  and: 0x50,
  lsh: 0x60,
  or: 0x40,
  xor: 0xa0,
  mov: 0xb0,
} as const;
export type AluOperation = keyof typeof aluOperations;
const jumpOperations = {
  eq: 0x10,
  gt: 0x20,
  ge: 0x30,
  set: 0x40,
  ne: 0x50,
  lt: 0xa0,
  le: 0xb0,
} as const;
export type JumpOperation = keyof typeof jumpOperations;
const signedLess = 0xc0;
const signedGreater = 0x60;

const fromRegister = 0x08;
const exitOpcode = 0x95;
const callOpcode = 0x85;
const jumpOpcode = 0x05;
/** Source register of a call: 0 of a helper by number, of a function of the same program, of one of the kernel's by its BTF id. */
const callLocal = 1;
const callKernel = 2;

/** A register by number, or an immediate value: 32 bits, sign-extended in 64-bit operations. */
export type Operand = { readonly register: number } | number;

export type Assembler = ReturnType<typeof createAssembler>;

export function createAssembler() {
  const drafts: Draft[] = [];
  const labels = new Map<Label, number>();

  const emit = (opcode: number, fields: Partial<Draft> = {}): void => {
    drafts.push({
      opcode,
      destination: 0,
      source: 0,
      offset: 0,
      immediate: 0,
      target: undefined,
      ...fields,
    });
  };
  const withOperand = (base: number, destination: number, operand: Operand, more = {}): void => {
    if (typeof operand === 'number') emit(base, { destination, immediate: operand | 0, ...more });
    else emit(base | fromRegister, { destination, source: operand.register, ...more });
  };

  return {
    label: (): Label => Symbol('label'),
    place(label: Label): void {
      labels.set(label, drafts.length);
    },
    /** 32 bits; the upper half of the destination becomes zero. */
    alu32(operation: AluOperation, destination: number, operand: Operand): void {
      withOperand(aluOperations[operation] | 0x04, destination, operand);
    },
    /** An operation by its number, the same in classic BPF. */
    alu32Raw(operation: number, destination: number, operand: Operand): void {
      withOperand(operation | 0x04, destination, operand);
    },
    alu64(operation: AluOperation, destination: number, operand: Operand): void {
      withOperand(aluOperations[operation] | 0x07, destination, operand);
    },
    alu64Raw(operation: number, destination: number, operand: Operand): void {
      withOperand(operation | 0x07, destination, operand);
    },
    /** Any 64 bits, by the help of another register. */
    loadImmediate64(destination: number, value: bigint, scratch: number): void {
      const low = Number(BigInt.asIntN(32, value));
      const mov = aluOperations.mov;
      if (BigInt.asIntN(64, value) === BigInt(low)) {
        withOperand(mov | 0x07, destination, low);
        return;
      }
      withOperand(mov | 0x07, destination, Number(BigInt.asIntN(32, value >> 32n)));
      withOperand(aluOperations.lsh | 0x07, destination, 32);
      // In 32 bits, for there it is not extended with its sign.
      withOperand(mov | 0x04, scratch, low);
      withOperand(aluOperations.or | 0x07, destination, { register: scratch });
    },
    load(width: Width, destination: number, base: number, offset: number): void {
      emit(0x61 | widths[width], { destination, source: base, offset });
    },
    store(width: Width, base: number, offset: number, source: number): void {
      emit(0x63 | widths[width], { destination: base, source, offset });
    },
    storeImmediate(width: Width, base: number, offset: number, immediate: number): void {
      emit(0x62 | widths[width], { destination: base, offset, immediate: immediate | 0 });
    },
    /** Big-endian to host order, and zero-extends. Only on little-endian hosts, which both architectures are. */
    fromBigEndian(register: number, bits: 16 | 32 | 64): void {
      emit(0xdc, { destination: register, immediate: bits });
    },
    jump(target: Label): void {
      emit(jumpOpcode, { target });
    },
    jumpIf32(operation: JumpOperation, left: number, right: Operand, target: Label): void {
      withOperand(jumpOperations[operation] | 0x06, left, right, { target });
    },
    jumpIf64(operation: JumpOperation, left: number, right: Operand, target: Label): void {
      withOperand(jumpOperations[operation] | 0x05, left, right, { target });
    },
    jumpIf64Raw(operation: number, left: number, right: Operand, target: Label): void {
      withOperand(operation | 0x05, left, right, { target });
    },
    jumpIfNegative64(register: number, target: Label): void {
      withOperand(signedLess | 0x05, register, 0, { target });
    },
    jumpIfPositive64(register: number, target: Label): void {
      withOperand(signedGreater | 0x05, register, 0, { target });
    },
    callHelper(number: number): void {
      emit(callOpcode, { immediate: number });
    },
    /** Calls a function of vmlinux by its BTF id. */
    callKernel(id: number): void {
      emit(callOpcode, { source: callKernel, immediate: id });
    },
    /** Calls the function beside the code. */
    callNeighbour(): void {
      emit(callOpcode, { source: callLocal });
    },
    exit(): void {
      emit(exitOpcode);
    },
    finish: (): Code => assemble(drafts, labels),
  };
}

const isConditional = ({ opcode, target }: Draft): boolean =>
  target !== undefined && opcode !== jumpOpcode;

/** Throws SKBSPAN_USAGE if a jump is too far for its 16 bits. */
function assemble(drafts: readonly Draft[], labels: ReadonlyMap<Label, number>): Code {
  const placeOf = (target: Label): number => {
    const place = labels.get(target);
    if (place === undefined) throw new SkbspanError('SKBSPAN_INTERNAL', 'a label without a place');
    return place;
  };
  const live = drafts.map(() => false);
  const open = [0];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const draft = drafts[index];
    if (draft === undefined || live[index] === true) continue;
    live[index] = true;
    if (draft.target !== undefined) open.push(placeOf(draft.target));
    if (draft.opcode !== exitOpcode && (draft.target === undefined || isConditional(draft))) {
      open.push(index + 1);
    }
  }
  // New place of each old one, and of the end.
  const places = new Uint32Array(drafts.length + 1);
  live.forEach((isLive, index) => {
    places[index + 1] = (places[index] ?? 0) + (isLive ? 1 : 0);
  });
  const view = new DataView(new ArrayBuffer((places[drafts.length] ?? 0) * instructionBytes));
  const calls: number[] = [];
  drafts.forEach((draft, index) => {
    if (live[index] !== true) return;
    const place = places[index] ?? 0;
    let { offset } = draft;
    if (draft.target !== undefined) {
      offset = (places[placeOf(draft.target)] ?? 0) - place - 1;
      if (offset !== (offset << 16) >> 16) throw tooLarge();
    }
    const at = place * instructionBytes;
    view.setUint8(at, draft.opcode);
    view.setUint8(at + 1, (draft.source << 4) | draft.destination);
    view.setInt16(at + 2, offset, true);
    view.setInt32(at + 4, draft.immediate, true);
    if (draft.opcode === callOpcode && draft.source === callLocal) calls.push(place);
  });
  return { instructions: new Uint8Array(view.buffer), calls };
}

const tooLarge = (): SkbspanError =>
  new SkbspanError('SKBSPAN_USAGE', 'the filter expression is too large for one program', {
    advice: 'Use networks instead of lists of hosts, or port ranges instead of lists of ports.',
  });
