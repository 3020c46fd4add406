/** /proc/kcore: the kernel's memory as an ELF file, of which the program headers tell where in the file an address lies. */
import { closeSync, openSync, readSync } from 'node:fs';

const programHeaderBytes = 56;
const loadable = 1;
const mostHeaders = 4096;

export interface KcoreSegment {
  readonly virtual: bigint;
  /** 2^64 - 1: none. */
  readonly physical: bigint;
  readonly bytes: bigint;
  /** Where it begins in the file. */
  readonly offset: bigint;
}

/** Elf64_Phdr: type 0, flags 4, offset 8, virtual address 16, physical address 24, bytes in memory 40. */
export function readSegments(file: Uint8Array): KcoreSegment[] {
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength);
  if (file.length < 64) return [];
  const start = Number(view.getBigUint64(32, true));
  const count = view.getUint16(56, true);
  const segments: KcoreSegment[] = [];
  for (let index = 0; index < count; index++) {
    const at = start + index * programHeaderBytes;
    if (at + programHeaderBytes > file.length) break;
    if (view.getUint32(at, true) !== loadable) continue;
    segments.push({
      offset: view.getBigUint64(at + 8, true),
      virtual: view.getBigUint64(at + 16, true),
      physical: view.getBigUint64(at + 24, true),
      bytes: view.getBigUint64(at + 40, true),
    });
  }
  return segments;
}

/** `file` is the caller's to close. undefined: this kernel has none, or it may not be read. */
export function openKcore(
  path = '/proc/kcore',
): { readonly file: number; readonly head: Uint8Array } | undefined {
  let file: number | undefined;
  try {
    file = openSync(path, 'r');
    const head = new Uint8Array(64 + mostHeaders * programHeaderBytes);
    return { file, head: head.subarray(0, readSync(file, head, 0, head.length, 0)) };
  } catch {
    if (file !== undefined) closeSync(file);
    return undefined;
  }
}

export interface KernelCode {
  /** The bytes at an address; undefined: nothing that can be read lies there. */
  at(address: bigint, bytes: number): Uint8Array | undefined;
  close(): void;
}

/** Reads the kernel's code as it is now. undefined: as openKcore. */
export function openKernelCode(path?: string): KernelCode | undefined {
  const kcore = openKcore(path);
  if (kcore === undefined) return undefined;
  const { file, head } = kcore;
  const segments = readSegments(head);
  return {
    at(address, bytes) {
      const end = address + BigInt(bytes);
      const segment = segments.find(
        (one) => address >= one.virtual && end <= one.virtual + one.bytes,
      );
      if (segment === undefined) return undefined;
      const read = new Uint8Array(bytes);
      try {
        const position = segment.offset + (address - segment.virtual);
        return readSync(file, read, 0, bytes, position) === bytes ? read : undefined;
      } catch {
        return undefined;
      }
    },
    close() {
      closeSync(file);
    },
  };
}
