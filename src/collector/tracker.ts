/**
 * The tracker: raw records in, finished packet paths out. It runs alone on the collector's thread, decodes nothing that it
 * does not need, and allocates nothing per event: a record is copied into the chunks of its path (record-store.ts), and when
 * the path is over, the chunks are copied into a batch (batch.ts). Nesting, names and addresses are made from the batch on
 * the main thread (path-builder.ts).
 *
 * Identity. A record names its life, minted in the kernel and never used twice; the sk_buff's address plays no part here.
 * Every life belongs to exactly one path. A life seen for the first time begins a path of its own, unless its record is a
 * link whose parent is in flight: then it joins the parent's path. For a clone or copy the kernel sends the link before any
 * other record of the child, so that is the rule; should the link be lost, the child's first packet record names the parent
 * too, and the path begun meanwhile is joined to the parent's as a whole.
 *
 * Joins. A link may also name a life that has a path already: a fragment or segment that was on record before its link, or,
 * with the flag `merge`, a packet that went into another one (GRO, reassembly). Then two paths in flight become one: all
 * lives and records of the linked life's path go over to the path of the one it names, which keeps its root. So the first
 * segment of a GRO batch, or the fragment that came first, is what the path is called by. When the path is built, a root
 * that turned out to be a part of something gives way to what it is a part of (life-order.ts). Such a path is over when the
 * lives of all of them have ended. If the named life was handed out before, the two stay apart, and the later says so.
 *
 * Ends. A life has ended when a free or drop record came. A path is over when all its lives have ended and no call of it is
 * open (enters that will have an exit, less exits). Then a short grace is left to it (50 ms), because the kernel still runs
 * functions on a dying skb after its end was recorded, and some of them tell no exit. The two states, `ongoing` and `over`,
 * are two lists, each ordered by when a path was last heard of, so that a sweep looks only at paths it hands out.
 * A path that never gets over (an skb sits in a socket's queue) is handed out after the idle time, or earlier if its memory
 * is needed: first the paths that are over, then those not heard of for longest. One in the middle of a call gets the idle
 * time four times more: its CPU may be taken away (a virtual machine on a busy host), or the exit was lost.
 *
 * After the end. An exit (or a detail of a call) never begins a path: one without a path is counted as orphan and dropped. Any other record of a
 * life whose path was handed out begins a new path, marked as continued. Which lives were handed out is remembered for the
 * last 65536; an older one is taken for a life whose first records were lost.
 *
 * Time is the clock that the caller gives to `reading` and `sweep`. A sweep must not run ahead of the ring: what lies unread in it may
 * belong to the path that is about to be handed out. So the caller passes the time before which all was read.
 *
 * Accepted to be wrong. A lost exit keeps its path for five times the idle time. (A lost enter does no harm: the kernel then sends no
 * exit.) A path with more records than its share of memory loses the further ones (counted, and told
 * on the path), except links and ends, which keep its bookkeeping right.
 */

import { eventFlag, eventKind, linkEvent, packetEvent } from '../event/layout.ts';
import type { PathEnding } from '../event/packet-path.ts';
import type { LossCause } from '../event/statistics.ts';
import type { BatchWriter } from './batch.ts';
import { flagsOf, headerWord, isContext, kindOf, recordBytes, u53 } from './decode.ts';
import {
  createFinishedLives,
  createLifeTable,
  type FinishedLives,
  type LifeTable,
} from './life-table.ts';
import { createPathTable, type PathTable } from './path-table.ts';
import { chunksFor, createRecordStore, type RecordStore } from './record-store.ts';

const LINK_PARENT_WORD = linkEvent.parent >> 2;
const PACKET_PARENT_WORD = packetEvent.parent >> 2;
const NO_EXIT = eventFlag.point | eventFlag.enterOnly;
const FINISHED_LIVES = 65536;
/** How often a path in the middle of a call is given the idle time anew. */
const IDLE_ROUNDS_IN_CALL = 4;
/** A record and a new path always fit once this much is free; the biggest record is a packet of the biggest snap length. */
const CHUNKS_KEPT_FREE = chunksFor(packetEvent.data + 0xffff) + 1;

export interface TrackerLimits {
  /** For records of paths in flight; at least 1 MiB. */
  readonly memoryBytes: number;
  /** For the records of one path. */
  readonly pathBytes: number;
  readonly idleMs: number;
  readonly graceMs: number;
}

export const defaultTrackerLimits: TrackerLimits = {
  memoryBytes: 64 * 1024 * 1024,
  pathBytes: 16 * 1024 * 1024,
  idleMs: 3000,
  graceMs: 50,
};

export type TrackerLossCause = Extract<
  LossCause,
  'undecodable' | 'orphan_exits' | 'tracker_memory' | 'paths_dropped'
>;

export interface TrackerStatistics {
  /** Records taken in, undecodable ones not counted. */
  readonly events: number;
  /** Paths handed out. */
  readonly paths: number;
  readonly pathsInFlight: number;
  readonly losses: ReadonlyMap<TrackerLossCause, number>;
}

