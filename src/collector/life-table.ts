/**
 * Which path a life belongs to: life id -> slot, by open addressing over typed arrays, because a Map keyed by 48-bit ids
 * would box every key. Slots are stable while a life is in the table; the lives of one path are a list through `next`.
 */

const NONE = -1;
const FIRST_CAPACITY = 4096;

class LifeTable {
  idLow = new Uint32Array(FIRST_CAPACITY);
  idHigh = new Uint32Array(FIRST_CAPACITY);
  path = new Int32Array(FIRST_CAPACITY);
  /** The next life of the same path; of a free slot, the next free one. -1: the last. */
  next = new Int32Array(FIRST_CAPACITY);
  ended = new Uint8Array(FIRST_CAPACITY);
  size = 0;
  #freeSlot = NONE;
  #slotsMade = 0;
  /** Slot + 1 by hash, 0: empty. Twice as many places as slots, so a probe is short. */
  #places = new Int32Array(FIRST_CAPACITY * 2);

  /** The slot of a life, -1 if it is not in the table. */
  find(low: number, high: number): number {
    const places = this.#places;
    const mask = places.length - 1;
    for (let place = hash(low, high) & mask; ; place = (place + 1) & mask) {
      const slot = (places[place] ?? 0) - 1;
      if (slot === NONE) return NONE;
      if (this.idLow[slot] === low && this.idHigh[slot] === high) return slot;
    }
  }

  /** Adds a life that is not in the table; returns its slot. */
  add(low: number, high: number, path: number, next: number): number {
    let slot = this.#freeSlot;
    if (slot !== NONE) this.#freeSlot = this.next[slot] ?? NONE;
    else {
      if (this.#slotsMade === this.idLow.length) this.#grow();
      slot = this.#slotsMade++;
    }
    this.idLow[slot] = low;
    this.idHigh[slot] = high;
    this.path[slot] = path;
    this.next[slot] = next;
    this.ended[slot] = 0;
    this.size++;
    this.#place(slot);
    return slot;
  }

  remove(slot: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let hole = hash(this.idLow[slot] ?? 0, this.idHigh[slot] ?? 0) & mask;
    while ((places[hole] ?? 0) - 1 !== slot) hole = (hole + 1) & mask;
    // Close the gap, so that a search may stop at the first empty place: move back whoever probed past the hole.
    for (let place = (hole + 1) & mask; ; place = (place + 1) & mask) {
      const other = (places[place] ?? 0) - 1;
      if (other === NONE) break;
      const home = hash(this.idLow[other] ?? 0, this.idHigh[other] ?? 0) & mask;
      if (((place - home) & mask) >= ((place - hole) & mask)) {
        places[hole] = other + 1;
        hole = place;
      }
    }
    places[hole] = 0;
    this.next[slot] = this.#freeSlot;
    this.#freeSlot = slot;
    this.size--;
  }

  #place(slot: number): void {
    const places = this.#places;
    const mask = places.length - 1;
    let place = hash(this.idLow[slot] ?? 0, this.idHigh[slot] ?? 0) & mask;
    while (places[place] !== 0) place = (place + 1) & mask;
    places[place] = slot + 1;
  }

  #grow(): void {
    const capacity = this.idLow.length * 2;
    this.idLow = grown(this.idLow, new Uint32Array(capacity));
    this.idHigh = grown(this.idHigh, new Uint32Array(capacity));
    this.path = grown(this.path, new Int32Array(capacity));
    this.next = grown(this.next, new Int32Array(capacity));
    this.ended = grown(this.ended, new Uint8Array(capacity));
    this.#places = new Int32Array(capacity * 2);
    // Growth only happens when no slot is free, so every slot made is in use.
    for (let slot = 0; slot < this.#slotsMade; slot++) this.#place(slot);
  }
}

/** Ids are counted up, so their low bits spread well already; the multiplication is for ids that share them. */
function hash(low: number, high: number): number {
  return (Math.imul(low, 0x9e3779b1) ^ Math.imul(high, 0x85ebca6b)) >>> 7;
}

function grown<T extends Int32Array | Uint32Array | Uint8Array>(from: T, to: T): T {
  to.set(from);
  return to;
}

/**
 * Lives whose path was handed out. Bounded: an id overwrites the one with the same low bits, so of ids counted up the
 * newest `capacity` are remembered.
 */
class FinishedLives {
  #low: Uint32Array;
  #high: Uint32Array;

  constructor(capacity: number) {
    this.#low = new Uint32Array(capacity);
    this.#high = new Uint32Array(capacity);
  }

  add(low: number, high: number): void {
    const place = low & (this.#low.length - 1);
    this.#low[place] = low;
    this.#high[place] = high;
  }

  has(low: number, high: number): boolean {
    const place = low & (this.#low.length - 1);
    return this.#low[place] === low && this.#high[place] === high;
  }
}

export type { FinishedLives, LifeTable };

export const createLifeTable = (): LifeTable => new LifeTable();
/** `capacity` is a power of two. */
export const createFinishedLives = (capacity: number): FinishedLives => new FinishedLives(capacity);
