import { createHandle } from './handles.ts';
import { mapMemory, pageBytes } from './libc.ts';

/** A BPF ring buffer's memory as the kernel lays it out (kernel/bpf/ringbuf.c). */
export interface RingMapping {
  readonly pageBytes: number;
  readonly ringBytes: number;
  /** One page, writable: u64 at 0 is the consumer's position. */
  readonly consumer: ArrayBuffer;
  /**
   * Read-only; a write kills the process. One page whose u64 at 0 is the producer's position, then the data, then its first
   * bytes again, so that a record that wraps around is contiguous: data byte n is at `pageBytes + n`. The kernel offers the
   * data twice in a row; mapping no more of the second one than a record can need halves what this process seems to use,
   * for the kernel puts all pages in place at once.
   */
  readonly producer: ArrayBuffer;
  /** Unmaps; all views of the two buffers are empty from then on. Idempotent. */
  close(): void;
}

/** More than the longest record: a packet's header and 65535 bytes. */
const overlapBytes = 128 * 1024;

/** Maps the ring buffer map `mapFd`, made with `ringBytes` as max_entries. Works in any thread of the process. */
export const mapRing = (mapFd: number, ringBytes: number): RingMapping => {
  const page = pageBytes();
  const consumer = mapMemory(mapFd, 0, page, 'read-write');
  try {
    const producer = mapMemory(
      mapFd,
      page,
      page + ringBytes + Math.min(ringBytes, overlapBytes),
      'read',
    );
    const handle = createHandle(`ring buffer of ${ringBytes} bytes`, () => {
      consumer.unmap();
      producer.unmap();
    });
    return {
      pageBytes: page,
      ringBytes,
      consumer: consumer.buffer,
      producer: producer.buffer,
      close: () => {
        handle.close();
      },
    };
  } catch (error) {
    consumer.unmap();
    throw error;
  }
};
