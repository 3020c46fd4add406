/**
 * Where the kernel keeps its memory, as a BPF program must know to read a page by its `struct page`. Both places are random
 * at boot. /proc/kcore, the kernel's memory as an ELF file, tells them in its program headers:
 *
 *   PT_LOAD with a physical address     a piece of the map of all memory (KCORE_RAM): virtual - physical is where that begins
 *   PT_LOAD with physical address -1    among others the struct pages of such a piece (KCORE_VMEMMAP)
 */
import { closeSync } from 'node:fs';
import { type KcoreSegment, openKcore, readSegments } from './kcore.ts';

export interface PageMap {
  /** Virtual address of physical address 0. */
  readonly pageOffset: bigint;
  /** Virtual address of the struct page of page 0. */
  readonly vmemmap: bigint;
}

const noAddress = 0xffffffffffffffffn;
/** Both begin at a multiple of this, whatever is random. */
const alignment = 1n << 20n;
const pageShift = 12n;

/**
 * Reads the two places out of the beginning of /proc/kcore; `structPageBytes` is the size of struct page. undefined: it does
 * not tell. The kernel's code has a physical address too; it is mapped above all memory.
 */
export function parsePageMap(kcore: Uint8Array, structPageBytes: number): PageMap | undefined {
  const segments = readSegments(kcore);
  const mapped = segments.filter(({ physical }) => physical !== noAddress);
  const others = segments.filter(({ physical }) => physical === noAddress);
  const lowest = mapped.reduce<KcoreSegment | undefined>(
    (least, segment) => (least === undefined || segment.virtual < least.virtual ? segment : least),
    undefined,
  );
  if (lowest === undefined) return undefined;
  const pageOffset = lowest.virtual - lowest.physical;
  // The struct pages of a piece are told of from the page on that holds the first of them, to the end of the last one's.
  const pagesBytes = (bytes: bigint): bigint => (bytes >> pageShift) * BigInt(structPageBytes);
  const before = pagesBytes(lowest.physical);
  const size = pagesBytes(lowest.bytes);
  for (const { virtual, bytes } of others) {
    const start = virtual - before;
    const vmemmap = ((start + alignment - 1n) / alignment) * alignment;
    const isSize = bytes >= size && bytes - size <= 8192n;
    if (isSize && vmemmap - start < 4096n) return { pageOffset, vmemmap };
  }
  return undefined;
}

/** undefined: this kernel has no /proc/kcore, or it may not be read. */
export function readPageMap(structPageBytes: number): PageMap | undefined {
  const kcore = openKcore();
  if (kcore === undefined) return undefined;
  try {
    return parsePageMap(kcore.head, structPageBytes);
  } finally {
    closeSync(kcore.file);
  }
}