export interface TrackerOptions {
  readonly limits: TrackerLimits;
  readonly batch: BatchWriter;
  /** False: whoever takes the batches lags behind, paths that end now are dropped and counted. */
  readonly accepting: () => boolean;
}

export interface Tracker {
  /** One record of `byteLength` bytes at `words[at]`; copied. */
  add(words: Uint32Array, at: number, byteLength: number): void;
  /** Records are read at `nowMs` from here on. Never goes backwards; else they count as read when the last sweep was. */
  reading(nowMs: number): void;
  /** Hands out what is over or idle at `nowMs`, before which every record has been added. Never goes backwards. */
  sweep(nowMs: number): void;
  /** Hands out everything. */
  finishAll(): void;
  /** CLOCK_MONOTONIC of the record added last, in milliseconds. */
  lastRecordMs(): number;
  statistics(): TrackerStatistics;
}

class PathTracker implements Tracker {
  readonly #limits: TrackerLimits;
  readonly #batch: BatchWriter;
  readonly #accepting: () => boolean;
  readonly #store: RecordStore;
  readonly #paths: PathTable;
  readonly #lives: LifeTable = createLifeTable();
  readonly #finished: FinishedLives = createFinishedLives(FINISHED_LIVES);
  readonly #pathWordsMax: number;
  #clockMs = 0;
  /** When what is added now is heard of: not before the last sweep. */
  #readMs = 0;
  #lastTimeLow = 0;
  #lastTimeHigh = 0;
  #events = 0;
  #pathsOut = 0;
  #undecodable = 0;
  #orphanExits = 0;
  #memoryLost = 0;
  #pathsDropped = 0;

  constructor({ limits, batch, accepting }: TrackerOptions) {
    this.#limits = limits;
    this.#batch = batch;
    this.#accepting = accepting;
    this.#store = createRecordStore(Math.max(limits.memoryBytes, 1024 * 1024));
    // Each path holds a chunk at least, so there cannot be more paths than chunks.
    this.#paths = createPathTable(this.#store.chunks);
    this.#pathWordsMax = limits.pathBytes / 4;
  }

