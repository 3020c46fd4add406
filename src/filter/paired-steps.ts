/** Single steps of two programs of classic BPF that are walked side by side; either-window.ts says what for. */
import {
  classes,
  type ClassicInstruction,
  classOf,
  miscTxa,
  modeOf,
  modes,
  operationOf,
  operations,
  returnA,
  sourceX,
} from './classic.ts';

/** So far behind those of the other program are the loads of the one: by the Ethernet header. */
const ethernetBytes = 14;

export type Program = readonly ClassicInstruction[];

/** What A holds: the same in both programs, or a number that is known of one of them. */
export type Known = number | 'same';

/** Where one of the programs is, before an instruction that both must have. */
export interface Place {
  readonly index: number;
  readonly a: Known;
}

function holds(operation: number, a: number, k: number): boolean | undefined {
  switch (operation) {
    case operations.jeq:
      return a === k;
    case operations.jgt:
      return a > k;
    case operations.jge:
      return a >= k;
    case operations.jset:
      return (a & k) !== 0;
    default:
      return undefined;
  }
}

/** Goes on as long as an instruction only asks what is known, as `ask` says; undefined: without an end, or out of the program. */
export function skipKnown(
  program: Program,
  from: Place,
  ask: (index: number) => { readonly next: number; readonly a: number } | undefined,
): Place | undefined {
  let { index, a } = from;
  for (let steps = 0; steps <= program.length; steps++) {
    const instruction = program[index];
    if (instruction === undefined) return undefined;
    const { code, jt, jf, k } = instruction;
    const answer = ask(index);
    if (answer !== undefined) {
      ({ next: index, a } = answer);
    } else if (classOf(code) === classes.jmp && operationOf(code) === operations.ja) {
      index += 1 + (k | 0);
    } else if (classOf(code) === classes.jmp && (code & sourceX) === 0 && a !== 'same') {
      const taken = holds(operationOf(code), a, k);
      if (taken === undefined) return undefined;
      index += 1 + (taken ? jt : jf);
    } else {
      return { index, a };
    }
  }
  return undefined;
}

/** In how many ways it goes on after the same instruction of both (a jump has two); undefined: it is not the same. */
export function step(
  one: ClassicInstruction,
  other: ClassicInstruction,
  isSame: boolean,
): { readonly ways: 0 | 1 | 2; readonly makesSame: boolean } | undefined {
  const { code, k } = one;
  const on = { ways: 1, makesSame: isSame } as const;
  const kind = classOf(code);
  if (kind === classes.ret && classOf(other.code) === classes.ret) {
    const isFixed = (code & 0x18) !== returnA && (other.code & 0x18) !== returnA;
    return isFixed && (k === 0) === (other.k === 0) ? { ...on, ways: 0 } : undefined;
  }
  if (code !== other.code) return undefined;
  switch (kind) {
    case classes.ld:
    case classes.ldx: {
      const mode = modeOf(code);
      if (mode === modes.len) return undefined;
      const distance = mode === modes.imm || mode === modes.mem ? 0 : ethernetBytes;
      if (k !== other.k + distance) return undefined;
      return { ...on, makesSame: isSame || kind === classes.ld };
    }
    case classes.st:
    case classes.alu:
      return isSame && k === other.k ? on : undefined;
    case classes.stx:
      return k === other.k ? on : undefined;
    case classes.jmp:
      return isSame && k === other.k ? { ...on, ways: 2 } : undefined;
    case classes.misc:
      if ((code & miscTxa) !== 0) return { ...on, makesSame: true };
      return isSame ? on : undefined;
    default:
      return undefined;
  }
}
