/*
 * /proc/kallsyms: where a function is, and which function an address belongs to.
 *
 * Some 100,000 lines (twice that on distribution kernels), read once at start-up. Where functions are is asked at once and for
 * all together: one pass over the text. Names for addresses are asked for later, a few thousand times: then the text is
 * scanned into typed arrays and given up, and a name becomes a string only when somebody asks for it. Addresses are kept as
 * doubles relative to the start of the kernel's half of the address space; they lie below 2^48 there, so they are exact.
 */
import { readFileSync } from 'node:fs';
import { SkbspanError } from '../errors.ts';
import { readKernelFile } from '../ffi/libc.ts';
import { isFunctionLine, nameAt, readAddress, scanKallsyms, tab } from './kallsyms-scan.ts';
import { scanNames } from './name-scan.ts';

export interface SymbolAt {
  readonly name: string;
  /** Bytes from the symbol's start. */
  readonly offset: number;
  /** Kernel module, `bpf` for a BPF program; undefined: the kernel itself. */
  readonly module: string | undefined;
}

export interface SymbolPlace {
  readonly address: bigint;
  readonly module: string | undefined;
}

export interface Kallsyms {
  /** Number of functions known. */
  readonly size: number;
  /** The function that an address lies in. */
  lookup(address: bigint): SymbolAt | undefined;
}

const kernelHalf = 0xffff000000000000n;

/** The longest function we believe in: beyond it an address lies in a hole between symbols. */
const maxFunctionBytes = 1 << 20;

/** Order of the symbols by address. The kernel's own come sorted, those of modules follow in any order. */
const sortByAddress = (addresses: Float64Array): Uint32Array => {
  const at = (index: number): number => addresses[index] ?? 0;
  const order = new Uint32Array(addresses.length).map((_, i) => i);
  let sorted = 1;
  while (sorted < addresses.length && at(sorted - 1) <= at(sorted)) sorted++;
  const rest = order.slice(sorted).sort((a, b) => at(a) - at(b) || a - b);
  // Merged from the end, in place: the last of either goes to the last free place.
  let head = sorted - 1;
  for (let tail = rest.length - 1; tail >= 0;) {
    const last = rest[tail] ?? 0;
    const isHead = head >= 0 && at(head) > at(last);
    order[head + tail + 1] = isHead ? head-- : last;
    if (!isHead) tail--;
  }
  return order;
};

const hiddenAddresses = (): SkbspanError =>
  new SkbspanError('SKBSPAN_KALLSYMS', '/proc/kallsyms hides the addresses', {
    advice: 'Run as root or with CAP_SYSLOG, and with `sysctl kernel.kptr_restrict` at 0 or 1.',
  });

/**
 * Where the functions of these names are: static functions of different files may share one. Throws SKBSPAN_KALLSYMS if the
 * text hides the addresses.
 */
export const findFunctions = (
  text: Uint8Array,
  wanted: ReadonlySet<string>,
): ReadonlyMap<string, readonly SymbolPlace[]> => {
  const found = new Map<string, SymbolPlace[]>();
  let functions = 0;
  const isWanted = (bytes: Uint8Array, start: number): boolean => {
    if (!isFunctionLine(bytes, start)) return false;
    functions += 1;
    return true;
  };
  scanNames(text, { nameAt, separator: tab, isWanted }, wanted, ({ name, start, rest }) => {
    const address = kernelHalf + BigInt(readAddress(text, start));
    const module = rest === '' ? undefined : rest.slice(1, -1);
    const places = found.get(name);
    if (places === undefined) found.set(name, [{ address, module }]);
    else places.push({ address, module });
  });
  if (functions === 0) throw hiddenAddresses();
  return found;
};

/** Parses the text of kallsyms. Throws SKBSPAN_KALLSYMS if it hides the addresses. */
export const parseKallsyms = (text: Uint8Array): Kallsyms => {
  const scanned = scanKallsyms(text);
  const { count, addresses, names, nameStart, moduleOf, modules } = scanned;
  if (count === 0) throw hiddenAddresses();
  const order = sortByAddress(addresses);
  const nameOf = (symbol: number): string =>
    names.toString('latin1', nameStart[symbol], nameStart[symbol + 1]);
  const moduleName = (symbol: number): string | undefined => modules[moduleOf[symbol] ?? 0];
  const place = (rank: number): number => addresses[order[rank] ?? 0] ?? 0;

  return {
    size: count,
    lookup(address) {
      const wanted = Number(address - kernelHalf);
      let low = 0;
      let high = count;
      while (low < high) {
        const middle = (low + high) >>> 1;
        if (place(middle) <= wanted) low = middle + 1;
        else high = middle;
      }
      if (low === 0) return undefined;
      // Of several names for one address the first: the kernel's list has the function before its aliases.
      let rank = low - 1;
      while (rank > 0 && place(rank - 1) === place(rank)) rank--;
      const offset = wanted - place(rank);
      if (offset >= maxFunctionBytes) return undefined;
      const symbol = order[rank] ?? 0;
      return { name: nameOf(symbol), offset, module: moduleName(symbol) };
    },
  };
};

/** The address of the first function of the kernel itself with this name: for a few names, by the quickest search there is. */
export const findFunction = (text: Buffer, name: string): bigint | undefined => {
  const nameStart = text.indexOf(` ${name}\n`, 0, 'latin1') + 1;
  const start = nameStart - nameAt;
  if (start < 0 || !isFunctionLine(text, start)) return undefined;
  return kernelHalf + BigInt(readAddress(text, start));
};

const path = '/proc/kallsyms';

const unreadable = (cause: unknown): SkbspanError =>
  new SkbspanError('SKBSPAN_KALLSYMS', `${path} cannot be read`, {
    advice: 'skbspan needs a kernel with CONFIG_KALLSYMS=y and /proc mounted.',
    cause,
  });

/** Twice what the largest distribution kernels have. */
const mostBytes = 64 * 2 ** 20;

let reading: Promise<Buffer> | undefined;
let text: Buffer | undefined;
let symbols: Kallsyms | undefined;

/**
 * Begins to read the running kernel's symbols on another thread: the kernel makes the text while it is read, a tenth of a
 * second, and seconds under emulation. What fails is told by those who want the symbols.
 */
export const readKernelSymbols = (): Promise<Buffer> => {
  if (reading === undefined) {
    reading = readKernelFile(path, mostBytes);
    reading.then(
      (bytes) => {
        if (symbols === undefined) text = bytes;
      },
      () => undefined,
    );
  }
  return reading;
};

/** findFunctions in the running kernel. Throws SKBSPAN_KALLSYMS with advice. */
export const findKernelFunctions = async (
  wanted: ReadonlySet<string>,
): Promise<ReadonlyMap<string, readonly SymbolPlace[]>> =>
  findFunctions(
    await readKernelSymbols().catch((cause: unknown) => {
      throw unreadable(cause);
    }),
    wanted,
  );

/** The running kernel's symbols, parsed once. Throws SKBSPAN_KALLSYMS with advice if they cannot be had. */
export const kernelSymbols = (): Kallsyms => {
  if (symbols !== undefined) return symbols;
  try {
    text ??= readFileSync(path);
  } catch (cause) {
    throw unreadable(cause);
  }
  symbols = parseKallsyms(text);
  text = undefined;
  reading = undefined;
  return symbols;
};
