import { UsageError } from '../errors.ts';
import { answers } from '../kernel/answers.ts';
import { type Btf, kinds } from '../kernel/btf.ts';
import { fieldsOf } from '../kernel/btf-members.ts';
import { findType } from '../kernel/btf-types.ts';
import type { InPlace } from '../filter/packet-loads.ts';
import { type PageMap, readPageMap } from '../kernel/page-map.ts';
import {
  functionId as btfFunctionId,
  functionsOn,
  type Given,
  skbFunctions,
  tracepointArgs,
} from '../kernel/btf-functions.ts';
import { loadKernelBtf, loadModuleBtf, moduleNames } from '../kernel/btf-source.ts';
import {
  findFunction,
  findKernelFunctions,
  readKernelSymbols,
  type SymbolPlace,
} from '../kernel/kallsyms.ts';
import {
  type FunctionList,
  parseFunctionList,
  readAttachableFunctions,
} from '../kernel/tracefs.ts';
import { type Candidate, type Candidates, keptCandidates } from './kept-candidates.ts';
import { isMessageFunction } from './message-functions.ts';
import { allocators, frameReturns, innerRoleOf, type ProbeRole } from './roles.ts';

let kernelBtf: Btf | undefined;
const vmlinux = (): Btf => (kernelBtf ??= loadKernelBtf());

/** What vmlinux says, as a number, which is kept from one run to the next. */
function remembered(question: string, ask: () => number): number {
  const known = answers.recall(question);
  if (typeof known === 'number') return known;
  const answer = ask();
  answers.remember(question, answer);
  return answer;
}

/** BTF id of a function of vmlinux. */
export function functionId(name: string): number | undefined {
  const id = remembered(`function ${name}`, () => btfFunctionId(vmlinux(), name)?.id ?? 0);
  return id === 0 ? undefined : id;
}

/** By which programs read kernel memory in place (bpf/skb.h): since 6.2. */
const castFunction = 'bpf_rdonly_cast';

/** What code needs to know that does so; undefined: this kernel does not let it. */
export function readsInPlace(): InPlace | undefined {
  const cast = functionId(castFunction);
  if (cast === undefined) return undefined;
  const skb = remembered('struct sk_buff', () => findType(vmlinux(), 'sk_buff', kinds.struct) ?? 0);
  const cbOffset = remembered('sk_buff.cb', () => {
    for (const { name, offsetBits } of fieldsOf(vmlinux(), skb))
      if (name === 'cb') return offsetBits / 8;
    return 0;
  });
  return { cast, skb, cbOffset };
}

/** Number of arguments of a tracepoint; 0 if the kernel does not have it. */
export const tracepointArguments = (name: string): number =>
  remembered(`tracepoint ${name}`, () => tracepointArgs(vmlinux(), name)?.count ?? 0);

/** Index of the tracepoint's skb argument; undefined if there is no such tracepoint or it has no skb. */
export const tracepointSkb = (name: string): number | undefined =>
  tracepointArgs(vmlinux(), name)?.skbIndex;

/** What a watched function seems to return to: kretprobe's, rethook's (fprobe until 6.13) and the function graph's. */
const trampolineNames: readonly string[] = [
  'arch_rethook_trampoline',
  'return_to_handler',
  '__kretprobe_trampoline',
];

/** Where page fragments of packets are to be found; undefined if this kernel does not tell. */
export function pageMap(): PageMap | undefined {
  const bytes = remembered('struct page', () => {
    const id = findType(vmlinux(), 'page', kinds.struct);
    return id === undefined ? 0 : vmlinux().sizeOrType(id);
  });
  return bytes === 0 ? undefined : readPageMap(bytes);
}

/** Functions that sleep until a packet comes; their skb argument is the last one before, or a queue's head dressed as an skb. */
const sleepers = new Set(['__skb_wait_for_more_packets', 'sk_wait_data']);

interface Wanted {
  readonly name: string;
  readonly module: string | undefined;
  readonly skbArg: number;
  readonly sockArg: number;
  readonly inner?: ProbeRole | undefined;
  readonly given?: Given;
  readonly isMessage?: true;
}

/** What BTF knows, with its module; a name once for each. */
function wantedFunctions({ inner, maps }: Wish, modules: readonly string[]): readonly Wanted[] {
  const wanted = new Map<string, Wanted>();
  const add = (one: Wanted): void => {
    const key = `${one.module ?? ''}:${one.name}`;
    if (wanted.has(key)) return;
    wanted.set(key, isMessageFunction(one) ? { ...one, isMessage: true } : one);
  };
  for (const name of [...allocators, ...frameReturns])
    add({ name, module: undefined, skbArg: 0, sockArg: 0 });
  for (const found of skbFunctions(vmlinux())) add({ ...found, module: undefined });
  for (const module of modules) {
    const btf = loadModuleBtf(module);
    if (btf === undefined) continue;
    for (const found of skbFunctions(btf)) add({ ...found, module });
  }
  // Those that take an skb are there already, and keep their meaning.
  const taken = new Set(
    [...wanted.values()].filter(({ skbArg }) => skbArg > 0).map(({ name }) => name),
  );
  const addInner = (name: string, module: string | undefined): void => {
    if (!taken.has(name))
      add({ name, module, skbArg: 0, sockArg: 0, inner: innerRoleOf(name, maps) });
  };
  for (const name of inner) addInner(name, moduleOf(name, modules));
  if (maps) for (const name of mapFunctions()) addInner(name, undefined);
  return [...wanted.values()];
}

