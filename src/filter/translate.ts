/**
 * From classic BPF to eBPF: the programs that libpcap compiles become the body of one function in our own programs.
 *
 * What runs where. Classic BPF is a small machine: registers A and X, sixteen words of memory, loads from the packet, and a
 * verdict. libpcap runs it over a buffer; the kernel over an skb that belongs to the program. In a kprobe nothing belongs to
 * us: the packet can only be read by probe reads, at addresses. So the function gets an address and a length instead:
 *
 *   u32 pcap_filter(u64 start, u32 linear, u32 len, u64 skb, u32 window)      bpf/filter.h
 *
 * `start` is where the window begins (a MAC or network header), `linear` how many bytes lie there in one piece, `len` how
 * long the packet is from there on, `window` which of the programs to run: an expression is compiled once for packets with an
 * Ethernet header and once for packets that begin with IP, and a tunnel has expressions of its own for the inner packet.
 *
 * Registers: r6 = A, r7 = X, r8 = start, r9 = linear. All of them survive calls. A and X are 32 bits wide: every operation is
 * a 32-bit one, which zeroes the upper half, so that they can be used as 64-bit offsets without overflow.
 *
 * Loads. Nearly all are at fixed offsets within the headers. Where the kernel lets us, they are read in place, through a pointer made
 * at the start (packet-loads.ts). Else each would be a probe read, which costs more than everything else here: so one read at the
 * start fetches all of these bytes to the stack, and each load is then a plain one. The stack must be read aligned: the copy stands
 * such that addresses and ports are, and what is not is put together from smaller parts. A load at X + k is a pointer or a probe
 * read of its own. Whatever does not lie in the linear part goes the slow way, to read_fragments() in C beside us, which
 * finds bytes in page fragments and fragment lists; it also says if the packet ends before. As in libpcap, a load beyond the
 * end ends the program: no match. Or it is not known whether there is a match, if there was only a glance at the packet (bpf/glance.h).
 *
 * What differs between the machines:
 * - Division and remainder by zero: eBPF gives 0 or the dividend, libpcap's interpreter ends with no match. So do we.
 * - Shifts by more than 31: eBPF takes the amount modulo 32, libpcap gives 0. So do we.
 * - Backward jumps: only `protochain` makes them, to go from one IPv6 extension header to the next. The verifier wants to see
 *   the end of a loop, so each backward jump uses up one of `loopLimit`; a packet with more extension headers does not match.
 *   The verifier walks a loop round by round, and by every way through it whose values differ. So that all ways are one at the
 *   end of a round, registers and memory are made unknown to it there, by xor with a number it does not know, twice.
 * - Unreachable code is an error to the verifier: the assembler leaves it out.
 */
import { SkbspanError } from '../errors.ts';
import { type Assembler, type Code, createAssembler, type Label, type Width } from './assembler.ts';
import {
  classes,
  type ClassicInstruction,
  classOf,
  memoryWords,
  miscTxa,
  modeOf,
  modes,
  operationOf,
  operations,
  reachable,
  returnA,
  sizeOf,
  sizes,
  sourceX,
} from './classic.ts';
import { checkIp } from './either-check.ts';
import {
  createPacketLoads,
  type InPlace,
  lengthSlot,
  type PacketLoads,
  skbSlot,
} from './packet-loads.ts';

/** A program and the window it looks at. */
export interface WindowProgram {
  /** enum filter_window in bpf/filter.h. */
  readonly window: number;
  /** Another window for it, if the packet is IP by its type and by its version; else the answer is unknown (either-window.ts). */
  readonly either?: number | undefined;
  readonly instructions: readonly ClassicInstruction[];
  /** Bytes of link-layer header before the network header, for the alignment of the copy. */
  readonly linkHeaderBytes: number;
}

const registers = { result: 0, a: 6, x: 7, start: 8, linear: 9, frame: 10 } as const;
/** Of the arguments. */
const parameters = { start: 1, linear: 2, length: 3, skb: 4, window: 5 } as const;

/** BPF_JMP | BPF_JA: backward if its distance is negative. */
const backwardJump = 0x05;

/** In place of the skb's address, and the answer then: SKB_NOT_TOLD and PCAP_UNKNOWN in bpf/filter.h. */
const skbNotTold = 1;
export const pcapUnknown = 2;

/** Memory words stand below this, packet-loads.ts says what stands above. */
const memoryTop = -104;
const fuelSlot = -32;
/** Extension headers that `protochain` follows. */
export const loopLimit = 64;

const widthOf = (code: number): Width => {
  switch (sizeOf(code)) {
    case sizes.word:
      return 'word';
    case sizes.half:
      return 'half';
    case sizes.byte:
      return 'byte';
    default:
      throw unknownInstruction(code);
  }
};

const unknownInstruction = (code: number): SkbspanError =>
  new SkbspanError(
    'SKBSPAN_INTERNAL',
    `libpcap made an unknown instruction 0x${code.toString(16)}`,
  );

