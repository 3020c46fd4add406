/** Functions of kallsyms in the order of the text, column by column. */
export interface ScannedSymbols {
  readonly count: number;
  /** Relative to 0xffff000000000000. */
  readonly addresses: Float64Array;
  /** All names in a row, latin1; name i is nameStart[i]..nameStart[i + 1]. */
  readonly names: Buffer;
  readonly nameStart: Uint32Array;
  /** Index into `modules`. */
  readonly moduleOf: Uint16Array;
  /** First: undefined, the kernel itself. */
  readonly modules: readonly (string | undefined)[];
}

const newline = 0x0a;
export const tab = 0x09;
const addressDigits = 16;
const typeAt = addressDigits + 1;
/** Bytes of a line before the name. */
export const nameAt = typeAt + 2;
const shortestLine = nameAt + 2;
const letterF = 0x66;

const hexValue = new Uint8Array(256);
for (let i = 0; i < 16; i++) hexValue[i.toString(16).charCodeAt(0)] = i;

/** Text symbols, weak ones included: T, t, W, w. */
const isFunction = (type: number | undefined): boolean => {
  const lower = (type ?? 0) | 0x20;
  return lower === 0x74 || lower === 0x77;
};

const readHex = (text: Uint8Array, start: number, digits: number): number => {
  let value = 0;
  for (let i = start; i < start + digits; i++) value = value * 16 + (hexValue[text[i] ?? 0] ?? 0);
  return value;
};

/** Whether a line that begins here names a function in the kernel's half of the address space (hidden addresses read as zero). */
export const isFunctionLine = (text: Uint8Array, start: number): boolean =>
  isFunction(text[start + typeAt]) && text[start] === letterF && text[start + 3] === letterF;

/** The address that a line begins with, relative to 0xffff000000000000. */
export const readAddress = (text: Uint8Array, start: number): number =>
  readHex(text, start + 4, addressDigits - 4);

/**
 * Scans lines of `ffffffff81000000 T _text` and `ffffffffc0000000 t nf_hook\t[nf_tables]`. All else is left
 * out.
 */
export const scanKallsyms = (text: Uint8Array): ScannedSymbols => {
  const bytes = Buffer.from(text.buffer, text.byteOffset, text.byteLength);
  const capacity = Math.ceil(text.length / shortestLine);
  const addresses = new Float64Array(capacity);
  const nameStart = new Uint32Array(capacity + 1);
  const moduleOf = new Uint16Array(capacity);
  const names = Buffer.alloc(text.length);
  const modules: (string | undefined)[] = [undefined];
  const moduleIndex = new Map<string, number>();
  let nameEnd = 0;
  let count = 0;

  const indexOfModule = (start: number, end: number): number => {
    const name = bytes.toString('latin1', start, end);
    let index = moduleIndex.get(name);
    if (index === undefined) {
      index = modules.push(name) - 1;
      moduleIndex.set(name, index);
    }
    return index;
  };

  for (let start = 0; start < text.length;) {
    let end = text.indexOf(newline, start);
    if (end < 0) end = text.length;
    const line = start;
    start = end + 1;
    if (end - line <= nameAt || !isFunctionLine(text, line)) continue;
    addresses[count] = readAddress(text, line);
    let at = line + nameAt;
    for (; at < end && text[at] !== tab; at++) names[nameEnd++] = text[at] ?? 0;
    nameStart[count + 1] = nameEnd;
    if (at < end) moduleOf[count] = indexOfModule(at + 2, end - 1);
    count++;
  }
  return {
    count,
    addresses: addresses.slice(0, count),
    names: Buffer.from(names.subarray(0, nameEnd)),
    nameStart: nameStart.slice(0, count + 1),
    moduleOf: moduleOf.slice(0, count),
    modules,
  };
};
