import { existsSync, readFileSync } from 'node:fs';
import { mountKernelFilesystem, readKernelFile } from '../ffi/libc.ts';
import { scanNames } from './name-scan.ts';

const mountPoint = '/sys/kernel/tracing';
// The second is where kernels before 4.1, and distributions until lately, show it: mounted by itself below debugfs.
const places = [mountPoint, '/sys/kernel/debug/tracing'];

/** Folder of the tracing filesystem; undefined if it is not mounted or not readable. */
export const findTracefs = (): string | undefined =>
  places.find((folder) => existsSync(`${folder}/trace`));

/** findTracefs, but mounts it in its usual place if need be and may be; it stays mounted, as it is on most systems. */
export const needTracefs = (): string | undefined => {
  const found = findTracefs();
  if (found !== undefined) return found;
  try {
    mountKernelFilesystem('tracefs', mountPoint);
  } catch {
    return undefined; // not root, or a kernel without it: its users say what they miss
  }
  return findTracefs();
};

/** A list of functions by name and module. */
export interface FunctionList {
  /** `module` undefined: the kernel itself. */
  has(name: string, module?: string): boolean;
}

const space = 0x20;

/** Which of the wanted functions are among lines of `name` or `name [module]`. */
export const parseFunctionList = (text: Uint8Array, wanted: ReadonlySet<string>): FunctionList => {
  const functions = new Set<string>();
  scanNames(text, { nameAt: 0, separator: space }, wanted, ({ name, rest }) => {
    functions.add(rest === '' ? name : `${name} ${rest}`);
  });
  return {
    has: (name, module) => functions.has(module === undefined ? name : `${name} [${module}]`),
  };
};

/** Several times what the largest distribution kernels have. */
const mostBytes = 32 * 2 ** 20;

/** Which of these functions ftrace, and so kprobe-multi, can attach to; undefined if the kernel does not tell. */
export const attachableFunctions = async (
  wanted: ReadonlySet<string>,
): Promise<FunctionList | undefined> => {
  const folder = needTracefs();
  if (folder === undefined) return undefined;
  try {
    const text = await readKernelFile(`${folder}/available_filter_functions`, mostBytes);
    return parseFunctionList(text, wanted);
  } catch {
    return undefined;
  }
};

/** Parses lines of `0xffffffff81000000-0xffffffff81000010\tname` (debugfs' kprobes/blacklist). */
export const parseKprobeBlacklist = (text: string): ReadonlySet<string> =>
  new Set(
    text
      .split('\n')
      .map((line) => line.split('\t')[1])
      .filter((name) => name !== undefined),
  );

/** Functions that no kprobe may be put on; undefined if the kernel does not tell (debugfs not mounted). */
export const kprobeBlacklist = (): ReadonlySet<string> | undefined => {
  try {
    return parseKprobeBlacklist(readFileSync('/sys/kernel/debug/kprobes/blacklist', 'latin1'));
  } catch {
    return undefined;
  }
};
