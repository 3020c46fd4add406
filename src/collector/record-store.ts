/**
 * Memory for the records of paths in flight: one block of fixed size, cut into chunks of 1 KiB. A path's records are a
 * chain of chunks, filled one after the other: each record is a word with its byte length, then its words; a record may
 * run over from one chunk into the next, so copying the chunks out in order gives the records of a batch.
 *
 * The block is reserved at once but the system gives it page by page when first written, and the chunk freed last is the
 * first to be used again, so a quiet run stays small.
 */

const CHUNK_WORDS = 256;
const NONE = -1;

class RecordStore {
  /** Chunks that are free. */
  free: number;
  readonly chunks: number;
  readonly #words: Uint32Array;
  /** Of a used chunk the next one of its chain, of a free one the next free one. */
  readonly #next: Int32Array;
  /** Words written in each chunk. */
  readonly #used: Uint16Array;
  #freeHead = 0;

  constructor(bytes: number) {
    this.chunks = Math.floor(bytes / (CHUNK_WORDS * 4));
    this.free = this.chunks;
    this.#words = new Uint32Array(this.chunks * CHUNK_WORDS);
    this.#next = new Int32Array(this.chunks);
    this.#used = new Uint16Array(this.chunks);
    for (let chunk = 0; chunk < this.chunks; chunk++) this.#next[chunk] = chunk + 1;
    this.#next[this.chunks - 1] = NONE;
  }

  /** A chain of one empty chunk. The caller has made sure that `free` suffices, here and in `append`. */
  take(): number {
    const chunk = this.#freeHead;
    this.#freeHead = this.#next[chunk] ?? NONE;
    this.#next[chunk] = NONE;
    this.#used[chunk] = 0;
    this.free--;
    return chunk;
  }

  /** Appends a record to the chain that ends with chunk `last`; returns the chunk it then ends with. */
  append(last: number, words: Uint32Array, at: number, byteLength: number): number {
    const target = this.#words;
    let chunk = last;
    let used = this.#used[chunk] ?? 0;
    if (used === CHUNK_WORDS) {
      chunk = this.#extend(chunk);
      used = 0;
    }
    target[chunk * CHUNK_WORDS + used++] = byteLength;
    let from = at;
    let left = (byteLength + 3) >>> 2;
    while (true) {
      const count = Math.min(left, CHUNK_WORDS - used);
      const to = chunk * CHUNK_WORDS + used;
      for (let index = 0; index < count; index++) target[to + index] = words[from + index] ?? 0;
      used += count;
      left -= count;
      if (left === 0) break;
      from += count;
      this.#used[chunk] = used;
      chunk = this.#extend(chunk);
      used = 0;
    }
    this.#used[chunk] = used;
    return chunk;
  }

  /** Puts the chain that begins with `first` behind the one that ends with `last`. */
  join(last: number, first: number): void {
    this.#next[last] = first;
  }

  /** Copies a whole chain to `target` from word `at` on. */
  copy(first: number, target: Uint32Array, at: number): void {
    let to = at;
    for (let chunk = first; chunk !== NONE; chunk = this.#next[chunk] ?? NONE) {
      const used = this.#used[chunk] ?? 0;
      const from = chunk * CHUNK_WORDS;
      target.set(this.#words.subarray(from, from + used), to);
      to += used;
    }
  }

  release(first: number): void {
    let chunk = first;
    while (chunk !== NONE) {
      const next = this.#next[chunk] ?? NONE;
      this.#next[chunk] = this.#freeHead;
      this.#freeHead = chunk;
      this.free++;
      chunk = next;
    }
  }

  #extend(last: number): number {
    const chunk = this.take();
    this.#next[last] = chunk;
    return chunk;
  }
}

export type { RecordStore };

export const createRecordStore = (bytes: number): RecordStore => new RecordStore(bytes);

/** How many chunks a record of `byteLength` can newly take, at most. */
export const chunksFor = (byteLength: number): number =>
  1 + Math.ceil(((byteLength + 3) / 4 + 1) / CHUNK_WORDS);
