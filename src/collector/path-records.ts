/**
 * The records of one path sorted out by life: calls with their exits, packets, links and ends, still as word positions in
 * the batch plus what nesting needs as numbers. Times are nanoseconds from the path's earliest record.
 */

import {
  detail,
  detailEvent,
  dropEvent,
  enterEvent,
  eventFlag,
  eventKind,
  freeEvent,
  linkEvent,
  packetEvent,
} from '../event/layout.ts';
import type { RawPath } from './batch.ts';
import { cpuOf, flagsOf, headerWord, kindOf, u53, u64 } from './decode.ts';

/** A call is written down when its enter is read, and completed by its exit and by nesting. */
export interface CallDraft {
  readonly life: LifeDraft;
  /** Word position of the enter record. */
  readonly at: number;
  readonly seq: number;
  readonly probe: number;
  readonly begin: number;
  /** undefined: no exit was seen, or there is none to see. */
  end: number | undefined;
  /** Word position of the exit record, -1: none. */
  exit: number;
  readonly how: 'exit' | 'enter-only' | 'point';
  /** The low 53 bits of the stack address, enough to compare; 0: unknown. */
  readonly frame: number;
  /** Who ran it: a task by its tid, or, negative, the idle task of one CPU. */
  readonly context: number;
  /** An older call on the life with the same low 16 bits of seq, not returned when this one began. */
  readonly shadowed: CallDraft | undefined;
  parent: CallDraft | undefined;
  depth: number;
  /** enum detail: which detail records were announced. */
  readonly announced: number;
  /** Word positions of those that came. */
  readonly details: number[] | undefined;
  /** Place in its life's calls, set when those are in order. */
  index: number;
}

export interface LifeDraft {
  readonly id: number;
  /** Of its first record. */
  begin: number;
  /** The kernel says that it has a parent. */
  linked: boolean;
  /** Word positions; -1: none. */
  link: number;
  end: number;
  readonly calls: CallDraft[];
  readonly packets: number[];
  readonly sockets: number[];
  readonly conntracks: number[];
  /** The last one. */
  rule: number;
  /** Sequence numbers of all records but exits, in order. */
  readonly seqs: number[];
  skb: bigint;
  /** Place in the path's lives, set when those are in order. */
  index: number;
}

export interface PathDraft {
  /** CLOCK_MONOTONIC of the earliest record. */
  readonly startNs: bigint;
  /** Time of the record at a word position, from the start. */
  readonly offsetAt: (at: number) => number;
  readonly duration: number;
  /** In order of their first record. Empty if there is nothing but exits. */
  readonly lives: ReadonlyMap<number, LifeDraft>;
  readonly calls: readonly CallDraft[];
  readonly orphanExits: number;
}

const FRAME_WORD = enterEvent.frame >> 2;
const DETAILS_WORD = enterEvent.details >> 2;
const PART_WORD = detailEvent.part >> 2;
/** A life that passes 65536 records with a call open for all that time: two calls share a number, hardly ever more. */
const SHADOWS_LOOKED_AT = 8;

const skbWord: Readonly<Record<number, number>> = {
  [eventKind.enter]: enterEvent.skb >> 2,
  [eventKind.packet]: packetEvent.skb >> 2,
  [eventKind.link]: linkEvent.skb >> 2,
  [eventKind.free]: freeEvent.skb >> 2,
  [eventKind.drop]: dropEvent.skb >> 2,
};