/**
 * Translates all programs into the body of one function; with `inPlace` for a kernel that has what it takes. Throws SKBSPAN_USAGE if
 * it becomes too large.
 */
export function translate(programs: readonly WindowProgram[], inPlace?: InPlace): Code {
  const to = createAssembler();
  const reject = to.label();
  const unknown = to.label();
  const unreadable = to.label();
  const entries = programs.map(() => ({ window: to.label(), either: to.label() }));
  to.alu64('mov', registers.start, { register: parameters.start });
  to.alu32('mov', registers.linear, { register: parameters.linear });
  const loads = createPacketLoads(to, registers, unreadable, inPlace);
  loads.keepArguments(parameters.skb, parameters.length);
  programs.forEach(({ window, either }, index) => {
    const entry = entries[index];
    if (entry === undefined) return;
    if (either !== undefined) to.jumpIf32('eq', parameters.window, either, entry.either);
    to.jumpIf32('eq', parameters.window, window, entry.window);
  });
  to.jump(reject);
  to.place(unreadable);
  to.load('double', registers.result, registers.frame, skbSlot);
  to.jumpIf64('ne', registers.result, skbNotTold, reject);
  to.place(unknown);
  to.alu32('mov', registers.result, pcapUnknown);
  to.exit();
  to.place(reject);
  to.alu32('mov', registers.result, 0);
  to.exit();
  programs.forEach((program, index) => {
    const entry = entries[index];
    if (entry !== undefined) translateProgram({ to, loads, reject, unknown }, program, entry);
  });
  return to.finish();
}

interface Outside {
  readonly to: Assembler;
  readonly loads: PacketLoads;
  readonly reject: Label;
  readonly unknown: Label;
}

function translateProgram(
  { to, loads, reject, unknown }: Outside,
  program: WindowProgram,
  entry: { readonly window: Label; readonly either: Label },
): void {
  const { instructions, either } = program;
  const live = reachable(instructions);
  const used = instructions.filter((_, index) => live[index] === true);
  const begin = to.label();
  if (either !== undefined) {
    to.place(entry.either);
    to.alu32('mov', registers.x, either);
    to.jump(begin);
  }
  to.place(entry.window);
  to.alu32('mov', registers.x, 0);
  to.place(begin);
  to.alu32('mov', registers.a, 0);
  const slots = [...memorySlots(used)];
  const memory = (word: number): number => memoryTop - 4 * (slots.indexOf(word) + 1);
  for (const slot of slots) to.storeImmediate('word', registers.frame, memory(slot), 0);
  const isLoop = used.some(({ code, k }) => code === backwardJump && (k | 0) < 0);
  if (isLoop) {
    // By a register: older verifiers follow the value of a stack slot only then.
    to.alu64('mov', registers.result, loopLimit);
    to.store('double', registers.frame, fuelSlot, registers.result);
  }
  const ends = staticEnds(used);
  if (either !== undefined) ends.push(program.linkHeaderBytes + 1);
  loads.fetch(ends, program.linkHeaderBytes);
  if (either !== undefined) checkIp(to, loads, registers, program.linkHeaderBytes, unknown);
  const labels = instructions.map(() => to.label());
  const goTo = (index: number): Label => labels[index] ?? reject;
  instructions.forEach((instruction, index) => {
    if (live[index] !== true) return;
    to.place(goTo(index));
    translateInstruction({ to, loads, reject, goTo, isLoop, memory }, instruction, index);
  });
}

/** Memory words that are read or written. */
function memorySlots(instructions: readonly ClassicInstruction[]): Set<number> {
  const slots = new Set<number>();
  for (const { code, k } of instructions) {
    const kind = classOf(code);
    const isLoad = kind === classes.ld || kind === classes.ldx;
    const isStore = kind === classes.st || kind === classes.stx;
    if (!isStore && !(isLoad && modeOf(code) === modes.mem)) continue;
    if (k >= memoryWords) throw unknownInstruction(code);
    slots.add(k);
  }
  return slots;
}

/** Where the bytes of each load at a fixed offset end. */
function staticEnds(instructions: readonly ClassicInstruction[]): number[] {
  return instructions.flatMap(({ code, k }) => {
    const kind = classOf(code);
    if (kind === classes.ldx && modeOf(code) === modes.msh) return [k + 1];
    if (kind !== classes.ld || modeOf(code) !== modes.abs) return [];
    return [k + { word: 4, half: 2, byte: 1, double: 8 }[widthOf(code)]];
  });
}

interface Surroundings {
  readonly to: Assembler;
  readonly loads: PacketLoads;
  readonly reject: Label;
  readonly goTo: (index: number) => Label;
  /** There are backward jumps in this program. */
  readonly isLoop: boolean;
  /** Where a word of memory is on the stack: only those in use have room. */
  readonly memory: (word: number) => number;
}

