import { createHandle } from './handles.ts';
import { mapMemory, pageBytes } from './libc.ts';

/** A BPF ring buffer's memory as the kernel lays it out (kernel/bpf/ringbuf.c). */
export interface RingMapping {
  readonly pageBytes: number;
  readonly ringBytes: number;
  /** One page, writable: u64 at 0 is the consumer's position. */
  readonly consumer: ArrayBuffer;
  /**
   * Read-only; a write kills the process. One page whose u64 at 0 is the producer's position, then the data twice in a row, so
   * that a record that wraps around is contiguous: data byte n is at `pageBytes + n`.
   */
  readonly producer: ArrayBuffer;
  /** Unmaps; all views of the two buffers are empty from then on. Idempotent. */
  close(): void;
}

/** Maps the ring buffer map `mapFd`, made with `ringBytes` as max_entries. Works in any thread of the process. */
export const mapRing = (mapFd: number, ringBytes: number): RingMapping => {
  const page = pageBytes();
  const consumer = mapMemory(mapFd, 0, page, 'read-write');
  try {
    const producer = mapMemory(mapFd, page, page + 2 * ringBytes, 'read');
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
