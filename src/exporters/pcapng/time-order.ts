/**
 * Puts packets in the order of their times. Paths are handed out when they end, so a packet that waited in a queue comes
 * after those that overtook it, and Wireshark would call it out of order. So each is held back for a while; one that
 * comes even later is written late and counted.
 */

export interface TimeOrder<Item> {
  /** `at` in nanoseconds, from any fixed moment. */
  add(at: number, bytes: number, item: Item): void;
  /** Hands out, oldest first, what is older than the window before the newest, or does not fit the memory. */
  release(write: (item: Item) => void): void;
  /** Hands out all. */
  drain(write: (item: Item) => void): void;
  /** How many were handed out after one that is newer. */
  readonly late: number;
}

export interface TimeOrderOptions {
  readonly windowNs: number;
  /** Bound of what is held back, as told by `add`; half of it goes out when it is reached. */
  readonly maxBytes: number;
}

interface Held<Item> {
  readonly at: number;
  readonly bytes: number;
  readonly item: Item;
}

export function createTimeOrder<Item>({ windowNs, maxBytes }: TimeOrderOptions): TimeOrder<Item> {
  let held: Held<Item>[] = [];
  let bytes = 0;
  let newest = -Infinity;
  let written = -Infinity;
  let late = 0;

  function hand(until: number, leastBytes: number, write: (item: Item) => void): void {
    // What is there is in order but for its end: quick to sort.
    held.sort((left, right) => left.at - right.at);
    let count = 0;
    let freed = 0;
    for (const each of held) {
      if (each.at > until && freed >= leastBytes) break;
      freed += each.bytes;
      if (each.at < written) late++;
      else written = each.at;
      write(each.item);
      count++;
    }
    held = held.slice(count);
    bytes -= freed;
  }

  return {
    get late() {
      return late;
    },
    add(at, size, item) {
      held.push({ at, bytes: size, item });
      bytes += size;
      if (at > newest) newest = at;
    },
    release(write) {
      hand(newest - windowNs, bytes > maxBytes ? bytes - maxBytes / 2 : 0, write);
    },
    drain(write) {
      hand(Infinity, 0, write);
    },
  };
}
