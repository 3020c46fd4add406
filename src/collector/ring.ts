/**
 * Index arithmetic over a BPF ring buffer mapped into this process; no system call and no allocation per record.
 *
 * The kernel's layout (kernel/bpf/ringbuf.c):
 *   consumer page   u64 consumer position                    ours to write
 *   producer page   u64 producer position                    the kernel's
 *   data            the ring, and its beginning again: a record that crosses the end can be read straight on
 *   record          u32 length | BUSY | DISCARD, u32 page offset, data; the next one begins 8-byte aligned
 *
 * Positions count bytes since the ring was made and never wrap; `position % ringBytes` is where they are. A record whose
 * BUSY bit stands is still being written: everything behind it has to wait, which keeps the order of reservation.
 * The BUSY bit is cleared with release semantics, so it is read atomically before the data is.
 */

const BUSY_BIT = 0x80000000 | 0;
const DISCARD_BIT = 0x40000000;
const LENGTH_MASK = 0x3fffffff;
const RECORD_HEADER_BYTES = 8;
/** The kernel only needs to know that there is space again: storing our position now and then is enough. */
const COMMIT_BYTES = 256 * 1024;

export interface RingMemory {
  /** The consumer page. */
  readonly consumer: ArrayBuffer;
  /** The producer page, the ring, and as much of the ring again as a record may need. */
  readonly producer: ArrayBuffer;
  /** A power of two. */
  readonly ringBytes: number;
  readonly pageBytes: number;
}

/** One record: `byteLength` bytes from `words[wordOffset]`. Valid during the call only: copy what is kept. Must not throw. */
export type OnRecord = (words: Uint32Array, wordOffset: number, byteLength: number) => void;

export interface RingReader {
  /** Hands over at most `maxRecords` records; returns how many. Fewer than asked for: the ring is empty, or its next record busy. */
  drain(onRecord: OnRecord, maxRecords: number): number;
  /** How often a length was impossible and everything then in the ring had to be skipped; 0 unless memory is corrupt. */
  readonly broken: number;
}

export function createRingReader({
  consumer,
  producer,
  ringBytes,
  pageBytes,
}: RingMemory): RingReader {
  const consumerPosition = new BigInt64Array(consumer, 0, 1);
  const producerPosition = new BigInt64Array(producer, 0, 1);
  const words = new Uint32Array(producer, pageBytes);
  const headers = new Int32Array(producer, pageBytes, ringBytes / 4);
  const offsetMask = ringBytes - 1;
  let broken = 0;

  return {
    get broken() {
      return broken;
    },

    drain(onRecord, maxRecords) {
      const start = Atomics.load(consumerPosition, 0);
      let position = Number(start);
      let offset = Number(BigInt.asUintN(53, start) % BigInt(ringBytes));
      let limit = Number(Atomics.load(producerPosition, 0));
      let committed = position;
      let count = 0;
      while (count < maxRecords) {
        if (position >= limit) {
          limit = Number(Atomics.load(producerPosition, 0));
          if (position >= limit) break;
        }
        const header = Atomics.load(headers, offset >>> 2);
        if ((header & BUSY_BIT) !== 0) break;
        const length = header & LENGTH_MASK;
        const step = (RECORD_HEADER_BYTES + length + 7) & ~7;
        if (step > limit - position || step > ringBytes) {
          broken++;
          position = limit;
          break;
        }
        if ((header & DISCARD_BIT) === 0) {
          onRecord(words, (offset + RECORD_HEADER_BYTES) >>> 2, length);
          count++;
        }
        position += step;
        offset = (offset + step) & offsetMask;
        if (position - committed >= COMMIT_BYTES) {
          Atomics.store(consumerPosition, 0, BigInt(position));
          committed = position;
        }
      }
      if (position !== committed) Atomics.store(consumerPosition, 0, BigInt(position));
      return count;
    },
  };
}
