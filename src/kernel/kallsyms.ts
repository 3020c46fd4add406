/*
 * /proc/kallsyms: which function an address belongs to, and where a function is.
 *
 * Some 100,000 lines (twice that on distribution kernels), read once at start-up, asked a few thousand times: so they are
 * scanned as bytes into typed arrays, and a name becomes a string only when somebody asks for it. Addresses are kept as
 * doubles relative to the start of the kernel's half of the address space; they lie below 2^48 there, so they are exact.
 */
import { readFileSync } from 'node:fs';
import { SkbspanError } from '../errors.ts';
import { readKernelFile } from '../ffi/libc.ts';
import { scanKallsyms, type ScannedSymbols } from './kallsyms-scan.ts';

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
  /** All functions of that name: static functions of different files may share one. */
  functionAddresses(name: string): readonly SymbolPlace[];
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

/** Finds all symbols of a name: an open hash table over the bytes of the names. */
const createNameIndex = ({ count, names, nameStart }: ScannedSymbols) => {
  const slots = new Uint32Array(1 << Math.ceil(Math.log2(Math.max(count, 1) * 2)));
  const mask = slots.length - 1;
  const hash = (bytes: Uint8Array, start: number, end: number): number => {
    let value = 0x811c9dc5;
    for (let i = start; i < end; i++) value = Math.imul(value ^ (bytes[i] ?? 0), 0x01000193);
    return value & mask;
  };
  for (let symbol = 0; symbol < count; symbol++) {
    let slot = hash(names, nameStart[symbol] ?? 0, nameStart[symbol + 1] ?? 0);
    while (slots[slot] !== 0) slot = (slot + 1) & mask;
    slots[slot] = symbol + 1;
  }
  return (name: string): number[] => {
    const bytes = Buffer.from(name, 'latin1');
    const found: number[] = [];
    for (let slot = hash(bytes, 0, bytes.length); slots[slot] !== 0; slot = (slot + 1) & mask) {
      const symbol = (slots[slot] ?? 0) - 1;
      const [start, end] = [nameStart[symbol] ?? 0, nameStart[symbol + 1] ?? 0];
      if (end - start === bytes.length && bytes.compare(names, start, end) === 0)
        found.push(symbol);
    }
    return found.sort((a, b) => a - b);
  };
};

/** Parses the text of kallsyms. Throws SKBSPAN_KALLSYMS if it hides the addresses. */
export const parseKallsyms = (text: Uint8Array): Kallsyms => {
  const scanned = scanKallsyms(text);
  const { count, addresses, names, nameStart, moduleOf, modules } = scanned;
  if (count === 0)
    throw new SkbspanError('SKBSPAN_KALLSYMS', '/proc/kallsyms hides the addresses', {
      advice: 'Run as root or with CAP_SYSLOG, and with `sysctl kernel.kptr_restrict` at 0 or 1.',
    });
  const order = sortByAddress(addresses);
  const nameOf = (symbol: number): string =>
    names.toString('latin1', nameStart[symbol], nameStart[symbol + 1]);
  const moduleName = (symbol: number): string | undefined => modules[moduleOf[symbol] ?? 0];
  const place = (rank: number): number => addresses[order[rank] ?? 0] ?? 0;
  let findByName: ReturnType<typeof createNameIndex> | undefined;

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
    functionAddresses(name) {
      findByName ??= createNameIndex(scanned);
      return findByName(name).map((symbol) => ({
        address: BigInt(addresses[symbol] ?? 0) + kernelHalf,
        module: moduleName(symbol),
      }));
    },
  };
};

/** Reads the running kernel's symbols. Throws SKBSPAN_KALLSYMS with advice if they cannot be had. */
export const loadKallsyms = (path = '/proc/kallsyms'): Kallsyms => {
  let text: Buffer;
  try {
    text = readFileSync(path);
  } catch (cause) {
    throw new SkbspanError('SKBSPAN_KALLSYMS', `${path} cannot be read`, {
      advice: 'skbspan needs a kernel with CONFIG_KALLSYMS=y and /proc mounted.',
      cause,
    });
  }
  return parseKallsyms(text);
};

let kept: Kallsyms | undefined;

/** Twice what the largest distribution kernels have. */
const mostBytes = 64 * 2 ** 20;

/** Makes kernelSymbols() quick: reads them on another thread. What cannot be read, kernelSymbols() says. */
export const readKernelSymbols = async (): Promise<void> => {
  if (kept !== undefined) return;
  const text = await readKernelFile('/proc/kallsyms', mostBytes).catch(() => undefined);
  if (text !== undefined && text.length < mostBytes) kept ??= parseKallsyms(text);
};

/** loadKallsyms, once per process: reading them takes a tenth of a second, and seconds under emulation. */
export const kernelSymbols = (): Kallsyms => (kept ??= loadKallsyms());
