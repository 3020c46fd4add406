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

/** Functions by name: the module of each that bears it, '' for the kernel itself. */
export type FunctionList = ReadonlyMap<string, readonly string[]>;

const space = 0x20;

/** Which of the wanted functions are among lines of `name` or `name [module]`. */
export const parseFunctionList = (text: Uint8Array, wanted: ReadonlySet<string>): FunctionList => {
  const modules = new Map<string, string[]>();
  scanNames(text, { nameAt: 0, separator: space }, wanted, ({ name, rest }) => {
    const known = modules.get(name);
    const module = rest.slice(1, -1);
    if (known === undefined) modules.set(name, [module]);
    else known.push(module);
  });
  return modules;
};

/** Several times what the largest distribution kernels have. */
const mostBytes = 32 * 2 ** 20;

/**
 * The text of the list of functions that ftrace, and so kprobe-multi, can attach to, for parseFunctionList; undefined if the
 * kernel does not tell. It is read on another thread.
 */
export const readAttachableFunctions = async (): Promise<Uint8Array | undefined> => {
  const folder = needTracefs();
  if (folder === undefined) return undefined;
  return readKernelFile(`${folder}/available_filter_functions`, mostBytes).catch(() => undefined);
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