  add(words: Uint32Array, at: number, byteLength: number): void {
    const bytes = recordBytes(words, at, byteLength);
    if (bytes === 0) {
      this.#undecodable++;
      return;
    }
    this.#events++;
    this.#lastTimeLow = words[at + headerWord.time] ?? 0;
    this.#lastTimeHigh = words[at + headerWord.time + 1] ?? 0;
    const packed = words[at + headerWord.packed] ?? 0;
    const kind = kindOf(packed);
    if (isContext(kind)) {
      this.#batch.context(words, at, bytes);
      return;
    }

    while (this.#store.free < CHUNKS_KEPT_FREE) this.#evict();
    const low = words[at + headerWord.life] ?? 0;
    const high = words[at + headerWord.life + 1] ?? 0;
    const flags = flagsOf(packed);
    const parent = this.#parentOf(kind, flags, words, at);
    let life = this.#lives.find(low, high);
    if (life >= 0) {
      if (parent >= 0) this.#join(life, parent);
    } else if (kind === eventKind.exit || kind === eventKind.detail) {
      this.#orphanExits++;
      return;
    } else life = this.#begin(low, high, parent);

    const path = this.#lives.path[life] ?? 0;
    this.#count(kind, flags, life, path);
    this.#keep(kind, path, words, at, bytes);
    this.#paths.touch(path, this.#readMs);
  }

  reading(nowMs: number): void {
    if (nowMs > this.#readMs) this.#readMs = nowMs;
  }

  sweep(nowMs: number): void {
    if (nowMs > this.#clockMs) this.#clockMs = nowMs;
    this.reading(nowMs);
    const { over, ongoing, lastSeenMs, open, postponed } = this.#paths;
    const { graceMs, idleMs } = this.#limits;
    for (let path = over.oldest; path >= 0; path = over.oldest) {
      if ((lastSeenMs[path] ?? 0) > this.#clockMs - graceMs) break;
      this.#finish(path, 'ended');
    }
    for (let path = ongoing.oldest; path >= 0; path = ongoing.oldest) {
      if ((lastSeenMs[path] ?? 0) > this.#clockMs - idleMs) break;
      const inCall = (open[path] ?? 0) > 0 && (postponed[path] ?? 0) < IDLE_ROUNDS_IN_CALL;
      if (inCall) this.#paths.postpone(path, this.#readMs);
      else this.#finish(path, 'idle');
    }
  }

  finishAll(): void {
    const { over, ongoing } = this.#paths;
    while (over.oldest >= 0) this.#finish(over.oldest, 'ended');
    while (ongoing.oldest >= 0) this.#finish(ongoing.oldest, 'stopped');
  }

  lastRecordMs(): number {
    return u53(this.#lastTimeHigh, this.#lastTimeLow) / 1e6;
  }

  statistics(): TrackerStatistics {
    return {
      events: this.#events,
      paths: this.#pathsOut,
      pathsInFlight: this.#paths.size,
      losses: new Map([
        ['undecodable', this.#undecodable],
        ['orphan_exits', this.#orphanExits],
        ['tracker_memory', this.#memoryLost],
        ['paths_dropped', this.#pathsDropped],
      ]),
    };
  }

  /** The parent that the record names, if it is in flight; else -1. */
  #parentOf(kind: number, flags: number, words: Uint32Array, at: number): number {
    let parent: number;
    if (kind === eventKind.link) parent = at + LINK_PARENT_WORD;
    else if (kind === eventKind.packet && (flags & eventFlag.linked) !== 0)
      parent = at + PACKET_PARENT_WORD;
    else return -1;
    return this.#lives.find(words[parent] ?? 0, words[parent + 1] ?? 0);
  }

  /** A life seen for the first time: on the path of its parent, if it has one in flight, else on a new one. */
  #begin(low: number, high: number, parent: number): number {
    if (parent >= 0) return this.#addLife(low, high, this.#lives.path[parent] ?? 0);
    const path = this.#paths.add(low, high, this.#store.take());
    if (this.#finished.has(low, high)) this.#paths.continued[path] = 1;
    return this.#addLife(low, high, path);
  }

  #addLife(low: number, high: number, path: number): number {
    const life = this.#lives.add(low, high, path, this.#paths.lives[path] ?? -1);
    this.#paths.lives[path] = life;
    this.#paths.alive[path] = (this.#paths.alive[path] ?? 0) + 1;
    return life;
  }

  /** Joins the whole path of `life` to that of `parent`. */
  #join(life: number, parent: number): void {
    const lives = this.#lives;
    const paths = this.#paths;
    const from = lives.path[life] ?? 0;
    const to = lives.path[parent] ?? 0;
    if (from === to) return;
    let last = life;
    for (let each = paths.lives[from] ?? -1; each >= 0; each = lives.next[each] ?? -1) {
      lives.path[each] = to;
      last = each;
    }
    lives.next[last] = paths.lives[to] ?? -1;
    paths.lives[to] = paths.lives[from] ?? -1;
    this.#store.join(paths.lastChunk[to] ?? 0, paths.firstChunk[from] ?? 0);
    paths.join(to, from);
  }

  /** What the record changes in the state of its path. */
  #count(kind: number, flags: number, life: number, path: number): void {
    const { alive, open } = this.#paths;
    if (kind === eventKind.enter) {
      if ((flags & NO_EXIT) === 0) open[path] = (open[path] ?? 0) + 1;
    } else if (kind === eventKind.exit) {
      // The exit of a lost enter must not make up for a call that is open.
      open[path] = Math.max(0, (open[path] ?? 0) - 1);
    } else if (kind === eventKind.free || kind === eventKind.drop) {
      if (this.#lives.ended[life] === 0) alive[path] = (alive[path] ?? 0) - 1;
      this.#lives.ended[life] = 1;
    }
  }

  #keep(kind: number, path: number, words: Uint32Array, at: number, bytes: number): void {
    const paths = this.#paths;
    const total = (paths.words[path] ?? 0) + 1 + ((bytes + 3) >>> 2);
    if (total > this.#pathWordsMax && !isKeptAlways(kind)) {
      paths.lost[path] = (paths.lost[path] ?? 0) + 1;
      this.#memoryLost++;
      return;
    }
    paths.words[path] = total;
    paths.lastChunk[path] = this.#store.append(paths.lastChunk[path] ?? 0, words, at, bytes);
  }

  #evict(): void {
    const { over, ongoing } = this.#paths;
    if (over.oldest >= 0) this.#finish(over.oldest, 'ended');
    else this.#finish(ongoing.oldest, 'evicted');
  }

  #finish(path: number, ending: PathEnding): void {
    const paths = this.#paths;
    const first = paths.firstChunk[path] ?? 0;
    if (this.#accepting()) {
      this.#pathsOut++;
      this.#batch.path(
        {
          rootLow: paths.rootLow[path] ?? 0,
          rootHigh: paths.rootHigh[path] ?? 0,
          ending: paths.alive[path] === 0 ? 'ended' : ending,
          continued: paths.continued[path] === 1,
          lost: paths.lost[path] ?? 0,
          words: paths.words[path] ?? 0,
        },
        (target, at) => {
          this.#store.copy(first, target, at);
        },
      );
    } else this.#pathsDropped++;
    this.#store.release(first);
    const lives = this.#lives;
    let life = paths.lives[path] ?? -1;
    while (life >= 0) {
      const next = lives.next[life] ?? -1;
      this.#finished.add(lives.idLow[life] ?? 0, lives.idHigh[life] ?? 0);
      lives.remove(life);
      life = next;
    }
    paths.remove(path);
  }
}

const isKeptAlways = (kind: number): boolean =>
  kind === eventKind.link || kind === eventKind.free || kind === eventKind.drop;

export const createTracker = (options: TrackerOptions): Tracker => new PathTracker(options);