const mapFunctions = (): readonly string[] =>
  functionsOn(vmlinux(), 'bpf_map', /_(?:lookup|update|delete)_elem$/);

/** undefined: vmlinux. Throws UsageError if no BTF has a function of that name. */
function moduleOf(name: string, modules: readonly string[]): string | undefined {
  if (functionId(name) !== undefined) return undefined;
  for (const module of modules) {
    const btf = loadModuleBtf(module);
    if (btf !== undefined && btfFunctionId(btf, name) !== undefined) return module;
  }
  throw new UsageError(`--filter-non-skb-funcs: this kernel has no function '${name}'`, {
    advice: 'It must be the whole name of a function that the kernel has not inlined.',
  });
}

/** What candidates are wanted for. */
interface Wish {
  /** They will be attached to by name. */
  readonly byName: boolean;
  /** Kernel modules whose functions are wanted; undefined: all that are loaded. */
  readonly modules: readonly string[] | undefined;
  /** Functions that take no skb, by name. */
  readonly inner: readonly string[];
  /** Also those of BPF maps. */
  readonly maps: boolean;
}

/** The functions that are wanted, and what the kernel's list of traceable functions says of them. */
interface Survey {
  readonly wanted: readonly Wanted[];
  /** undefined: the kernel does not tell. */
  readonly attachable: FunctionList | undefined;
}

async function survey(wish: Wish, modules: readonly string[]): Promise<Survey> {
  const reading = readAttachableFunctions(); // on another thread, while BTF is searched here
  const wanted = wantedFunctions(wish, modules);
  const list = await reading;
  const names = new Set(wanted.map(({ name }) => name));
  return { wanted, attachable: list && parseFunctionList(list, names) };
}

/** What the kernel's lists say of the wanted functions. */
interface Lists extends Pick<Survey, 'attachable'> {
  /** undefined: not read. */
  readonly places: ReadonlyMap<string, readonly SymbolPlace[]> | undefined;
}

/** Why a function cannot be attached to, or where it is. */
function judge(
  { name, module }: Wanted,
  { attachable, places }: Lists,
): string | Pick<Candidate, 'address'> {
  if (sleepers.has(name)) return 'it waits for a packet to come and handles none';
  const found = places && (places.get(name) ?? []).filter((place) => place.module === module);
  if (found?.length === 0) return 'inlined: the kernel has no symbol for it';
  const traceable = attachable && (attachable.get(name) ?? []);
  if (traceable?.includes(module ?? '') === false) {
    return found === undefined
      ? 'inlined, or not traceable'
      : 'not traceable (notrace, or in a section that cannot be)';
  }
  const copies = found?.length ?? traceable?.length ?? 1;
  if (copies > 1) return `the name stands for ${copies} functions`;
  return { address: found?.[0]?.address };
}

async function judgeAll(wish: Wish, modules: readonly string[]): Promise<Candidates> {
  const { wanted, attachable } = await survey(wish, modules);
  const places =
    wish.byName && attachable !== undefined
      ? undefined
      : await findKernelFunctions(new Set(wanted.map(({ name }) => name)));
  const candidates: Candidate[] = [];
  const refused: { name: string; reason: string }[] = [];
  for (const one of wanted) {
    const verdict = judge(one, { attachable, places });
    if (typeof verdict !== 'string') candidates.push({ ...one, ...verdict });
    else if (wish.inner.includes(one.name)) {
      throw new UsageError(`--filter-non-skb-funcs: ${one.name} cannot be watched: ${verdict}`);
    }
    // That a kernel lacks an allocator is nothing to tell.
    else if (one.skbArg !== 0) refused.push({ name: one.name, reason: verdict });
  }
  return { candidates, refused };
}

/**
 * Every function of vmlinux and the loaded modules that takes an skb and can be probed. BTF says what it takes, the kernel's
 * list of traceable functions whether it can be probed, kallsyms where it is; whoever attaches by name does without that
 * (`byName`), unless an earlier run has kept it, and starts sooner by the time that kallsyms takes. A name that stands for several
 * functions is refused: BTF describes one of them and does not say which.
 */
export async function findCandidates(wish: Wish): Promise<Candidates> {
  const { byName, modules, inner, maps } = wish;
  const loaded = moduleNames();
  const missing = modules?.filter((name) => !loaded.includes(name)) ?? [];
  if (missing.length > 0) {
    throw new UsageError(`no loaded module with type information is called ${missing.join(', ')}`, {
      advice: 'ls /sys/kernel/btf lists them; modprobe loads more.',
    });
  }
  const question = `candidates ${JSON.stringify([byName, modules ?? loaded, inner, maps])}`;
  const known = keptCandidates.recall(question, byName);
  if (known !== undefined) return known;
  const found = await judgeAll(wish, modules ?? loaded);
  keptCandidates.remember(question, found);
  return found;
}

/** Addresses of the return trampolines that this kernel has. */
export async function findTrampolines(): Promise<readonly bigint[]> {
  const text = await readKernelSymbols();
  return trampolineNames.flatMap((name) => findFunction(text, name) ?? []);
}
