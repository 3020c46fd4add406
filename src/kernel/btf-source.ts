import { readdirSync, readFileSync } from 'node:fs';
import { SkbspanError } from '../errors.ts';
import { type Btf, parseBtf } from './btf.ts';

/** Where the kernel shows its own BTF. */
export const btfFolder = '/sys/kernel/btf';

let vmlinux: Btf | undefined;

/** The running kernel's BTF, parsed once. Throws SKBSPAN_BTF if the kernel has none. */
export const loadKernelBtf = (): Btf => {
  if (vmlinux !== undefined) return vmlinux;
  const path = `${btfFolder}/vmlinux`;
  let bytes: Buffer;
  try {
    bytes = readFileSync(path);
  } catch (cause) {
    throw new SkbspanError('SKBSPAN_BTF', `${path} cannot be read`, {
      advice:
        'skbspan needs a kernel built with CONFIG_DEBUG_INFO_BTF=y; kernels of current distributions are.',
      cause,
    });
  }
  vmlinux = parseBtf(bytes);
  return vmlinux;
};

/** Kernel modules that bring BTF, sorted; empty where BTF or module BTF is missing. */
export const moduleNames = (): readonly string[] => {
  try {
    return readdirSync(btfFolder)
      .filter((name) => name !== 'vmlinux')
      .sort();
  } catch {
    return [];
  }
};

/** The BTF of a loaded module; undefined if it has just been unloaded or has none. */
export const loadModuleBtf = (name: string): Btf | undefined => {
  const base = loadKernelBtf();
  let bytes: Buffer;
  try {
    bytes = readFileSync(`${btfFolder}/${name}`);
  } catch {
    return undefined;
  }
  return parseBtf(bytes, base, name);
};
