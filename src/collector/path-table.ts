/**
 * The paths in flight, as columns of numbers: a path is a row number, reused after `remove`. Each path stands in one of two
 * lists, ordered by when it was last heard of: `over` (all lives ended, no call open) or `ongoing`.
 */

const NONE = -1;

/** A list of paths, the one not heard of for longest first. -1: empty. */
export interface PathList {
  readonly oldest: number;
}

class List implements PathList {
  oldest = NONE;
  newest = NONE;
}

class PathTable {
  readonly rootLow: Uint32Array;
  readonly rootHigh: Uint32Array;
  /** Where its records are, see record-store.ts. */
  readonly firstChunk: Int32Array;
  readonly lastChunk: Int32Array;
  /** Words of its records with their lengths. */
  readonly words: Int32Array;
  /** Records thrown away. */
  readonly lost: Uint32Array;
  /** Head of the list of its lives, see life-table.ts. */
  readonly lives: Int32Array;
  /** Lives that have not ended. */
  readonly alive: Int32Array;
  /** Enters that will have an exit, less exits. */
  readonly open: Int32Array;
  readonly continued: Uint8Array;
  readonly lastSeenMs: Float64Array;
  /** How often it was postponed since it was last heard of. */
  readonly postponed: Uint8Array;
  readonly over = new List();
  readonly ongoing = new List();
  size = 0;
  readonly #older: Int32Array;
  /** Of a free row: the next free one. */
  readonly #newer: Int32Array;
  readonly #isOver: Uint8Array;
  #free = 0;

  constructor(capacity: number) {
    this.rootLow = new Uint32Array(capacity);
    this.rootHigh = new Uint32Array(capacity);
    this.firstChunk = new Int32Array(capacity);
    this.lastChunk = new Int32Array(capacity);
    this.words = new Int32Array(capacity);
    this.lost = new Uint32Array(capacity);
    this.lives = new Int32Array(capacity);
    this.alive = new Int32Array(capacity);
    this.open = new Int32Array(capacity);
    this.continued = new Uint8Array(capacity);
    this.lastSeenMs = new Float64Array(capacity);
    this.postponed = new Uint8Array(capacity);
    this.#older = new Int32Array(capacity);
    this.#newer = new Int32Array(capacity);
    this.#isOver = new Uint8Array(capacity);
    for (let path = 0; path < capacity; path++) this.#newer[path] = path + 1;
  }

  /** A path without lives. The caller has made sure that there is a row. */
  add(rootLow: number, rootHigh: number, chunk: number): number {
    const path = this.#free;
    this.#free = this.#newer[path] ?? NONE;
    this.rootLow[path] = rootLow;
    this.rootHigh[path] = rootHigh;
    this.firstChunk[path] = chunk;
    this.lastChunk[path] = chunk;
    this.words[path] = 0;
    this.lost[path] = 0;
    this.lives[path] = NONE;
    this.alive[path] = 0;
    this.open[path] = 0;
    this.continued[path] = 0;
    this.postponed[path] = 0;
    this.size++;
    this.#append(path, false);
    return path;
  }

  /** Adds the sums of path `from` to path `to` and removes `from`. Chunks and lives are joined by the caller. */
  join(to: number, from: number): void {
    this.lastChunk[to] = this.lastChunk[from] ?? 0;
    this.words[to] = (this.words[to] ?? 0) + (this.words[from] ?? 0);
    this.lost[to] = (this.lost[to] ?? 0) + (this.lost[from] ?? 0);
    this.alive[to] = (this.alive[to] ?? 0) + (this.alive[from] ?? 0);
    this.open[to] = (this.open[to] ?? 0) + (this.open[from] ?? 0);
    this.continued[to] = (this.continued[to] ?? 0) | (this.continued[from] ?? 0);
    this.remove(from);
  }

  /** Notes that the path was heard of, and moves it to the list where it belongs now. */
  touch(path: number, nowMs: number): void {
    this.postponed[path] = 0;
    this.#move(path, nowMs);
  }

  /** As if it had just been heard of, but counted. */
  postpone(path: number, nowMs: number): void {
    this.postponed[path] = (this.postponed[path] ?? 0) + 1;
    this.#move(path, nowMs);
  }

  #move(path: number, nowMs: number): void {
    this.lastSeenMs[path] = nowMs;
    const isOver = this.alive[path] === 0 && this.open[path] === 0;
    const list = isOver ? this.over : this.ongoing;
    if (list.newest === path) return;
    this.#unlink(path);
    this.#append(path, isOver);
  }

  remove(path: number): void {
    this.#unlink(path);
    this.#newer[path] = this.#free;
    this.#free = path;
    this.size--;
  }

  #append(path: number, isOver: boolean): void {
    const list = isOver ? this.over : this.ongoing;
    this.#isOver[path] = isOver ? 1 : 0;
    this.#older[path] = list.newest;
    this.#newer[path] = NONE;
    if (list.newest === NONE) list.oldest = path;
    else this.#newer[list.newest] = path;
    list.newest = path;
  }

  #unlink(path: number): void {
    const list = this.#isOver[path] === 1 ? this.over : this.ongoing;
    const older = this.#older[path] ?? NONE;
    const newer = this.#newer[path] ?? NONE;
    if (older === NONE) list.oldest = newer;
    else this.#newer[older] = newer;
    if (newer === NONE) list.newest = older;
    else this.#older[newer] = older;
  }
}

export type { PathTable };

/** `capacity`: how many paths there can be at once. */
export const createPathTable = (capacity: number): PathTable => new PathTable(capacity);
