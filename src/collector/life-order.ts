/** The family of a path's lives: who is whose parent, by which call, and all of them in an order that tells it. */

import { linkEvent, linkOperation, packetEvent } from '../event/layout.ts';
import type { Life, LinkOperation } from '../event/packet-path.ts';
import { u53 } from './decode.ts';
import { linkParent } from './losses.ts';
import type { CallDraft, LifeDraft, PathDraft } from './path-records.ts';

const operations: ReadonlyMap<number, LinkOperation> = new Map(
  Object.entries(linkOperation).map(([name, number]) => [number, name as LinkOperation]),
);
const UNKNOWN_SEQ = 0xffffffff;
/** How many calls with the same low 16 bits of seq are looked at, newest first. */
const WRAPS_LOOKED_AT = 8;

/** Sets `index` of all lives and returns them in that order: root first, each parent before its children. */
export function orderLives(
  words: Uint32Array,
  lives: ReadonlyMap<number, LifeDraft>,
  root: number,
): LifeDraft[] {
  const children = new Map<number, LifeDraft[]>();
  const orphans: LifeDraft[] = [];
  for (const life of lives.values()) {
    life.index = -1;
    const parent = parentId(words, life);
    if (!lives.has(parent)) orphans.push(life);
    else {
      const siblings = children.get(parent);
      if (siblings === undefined) children.set(parent, [life]);
      else siblings.push(life);
    }
  }
  const ordered: LifeDraft[] = [];
  const place = (life: LifeDraft | undefined): void => {
    if (life === undefined || life.index >= 0) return;
    life.index = ordered.length;
    ordered.push(life);
  };
  const placeFamily = (life: LifeDraft | undefined): void => {
    let next = ordered.length;
    place(life);
    for (; next < ordered.length; next++) {
      for (const child of children.get(ordered[next]?.id ?? 0) ?? []) place(child);
    }
  };
  placeFamily(eldest(words, lives, root));
  for (const life of orphans) placeFamily(life);
  // Only bytes that no kernel wrote can leave someone out: lives that are each other's parents.
  for (const life of lives.values()) placeFamily(life);
  return ordered;
}

/** The life that a path's root comes from: a path may begin with what turns out to be a part of a packet. */
function eldest(
  words: Uint32Array,
  lives: ReadonlyMap<number, LifeDraft>,
  root: number,
): LifeDraft | undefined {
  let life = lives.get(root);
  for (let climbed = 0; life !== undefined && climbed < lives.size; climbed++) {
    const parent = lives.get(parentId(words, life));
    if (parent === undefined) break;
    life = parent;
  }
  return life;
}

/** Of a life in order, after nesting; undefined if it has no parent in this path. */
export function parentOf(
  words: Uint32Array,
  life: LifeDraft,
  { lives, offsetAt }: PathDraft,
): Life['parent'] {
  const parent = lives.get(parentId(words, life));
  if (parent === undefined || parent.index >= life.index) return undefined;
  if (life.link < 0) {
    // The link was lost; whether the data was shared tells a clone from a copy.
    const packet = new DataView(words.buffer, words.byteOffset + (life.packets[0] ?? 0) * 4);
    const operation = packet.getUint8(packetEvent.cloned) === 0 ? 'copy' : 'clone';
    return { life: parent.index, call: -1, operation };
  }
  return { life: parent.index, ...readLink(words, life.link, parent.calls, offsetAt(life.link)) };
}

/** What a life in order went into; undefined if it went into none of this path. */
export function mergedInto(
  words: Uint32Array,
  life: LifeDraft,
  { lives, offsetAt }: PathDraft,
): Life['mergedInto'] {
  if (life.merge < 0) return undefined;
  const into = lives.get(linkParent(words, life.merge));
  if (into === undefined || into === life) return undefined;
  return { life: into.index, ...readLink(words, life.merge, life.calls, offsetAt(life.merge)) };
}

/** Which of `calls` made the link at word position `at`, and how. */
function readLink(
  words: Uint32Array,
  at: number,
  calls: readonly CallDraft[],
  time: number,
): { readonly call: number; readonly operation: LinkOperation } {
  const link = new DataView(words.buffer, words.byteOffset + at * 4);
  return {
    call: makingCall(calls, link.getUint32(linkEvent.parentSeq, true), time),
    operation: operations.get(link.getUint8(linkEvent.operation)) ?? 'copy',
  };
}

/** 0: none. By its link, or if that was lost by its first packet record. */
function parentId(words: Uint32Array, life: LifeDraft): number {
  if (life.link >= 0) return linkParent(words, life.link);
  const packet = life.packets[0];
  if (!life.linked || packet === undefined) return 0;
  const at = packet + (packetEvent.parent >> 2);
  return u53((words[at + 1] ?? 0) & 0x1fffff, words[at] ?? 0);
}

/** The newest call with these low 16 bits of seq that had begun at `time`, as an index; -1: not seen. */
function makingCall(calls: readonly CallDraft[], seq: number, time: number): number {
  const last = calls.at(-1);
  if (last === undefined || seq === UNKNOWN_SEQ) return -1;
  const low = seq & 0xffff;
  let candidate = last.seq - ((last.seq - low) & 0xffff);
  for (let looked = 0; candidate >= 0 && looked < WRAPS_LOOKED_AT; looked++) {
    const index = findSeq(calls, candidate);
    const call = calls[index];
    if (call !== undefined && call.begin <= time) return index;
    candidate -= 0x10000;
  }
  return -1;
}

/** Index of the call with this seq, -1: there is none. Calls are ordered by seq. */
function findSeq(calls: readonly CallDraft[], seq: number): number {
  let low = 0;
  let high = calls.length - 1;
  while (low <= high) {
    const middle = (low + high) >>> 1;
    const found = calls[middle]?.seq ?? 0;
    if (found === seq) return middle;
    if (found < seq) low = middle + 1;
    else high = middle - 1;
  }
  return -1;
}
