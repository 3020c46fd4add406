/** Reading the packet out of generated code; translate.ts says how and why. */
import { type Assembler, bytes, type Label, type Width } from './assembler.ts';

/*
 * The stack below the frame pointer, in bytes:
 *     -8  buffer of a single load
 *    -16  skb            -24  length          -32  loop limit (translate.ts)
 *   -104  copy of the packet's first bytes    below: memory words (translate.ts)
 */
const loadBuffer = -8;
export const skbSlot = -16;
export const lengthSlot = -24;
const copyAt = -104;
const copyBytes = 72;

const probeReadKernel = 113; // enum bpf_func_id

/**
 * How memory is read where it is, without a call: bytes_at() in bpf/skb.h says why it is taken for an skb's control block.
 * For kernels that have bpf_rdonly_cast().
 */
export interface InPlace {
  /** BTF ids of that function, and of struct sk_buff. */
  readonly cast: number;
  readonly skb: number;
  /** Of sk_buff.cb, in bytes: a multiple of 8. */
  readonly cbOffset: number;
}
const cbBytes = 48; // include/linux/skbuff.h
export interface Registers {
  readonly result: number;
  readonly x: number;
  readonly start: number;
  readonly linear: number;
  readonly frame: number;
}

export interface PacketLoads {
  /** Saves what only the slow way and the packet's length need. */
  keepArguments(skb: number, length: number): void;
  /** Copies the first bytes, or points to them: as far as loads that end at `ends` need, and the room allows. */
  fetch(ends: readonly number[], linkHeaderBytes: number): void;
  /** Loads from a fixed offset; no match if the packet ends before. */
  at(offset: number, width: Width, target: number): void;
  /** Loads from X + k. */
  atX(k: number, width: Width, target: number): void;
}

export function createPacketLoads(
  to: Assembler,
  { result, x, start, linear, frame }: Registers,
  unreadable: Label,
  inPlace?: InPlace,
): PacketLoads {
  /** Bytes of the packet in the copy, and where it begins. */
  let copied = 0;
  let begin = copyAt;

  /** Offset in r4. Leaves the value in `target`. */
  const readSlowly = (width: Width, target: number): void => {
    to.alu64('mov', 1, { register: start });
    to.alu64('mov', 2, { register: linear });
    to.load('double', 3, frame, skbSlot);
    to.alu32('mov', 5, bytes[width]);
    to.callNeighbour();
    to.jumpIfNegative64(result, unreadable);
    to.alu32('mov', target, { register: result });
  };

  const swap = (width: Width, register: number): void => {
    if (width === 'word') to.fromBigEndian(register, 32);
    if (width === 'half') to.fromBigEndian(register, 16);
  };

  /*
   * Lengths are compared by subtraction, not by a jump on both: such a jump would teach the verifier something about the length
   * each time, every load would split what it knows in two, and it would walk all combinations.
   */

  /** From an address in r1 to a pointer in r0, of a control block that begins there. */
  const pointTo = ({ cast, skb, cbOffset }: InPlace): void => {
    to.alu64('add', 1, -cbOffset);
    to.alu32('mov', 2, skb);
    to.callKernel(cast);
  };

  /** Offset in r4, below 2^33. */
  const readAnywhere = (width: Width, target: number): void => {
    const slow = to.label();
    const done = to.label();
    to.alu32('mov', result, bytes[width]);
    to.alu64('add', result, { register: 4 });
    to.alu64('sub', result, { register: linear });
    to.jumpIfPositive64(result, slow);
    if (inPlace === undefined) {
      to.alu64('mov', 3, { register: start });
      to.alu64('add', 3, { register: 4 });
      to.alu64('mov', 1, { register: frame });
      to.alu64('add', 1, loadBuffer);
      to.alu32('mov', 2, bytes[width]);
      to.callHelper(probeReadKernel);
      to.jumpIfNegative64(result, unreadable);
      to.load(width, target, frame, loadBuffer);
    } else {
      to.alu64('mov', 1, { register: start });
      to.alu64('add', 1, { register: 4 });
      pointTo(inPlace);
      to.load(width, target, result, inPlace.cbOffset);
    }
    swap(width, target);
    to.jump(done);
    to.place(slow);
    readSlowly(width, target);
    to.place(done);
  };

  /** From the copy; a part at a time where it is not aligned. */
  const readCopy = (offset: number, width: Width, target: number): void => {
    const at = begin + offset;
    const aligned = at % bytes[width] === 0;
    if (aligned) {
      to.load(width, target, frame, at);
      swap(width, target);
      return;
    }
    const part: Width = width === 'word' && at % 2 === 0 ? 'half' : 'byte';
    to.load(part, target, frame, at);
    swap(part, target);
    for (let done = bytes[part]; done < bytes[width]; done += bytes[part]) {
      to.alu32('lsh', target, 8 * bytes[part]);
      to.load(part, result, frame, at + done);
      swap(part, result);
      to.alu32('or', target, { register: result });
    }
  };

  return {
    keepArguments(skb, length) {
      to.store('double', frame, skbSlot, skb);
      to.alu32('mov', length, { register: length });
      to.store('double', frame, lengthSlot, length);
    },
    fetch(ends, linkHeaderBytes) {
      if (inPlace !== undefined) {
        // What stands in place of the copy then. Loads that end beyond are rare, and make a pointer of their own.
        copied = Math.max(0, ...ends.filter((end) => end <= cbBytes));
        if (copied === 0) return;
        to.alu64('mov', 1, { register: start });
        pointTo(inPlace);
        to.store('double', frame, copyAt, result);
        return;
      }
      begin = copyAt + ((4 - (linkHeaderBytes % 4)) % 4);
      const room = copyAt + copyBytes - begin;
      copied = Math.max(0, ...ends.filter((end) => end <= room));
      if (copied === 0) return;
      const part = to.label();
      const read = to.label();
      to.jumpIf64('lt', linear, copied, part);
      to.alu32('mov', 2, copied);
      to.jump(read);
      to.place(part);
      // A read of varying length wants the memory initialized.
      for (let at = copyAt; at < begin + copied; at += 8) to.storeImmediate('double', frame, at, 0);
      to.alu64('mov', 2, { register: linear });
      to.place(read);
      to.alu64('mov', 1, { register: frame });
      to.alu64('add', 1, begin);
      to.alu64('mov', 3, { register: start });
      to.callHelper(probeReadKernel);
      to.jumpIfNegative64(result, unreadable);
    },
    at(offset, width, target) {
      const end = offset + bytes[width];
      if (end > copied) {
        to.alu32('mov', 4, offset);
        readAnywhere(width, target);
        return;
      }
      const slow = to.label();
      const done = to.label();
      to.alu32('mov', result, end);
      to.alu64('sub', result, { register: linear });
      to.jumpIfPositive64(result, slow);
      if (inPlace === undefined) readCopy(offset, width, target);
      else {
        to.load('double', 1, frame, copyAt);
        to.load(width, target, 1, inPlace.cbOffset + offset);
        swap(width, target);
      }
      to.jump(done);
      to.place(slow);
      to.alu32('mov', 4, offset);
      readSlowly(width, target);
      to.place(done);
    },
    atX(k, width, target) {
      to.alu64('mov', 4, { register: x });
      to.alu32('mov', result, k);
      to.alu64('add', 4, { register: result });
      readAnywhere(width, target);
    },
  };
}
