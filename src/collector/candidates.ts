import { UsageError } from '../errors.ts';
import { type Btf, kinds } from '../kernel/btf.ts';
import { findType } from '../kernel/btf-types.ts';
import { type PageMap, readPageMap } from '../kernel/page-map.ts';
import {
  functionId as btfFunctionId,
  skbFunctions,
  tracepointArgs,
} from '../kernel/btf-functions.ts';
import { loadKernelBtf, loadModuleBtf, moduleNames } from '../kernel/btf-source.ts';
import { kernelSymbols, readKernelSymbols } from '../kernel/kallsyms.ts';
import { attachableFunctions } from '../kernel/tracefs.ts';
import { allocators } from './roles.ts';

/** A kernel function that can be probed. */
export interface Candidate {
  readonly name: string;
  /** undefined: vmlinux. */
  readonly module: string | undefined;
  readonly address: bigint;
  /** 1..5; 0: it takes none (an allocator). */
  readonly skbArg: number;
  readonly sockArg: number;
}

export interface Candidates {
  readonly candidates: readonly Candidate[];
  /** Functions with an skb that cannot be probed, and why. */
  readonly refused: readonly { readonly name: string; readonly reason: string }[];
}

let kernelBtf: Btf | undefined;
const vmlinux = (): Btf => (kernelBtf ??= loadKernelBtf());

/** BTF id of a function of vmlinux. */
export const functionId = (name: string): number | undefined => btfFunctionId(vmlinux(), name)?.id;

/** Number of arguments of a tracepoint; 0 if the kernel does not have it. */
export const tracepointArguments = (name: string): number =>
  tracepointArgs(vmlinux(), name)?.count ?? 0;

/** Index of the tracepoint's skb argument; undefined if there is no such tracepoint or it has no skb. */
export const tracepointSkb = (name: string): number | undefined =>
  tracepointArgs(vmlinux(), name)?.skbIndex;

/** What a watched function seems to return to: kretprobe's, rethook's (fprobe until 6.13) and the function graph's. */
const trampolineNames = ['arch_rethook_trampoline', 'return_to_handler', '__kretprobe_trampoline'];

/** Addresses of the return trampolines that this kernel has. */
export function trampolines(): readonly bigint[] {
  const symbols = kernelSymbols();
  return trampolineNames.flatMap((name) =>
    symbols
      .functionAddresses(name)
      .slice(0, 1)
      .map((place) => place.address),
  );
}

/** Where page fragments of packets are to be found; undefined if this kernel does not tell. */
export function pageMap(): PageMap | undefined {
  const id = findType(vmlinux(), 'page', kinds.struct);
  return id === undefined ? undefined : readPageMap(vmlinux().sizeOrType(id));
}

/** Functions that sleep until a packet comes; their skb argument is the last one before, or a queue's head dressed as an skb. */
const sleepers = new Set(['__skb_wait_for_more_packets', 'sk_wait_data']);

interface Wanted {
  readonly name: string;
  readonly module: string | undefined;
  readonly skbArg: number;
  readonly sockArg: number;
}

function* wantedFunctions(modules: readonly string[]): Generator<Wanted> {
  for (const name of allocators) yield { name, module: undefined, skbArg: 0, sockArg: 0 };
  for (const found of skbFunctions(vmlinux())) yield { ...found, module: undefined };
  for (const module of modules) {
    const btf = loadModuleBtf(module);
    if (btf === undefined) continue;
    for (const found of skbFunctions(btf)) yield { ...found, module };
  }
}

/**
 * Every function of vmlinux and the loaded modules that takes an skb, with the address to probe. BTF says what it takes,
 * the kernel's list of traceable functions whether it can be probed, kallsyms where it is. A name that stands for several
 * functions is refused: BTF describes one of them and does not say which.
 */
export async function findCandidates(modules?: readonly string[]): Promise<Candidates> {
  const loaded = moduleNames();
  const missing = modules?.filter((name) => !loaded.includes(name)) ?? [];
  if (missing.length > 0) {
    throw new UsageError(`no loaded module with type information is called ${missing.join(', ')}`, {
      advice: 'ls /sys/kernel/btf lists them; modprobe loads more.',
    });
  }
  const [attachable] = await Promise.all([attachableFunctions(), readKernelSymbols()]);
  const symbols = kernelSymbols();
  const candidates: Candidate[] = [];
  const refused: { name: string; reason: string }[] = [];
  const seen = new Set<string>();
  for (const { name, module, skbArg, sockArg } of wantedFunctions(modules ?? loaded)) {
    const key = `${module ?? ''}:${name}`;
    if (seen.has(key)) continue;
    seen.add(key);
    const places = symbols
      .functionAddresses(name)
      .filter((place) => place.module === module)
      .map((place) => place.address);
    const [address] = places;
    if (sleepers.has(name)) {
      refused.push({ name, reason: 'it waits for a packet to come and handles none' });
    } else if (address === undefined) {
      if (skbArg !== 0) refused.push({ name, reason: 'inlined: the kernel has no symbol for it' });
    } else if (attachable !== undefined && !attachable.has(name, module)) {
      refused.push({ name, reason: 'not traceable (notrace, or in a section that cannot be)' });
    } else if (places.length > 1) {
      refused.push({ name, reason: `the name stands for ${places.length} functions` });
    } else {
      candidates.push({ name, module, address, skbArg, sockArg });
    }
  }
  return { candidates, refused };
}
