/**
 * Which expressions say the same of a packet whether its Ethernet header counts or not (WINDOW_EITHER in bpf/filter.h).
 *
 * Whether a header before IP counts is told by the device, and to read that of an skb costs an older kernel more than the rest of the
 * filter. Most expressions need not know: `tcp port 9` asks the Ethernet header for nothing but the type. libpcap compiles an
 * expression once for packets from the Ethernet header on, and once for packets from IP on. If the type says IP, and so does the
 * version behind it, both programs must do the same from there on, 14 bytes apart.
 *
 * This is found out, not assumed: both programs are walked at the same time, by every way that a packet of one version can take.
 * Where they ask for type or version, the answer is known, and they go on each by itself. Everything else must be the same
 * instruction, on registers and memory with the same contents, whose loads are 14 bytes apart. One difference (the length, an
 * address of Ethernet, a tag, code that libpcap arranged otherwise), and the answer is no, which only costs time.
 */
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
import { etherType, versionBits } from './either-check.ts';

const ethernetBytes = 14;

type Program = readonly ClassicInstruction[];

/** Codes of the instructions by which the programs ask: ldh [k], ldb [k], and #k. */
const loadHalf = 0x28;
const loadByte = 0x30;
const and = 0x54;

/** What A holds: the same in both programs, or a number that is known of one of them. */
type Known = number | 'same';

/** Where one of the programs is, before an instruction that both must have. */
interface Place {
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

/** Goes on as long as an instruction only asks what is known; undefined: without an end, or out of the program. */
function skipKnown(
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
function step(
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

function agree(link: Program, network: Program, type: number, version: number): boolean {
  const askType = (index: number) => {
    const { code, k } = link[index] ?? {};
    return code === loadHalf && k === etherType.offset ? { next: index + 1, a: type } : undefined;
  };
  const askVersion = (index: number) => {
    const [load, mask] = [network[index], network[index + 1]];
    const isAsked =
      load?.code === loadByte && load.k === 0 && mask?.code === and && mask.k === versionBits.mask;
    return isAsked ? { next: index + 2, a: version } : undefined;
  };
  const seen = new Set<string>();
  const open: (readonly [Place, Place])[] = [
    [
      { index: 0, a: 'same' },
      { index: 0, a: 'same' },
    ],
  ];
  for (let pair = open.pop(); pair !== undefined; pair = open.pop()) {
    const [one, other] = [
      skipKnown(link, pair[0], askType),
      skipKnown(network, pair[1], askVersion),
    ];
    if (one === undefined || other === undefined) return false;
    const key = [one.index, one.a, other.index, other.a].join(' ');
    if (seen.has(key)) continue;
    seen.add(key);
    const [left, right] = [link[one.index], network[other.index]];
    if (left === undefined || right === undefined) return false;
    const after = step(left, right, one.a === 'same' && other.a === 'same');
    if (after === undefined) return false;
    if (after.ways === 0) continue;
    const reach = (place: Place, skipped: number): Place => ({
      index: place.index + 1 + skipped,
      a: after.makesSame ? 'same' : place.a,
    });
    // How far a jump goes is each program's own.
    open.push([reach(one, left.jt), reach(other, right.jt)]);
    if (after.ways === 2) open.push([reach(one, left.jf), reach(other, right.jf)]);
  }
  return true;
}

/**
 * Whether the program for packets from Ethernet on, and that for packets from IP on, give the same answer for every packet whose
 * Ethernet header names the version of IP that follows. False may also mean that it could not be found out.
 */
export const agreeOnIp = (link: Program, network: Program): boolean =>
  agree(link, network, etherType.ip, versionBits.ip) &&
  agree(link, network, etherType.ip6, versionBits.ip6);
