/**
 * Where the kernel keeps its memory, as a BPF program must know to read a page by its `struct page`. Both places are random
 * at boot. /proc/kcore, the kernel's memory as an ELF file, tells them in its program headers:
 *
 *   PT_LOAD with a physical address     a piece of the map of all memory (KCORE_RAM): virtual - physical is where that begins
 *   PT_LOAD with physical address -1    among others the struct pages of such a piece (KCORE_VMEMMAP)
 */
import { closeSync, openSync, readSync } from 'node:fs';

export interface PageMap {
  /** Virtual address of physical address 0. */
  readonly pageOffset: bigint;
  /** Virtual address of the struct page of page 0. */
  readonly vmemmap: bigint;
}

const programHeaderBytes = 56;
const loadable = 1;
const mostHeaders = 4096;
const noAddress = 0xffffffffffffffffn;
/** Both begin at a multiple of this, whatever is random. */
const alignment = 1n << 20n;
const pageShift = 12n;

interface Segment {
  readonly virtual: bigint;
  readonly physical: bigint;
  readonly bytes: bigint;
}

/** Elf64_Phdr: type 0, flags 4, offset 8, virtual address 16, physical address 24, bytes in memory 40. */
function readSegments(file: Uint8Array): Segment[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64) return [];
  const start = Number(view.getBigUint64(32, true));
  const count = view.getUint16(56, true);
  const segments: Segment[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * programHeaderBytes;
    if (at + programHeaderBytes > file.length) break;
    if (view.getUint32(at, true) !== loadable) continue;
    segments.push({
      virtual: view.getBigUint64(at + 16, true),
      physical: view.getBigUint64(at + 24, true),
      bytes: view.getBigUint64(at + 40, true),
    });
  }
  return segments;
}

/**
 * Reads the two places out of the beginning of /proc/kcore; `structPageBytes` is the size of struct page. undefined: it does
 * not tell. The kernel's code has a physical address too; it is mapped above all memory.
 */
export function parsePageMap(kcore: Uint8Array, structPageBytes: number): PageMap | undefined {
  const segments = readSegments(kcore);
  const mapped = segments.filter(({ physical }) => physical !== noAddress);
  const others = segments.filter(({ physical }) => physical === noAddress);
  const lowest = mapped.reduce<Segment | undefined>(
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
  let file: number | undefined;
  try {
    file = openSync('/proc/kcore', 'r');
    const head = new Uint8Array(64 + mostHeaders * programHeaderBytes);
    const length = readSync(file, head, 0, head.length, 0);
    return parsePageMap(head.subarray(0, length), structPageBytes);
  } catch {
    return undefined;
  } finally {
    if (file !== undefined) closeSync(file);
  }
}
