/**
 * Classic BPF, the language that libpcap compiles to: two 32-bit registers (A, X), sixteen memory words, jumps. Numbers as in
 * linux/bpf_common.h and linux/filter.h.
 *
 *   struct bpf_insn { u16 code; u8 jt; u8 jf; u32 k; }
 *   code: class (3 bits) | size or operation or source | mode
 */
import { SkbspanError } from '../errors.ts';

export interface ClassicInstruction {
  readonly code: number;
  /** Instructions to skip if a condition holds, and if not. */
  readonly jt: number;
  readonly jf: number;
  /** Unsigned. */
  readonly k: number;
}

export const classes = { ld: 0, ldx: 1, st: 2, stx: 3, alu: 4, jmp: 5, ret: 6, misc: 7 } as const;
export const modes = { imm: 0x00, abs: 0x20, ind: 0x40, mem: 0x60, len: 0x80, msh: 0xa0 } as const;
export const sizes = { word: 0x00, half: 0x08, byte: 0x10 } as const;
/** ALU and jump operations; eBPF has the same numbers. */
export const operations = {
  div: 0x30,
  lsh: 0x60,
  rsh: 0x70,
  neg: 0x80,
  mod: 0x90,
  ja: 0x00,
  jeq: 0x10,
  jgt: 0x20,
  jge: 0x30,
  jset: 0x40,
} as const;
export const sourceX = 0x08;
export const returnA = 0x10;
export const miscTxa = 0x80;
export const memoryWords = 16;

export const classOf = (code: number): number => code & 0x07;
export const modeOf = (code: number): number => code & 0xe0;
export const sizeOf = (code: number): number => code & 0x18;
export const operationOf = (code: number): number => code & 0xf0;

const instructionBytes = 8;

/** Decodes struct bpf_insn[], little-endian. */
export function decodeClassic(bytes: Uint8Array): ClassicInstruction[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length / instructionBytes }, (_, index) => {
    const at = index * instructionBytes;
    return {
      code: view.getUint16(at, true),
      jt: view.getUint8(at + 2),
      jf: view.getUint8(at + 3),
      k: view.getUint32(at + 4, true),
    };
  });
}

/** The opposite of decodeClassic. */
export function encodeClassic(program: readonly ClassicInstruction[]): Uint8Array {
  const view = new DataView(new ArrayBuffer(program.length * instructionBytes));
  program.forEach(({ code, jt, jf, k }, index) => {
    const at = index * instructionBytes;
    view.setUint16(at, code, true);
    view.setUint8(at + 2, jt);
    view.setUint8(at + 3, jf);
    view.setUint32(at + 4, k, true);
  });
  return new Uint8Array(view.buffer);
}

/** Where execution may go after the instruction at `index`: a taken branch first. Empty: it returns. */
export function successors({ code, jt, jf, k }: ClassicInstruction, index: number): number[] {
  if (classOf(code) === classes.ret) return [];
  if (classOf(code) !== classes.jmp) return [index + 1];
  // libpcap's jump over extension headers goes backwards: k is signed.
  if (operationOf(code) === operations.ja) return [index + 1 + (k | 0)];
  return [index + 1 + jt, index + 1 + jf];
}

/** Which instructions can be reached. Throws SKBSPAN_INTERNAL for a jump out of the program: libpcap makes none. */
export function reachable(program: readonly ClassicInstruction[]): boolean[] {
  const seen = program.map(() => false);
  const open = [0];
  for (let index = open.pop(); index !== undefined; index = open.pop()) {
    const instruction = program[index];
    if (instruction === undefined) {
      throw new SkbspanError('SKBSPAN_INTERNAL', 'a filter program jumps out of itself');
    }
    if (seen[index] === true) continue;
    seen[index] = true;
    open.push(...successors(instruction, index));
  }
  return seen;
}