function translateInstruction(
  around: Surroundings,
  instruction: ClassicInstruction,
  index: number,
): void {
  const { to, reject } = around;
  const { code, k } = instruction;
  const { a, x, frame, result } = registers;
  switch (classOf(code)) {
    case classes.ld:
    case classes.ldx:
      translateLoad(around, instruction);
      return;
    case classes.st:
    case classes.stx: {
      const source = classOf(code) === classes.st ? a : x;
      if (around.isLoop) makeUnknown(to, source);
      to.store('word', frame, around.memory(k), source);
      return;
    }
    case classes.alu:
      translateArithmetic(around, instruction);
      return;
    case classes.jmp:
      translateJump(around, instruction, index);
      return;
    case classes.ret:
      if ((code & 0x18) === returnA) {
        to.jumpIf32('eq', a, 0, reject);
      } else if (k === 0) {
        to.jump(reject);
        return;
      }
      to.alu32('mov', result, 1);
      to.exit();
      return;
    default:
      if ((code & miscTxa) !== 0) to.alu32('mov', a, { register: x });
      else to.alu32('mov', x, { register: a });
  }
}

function translateLoad({ to, loads, memory }: Surroundings, { code, k }: ClassicInstruction): void {
  const target = classOf(code) === classes.ld ? registers.a : registers.x;
  switch (modeOf(code)) {
    case modes.imm:
      to.alu32('mov', target, k);
      return;
    case modes.mem:
      to.load('word', target, registers.frame, memory(k));
      return;
    case modes.len:
      to.load('double', target, registers.frame, lengthSlot);
      return;
    case modes.abs:
      loads.at(k, widthOf(code), target);
      return;
    case modes.ind:
      loads.atX(k, widthOf(code), target);
      return;
    case modes.msh: // four times the low half of a byte: the length of an IPv4 header
      loads.at(k, 'byte', target);
      to.alu32('and', target, 0x0f);
      to.alu32('lsh', target, 2);
      return;
    default:
      throw unknownInstruction(code);
  }
}

function translateArithmetic({ to, reject }: Surroundings, { code, k }: ClassicInstruction): void {
  const { a, x } = registers;
  const operation = operationOf(code);
  const byX = (code & sourceX) !== 0;
  const isDivision = operation === operations.div || operation === operations.mod;
  const isShift = operation === operations.lsh || operation === operations.rsh;
  if (isDivision && !byX && k === 0) {
    to.jump(reject);
    return;
  }
  if (isDivision && byX) to.jumpIf32('eq', x, 0, reject);
  if (isShift && !byX && k > 31) {
    to.alu32('mov', a, 0);
    return;
  }
  if (isShift && byX) {
    const small = to.label();
    const done = to.label();
    to.jumpIf32('le', x, 31, small);
    to.alu32('mov', a, 0);
    to.jump(done);
    to.place(small);
    to.alu32Raw(operation, a, { register: x });
    to.place(done);
    return;
  }
  const isNegation = operation === operations.neg;
  to.alu32Raw(operation, a, isNegation ? 0 : byX ? { register: x } : k);
}

function translateJump(
  { to, reject, goTo }: Surroundings,
  { code, jt, jf, k }: ClassicInstruction,
  index: number,
): void {
  const operation = operationOf(code);
  if (operation === operations.ja) {
    const target = index + 1 + (k | 0);
    if (target <= index) useFuel(to, reject);
    to.jump(goTo(target));
    return;
  }
  const right = (code & sourceX) === 0 ? k : { register: registers.x };
  const [yes, no] = [goTo(index + 1 + jt), goTo(index + 1 + jf)];
  const conditional = (name: keyof typeof conditions): void => {
    const { holds, fails } = conditions[name];
    if (jt === 0 && fails !== undefined) {
      to.jumpIf32(fails, registers.a, right, no);
      return;
    }
    to.jumpIf32(holds, registers.a, right, yes);
    if (jf !== 0) to.jump(no);
  };
  switch (operation) {
    case operations.jeq:
      conditional('equal');
      return;
    case operations.jgt:
      conditional('greater');
      return;
    case operations.jge:
      conditional('notLess');
      return;
    case operations.jset:
      conditional('anyBit');
      return;
    default:
      throw unknownInstruction(code);
  }
}

/** eBPF's jumps for a condition and for its opposite. */
const conditions = {
  equal: { holds: 'eq', fails: 'ne' },
  greater: { holds: 'gt', fails: 'le' },
  notLess: { holds: 'ge', fails: 'lt' },
  anyBit: { holds: 'set', fails: undefined },
} as const;

/** Keeps the value; what the verifier knows of it is gone. Any number will do that it does not know. */
function makeUnknown(to: Assembler, register: number): void {
  to.load('double', registers.result, registers.frame, lengthSlot);
  to.alu32('xor', register, { register: registers.result });
  to.alu32('xor', register, { register: registers.result });
}

function useFuel(to: Assembler, reject: Label): void {
  const { result, frame } = registers;
  to.load('double', result, frame, fuelSlot);
  to.jumpIf64('eq', result, 0, reject);
  to.alu64('sub', result, 1);
  to.store('double', frame, fuelSlot, result);
  makeUnknown(to, registers.a);
  makeUnknown(to, registers.x);
}
