/*
 * Where the kernel's text begins, and that of each module. A build decides how far a function is from there; where it begins, each
 * boot and each load decides anew (KASLR moves the kernel as a whole). The kernel's beginning stands among the first lines of
 * kallsyms, to read all of which takes the kernel a tenth of a second; those of modules are in /proc/modules.
 */
import { closeSync, openSync, readFileSync, readSync } from 'node:fs';
import { findFunction } from './kallsyms.ts';

/** Module, undefined being the kernel itself -> where its text begins. */
export type TextStarts = ReadonlyMap<string | undefined, bigint>;

/** First line of the kernel's text (linker script); before it stand at most some hundred symbols that are no addresses. */
const kernelStart = '_text';
const headBytes = 256 * 1024;
const modulesFile = '/proc/modules';

/** `nf_tables 299008 1 nft_ct, Live 0xffffffffc0a3e000`. Hidden addresses are zero. */
const moduleLine = /^(\S+) .* 0x([0-9a-f]+)(?: \(\w+\))?$/gm;

/** Those in the texts of kallsyms, of which the beginning will do, and /proc/modules. undefined: the kernel's own is not told. */
export function parseTextStarts(kallsyms: Buffer, modules: string): TextStarts | undefined {
  const kernel = findFunction(kallsyms, kernelStart);
  if (kernel === undefined) return undefined;
  const starts = new Map<string | undefined, bigint>([[undefined, kernel]]);
  for (const [, name, address] of modules.matchAll(moduleLine)) {
    const start = BigInt(`0x${address ?? '0'}`);
    if (start !== 0n) starts.set(name, start);
  }
  return starts;
}

function readHead(file: string, bytes: number): Buffer {
  const head = Buffer.alloc(bytes);
  const fd = openSync(file, 'r');
  try {
    let length = 0;
    // A page at a time is what the kernel gives, and makes only when asked.
    while (length < bytes) {
      const read = readSync(fd, head, length, 4096, null);
      length += read;
      if (read === 0 || head.indexOf(` ${kernelStart}\n`, Math.max(0, length - read - 16)) >= 0)
        break;
    }
    return head.subarray(0, length);
  } finally {
    closeSync(fd);
  }
}

/** Of the running kernel; undefined: it does not tell. */
export function readTextStarts(): TextStarts | undefined {
  try {
    return parseTextStarts(readHead('/proc/kallsyms', headBytes), readModules());
  } catch {
    return undefined;
  }
}

/** A kernel without modules has no list of them. */
function readModules(): string {
  try {
    return readFileSync(modulesFile, 'latin1');
  } catch {
    return '';
  }
}
