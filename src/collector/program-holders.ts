import { readSync } from 'node:fs';
import { createIteratorLink, openIterator } from '../ffi/bpf-programs.ts';
import { withFd } from '../ffi/bpf-syscall.ts';
import type { BpfLink } from '../ffi/links.ts';

/** struct holders in bpf/programs.bpf.c: id u32, padding, references u64. */
const recordBytes = 16;
const readBytes = 64 * 1024;

/** Tells how many hold each loaded BPF program; the kernel tells that to nobody but its own iterators. */
export interface ProgramHolders {
  /** References by program id. */
  count(): ReadonlyMap<number, number>;
  close(): void;
}

/** `programFd` is the loaded program `holders`. Throws SystemError where the kernel has no such iterator. */
export function openProgramHolders(programFd: number): ProgramHolders {
  const link: BpfLink = createIteratorLink(programFd);
  return {
    count: () =>
      withFd(
        () => openIterator(link.fd),
        (fd) => {
          const counts = new Map<number, number>();
          const buffer = Buffer.alloc(readBytes);
          for (let bytes = readSync(fd, buffer); bytes > 0; bytes = readSync(fd, buffer)) {
            for (let at = 0; at + recordBytes <= bytes; at += recordBytes)
              counts.set(buffer.readUInt32LE(at), Number(buffer.readBigUInt64LE(at + 8)));
          }
          return counts;
        },
      ),
    close: () => {
      link.close();
    },
  };
}