export function sortRecords({ words, records }: RawPath): PathDraft {
  const [startHigh, startLow] = earliest(words, records);
  // By halves: the difference is exact however long the machine has been up.
  const offsetAt = (at: number): number =>
    ((words[at + headerWord.time + 1] ?? 0) - startHigh) * 0x100000000 +
    ((words[at + headerWord.time] ?? 0) - startLow);
  const lives = new Map<number, LifeDraft>();
  const calls: CallDraft[] = [];
  /** Calls that wait for their exit, by life and low half of seq. */
  const open = new Map<number, CallDraft>();
  /** Calls that have details, by the same; the newest. */
  const detailed = new Map<number, CallDraft>();
  let life: LifeDraft | undefined;
  let duration = 0;
  let orphanExits = 0;

  for (const at of records) {
    const packed = words[at + headerWord.packed] ?? 0;
    const kind = kindOf(packed);
    const time = offsetAt(at);
    if (time > duration) duration = time;
    const id = u53(words[at + headerWord.life + 1] ?? 0, words[at + headerWord.life] ?? 0);
    if (life?.id !== id) {
      life = lives.get(id);
      if (life === undefined) {
        if (kind === eventKind.exit || kind === eventKind.detail) {
          orphanExits++;
          continue;
        }
        life = newLife(id, time, lives.size);
        lives.set(id, life);
      }
    }
    const seq = words[at + headerWord.seq] ?? 0;
    const key = life.index * 0x10000 + (seq & 0xffff);
    if (kind === eventKind.exit) {
      const call = returning(open.get(key), words[at + headerWord.probe] ?? 0);
      if (call === undefined) orphanExits++;
      else {
        call.end = Math.max(time, call.begin);
        call.exit = at;
      }
      continue;
    }

    if (kind === eventKind.detail) {
      const told = detailed.get(key)?.details;
      if (told === undefined) orphanExits++;
      else told.push(at);
      continue;
    }

    const skbAt = skbWord[kind];
    if (life.skb === 0n && skbAt !== undefined) life.skb = wideAt(words, at + skbAt);
    const flags = flagsOf(packed);
    if ((flags & eventFlag.linked) !== 0) life.linked = true;
    life.seqs.push(seq);
    if (kind === eventKind.enter) {
      const how =
        (flags & eventFlag.point) !== 0
          ? 'point'
          : (flags & eventFlag.enterOnly) !== 0
            ? 'enter-only'
            : 'exit';
      const tid = words[at + headerWord.tid] ?? 0;
      const announced = words[at + DETAILS_WORD] ?? 0;
      const call: CallDraft = {
        life,
        at,
        seq,
        probe: words[at + headerWord.probe] ?? 0,
        begin: time,
        end: undefined,
        exit: -1,
        how,
        frame: u53((words[at + FRAME_WORD + 1] ?? 0) & 0x1fffff, words[at + FRAME_WORD] ?? 0),
        context: tid === 0 ? -1 - cpuOf(packed) : tid,
        shadowed: how === 'exit' ? open.get(key) : undefined,
        parent: undefined,
        depth: 0,
        announced,
        details: announced === 0 ? undefined : [],
        index: life.calls.length,
      };
      if (announced !== 0) detailed.set(key, call);
      if (how === 'exit') open.set(key, call);
      life.calls.push(call);
      calls.push(call);
    } else if (kind === eventKind.packet) life.packets.push(at);
    else if (kind === eventKind.link) {
      if (life.link < 0) life.link = at;
    } else if (kind === eventKind.socket) life.sockets.push(at);
    else if (kind === eventKind.conntrack) life.conntracks.push(at);
    else if (kind === eventKind.rule) life.rule = at;
    else if (life.end < 0) life.end = at;
  }
  for (const each of lives.values()) putInOrder(each, words);
  return { startNs: u64(startHigh, startLow), offsetAt, duration, lives, calls, orphanExits };
}

const newLife = (id: number, begin: number, index: number): LifeDraft => ({
  id,
  begin,
  linked: false,
  link: -1,
  end: -1,
  calls: [],
  packets: [],
  sockets: [],
  conntracks: [],
  rule: -1,
  seqs: [],
  skb: 0n,
  index,
});

/** The part (enum detail) of a detail record. */
export const partOf = (words: Uint32Array, at: number): number => words[at + PART_WORD] ?? 0;

/** How many of the announced details of a call did not come. */
export function missingDetails(call: CallDraft, words: Uint32Array): number {
  let missing = call.announced;
  for (const at of call.details ?? []) missing &= ~partOf(words, at);
  return Object.values(detail).filter((part) => (missing & part) !== 0).length;
}

/** Two u32 halves, high first. [0, 0] if there are no records. */
function earliest(words: Uint32Array, records: readonly number[]): [number, number] {
  let high = 0xffffffff;
  let low = 0xffffffff;
  for (const at of records) {
    const recordHigh = words[at + headerWord.time + 1] ?? 0;
    const recordLow = words[at + headerWord.time] ?? 0;
    if (recordHigh < high || (recordHigh === high && recordLow < low)) {
      high = recordHigh;
      low = recordLow;
    }
  }
  return [high, low];
}

/** The newest call that began with this number and probe, and has not returned. */
function returning(newest: CallDraft | undefined, probe: number): CallDraft | undefined {
  let call = newest;
  for (let looked = 0; call !== undefined && looked < SHADOWS_LOOKED_AT; looked++) {
    if (call.probe === probe && call.end === undefined) return call;
    call = call.shadowed;
  }
  return undefined;
}

/** CPUs take sequence numbers before space in the ring, so records of one life can change places. */
function putInOrder(life: LifeDraft, words: Uint32Array): void {
  if (isAscending(life.seqs)) return;
  const seqAt = (at: number): number => words[at + headerWord.seq] ?? 0;
  life.seqs.sort((a, b) => a - b);
  for (const list of [life.packets, life.sockets, life.conntracks])
    list.sort((a, b) => seqAt(a) - seqAt(b));
  life.calls.sort((a, b) => a.seq - b.seq);
  for (const [index, call] of life.calls.entries()) call.index = index;
}

function isAscending(numbers: readonly number[]): boolean {
  for (let index = 1; index < numbers.length; index++) {
    if ((numbers[index] ?? 0) < (numbers[index - 1] ?? 0)) return false;
  }
  return true;
}

/** The u64 at a word position. */
export const wideAt = (words: Uint32Array, at: number): bigint =>
  u64(words[at + 1] ?? 0, words[at] ?? 0);
