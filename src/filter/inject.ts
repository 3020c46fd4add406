/**
 * Puts generated code into a BPF object file before libbpf sees it: the body of a function is replaced by another one of any
 * length.
 *
 * An object is ELF (64 bits, little-endian). Functions that programs call lie in section .text; a symbol says where each
 * begins, and calls of global functions are relocations against it. So the new body goes to the end of .text, a copy of which
 * goes to the end of the file, and the function's symbol is moved there; the old body stays behind, and nobody looks at it.
 * What .BTF.ext says about the function by its offset (its type, source lines) moves with it, to the end of the list, which
 * must be in order. Nothing else changes place.
 *
 * The new body may call one neighbour, a function of .text that is not replaced: the distance is filled in here.
 */
import { SkbspanError } from '../errors.ts';
import type { Code } from './assembler.ts';

const instructionBytes = 8;
const sectionHeaderBytes = 64;
const symbolBytes = 24;

interface Section {
  /** Of its header in the file. */
  readonly header: number;
  readonly offset: number;
  readonly size: number;
}

const u64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

const broken = (what: string): SkbspanError =>
  new SkbspanError('SKBSPAN_INTERNAL', `the BPF object ${what}`);

/** Whether the string there, which ends with a zero, is that one. Not by making strings: an object has hundreds of names. */
function isAt(file: Uint8Array, at: number, name: string): boolean {
  for (let index = 0; index < name.length; index++) {
    if (file[at + index] !== name.charCodeAt(index)) return false;
  }
  return file[at + name.length] === 0;
}

/** Finds sections by name. Elf64_Ehdr: e_shoff at 40, e_shnum at 60, e_shstrndx at 62. Elf64_Shdr: name 0, offset 24, size 32. */
function sectionFinder(file: Uint8Array, view: DataView): (name: string) => Section {
  const start = u64(view, 40);
  const count = view.getUint16(60, true);
  const names = u64(view, start + view.getUint16(62, true) * sectionHeaderBytes + 24);
  return (name) => {
    for (let index = 0; index < count; index++) {
      const header = start + index * sectionHeaderBytes;
      if (isAt(file, names + view.getUint32(header, true), name))
        return { header, offset: u64(view, header + 24), size: u64(view, header + 32) };
    }
    throw broken(`has no section ${name}`);
  };
}

/** Finds symbols by name. Elf64_Sym: name 0, value 8, size 16. */
function symbolFinder(
  file: Uint8Array,
  view: DataView,
  find: (name: string) => Section,
): (name: string) => number {
  const symbols = find('.symtab');
  const names = find('.strtab').offset;
  return (wanted) => {
    for (let at = symbols.offset; at < symbols.offset + symbols.size; at += symbolBytes) {
      if (isAt(file, names + view.getUint32(at, true), wanted)) return at;
    }
    throw broken(`has no function ${wanted}`);
  };
}

/**
 * The object file with `code` as the body of global function `name`, which may call `neighbour`. The input is not changed.
 * Throws SKBSPAN_INTERNAL if the object has no such functions.
 */
export function injectFunction(
  object: Uint8Array,
  name: string,
  code: Code,
  neighbour?: string,
): Uint8Array {
  const original = new DataView(object.buffer, object.byteOffset, object.byteLength);
  const find = sectionFinder(object, original);
  const text = find('.text');
  const textAt = Math.ceil(object.length / instructionBytes) * instructionBytes;
  const file = new Uint8Array(textAt + text.size + code.instructions.length);
  const view = new DataView(file.buffer);
  file.set(object);
  file.set(object.subarray(text.offset, text.offset + text.size), textAt);
  file.set(code.instructions, textAt + text.size);
  view.setBigUint64(text.header + 24, BigInt(textAt), true);
  view.setBigUint64(text.header + 32, BigInt(text.size + code.instructions.length), true);

  const findSymbol = symbolFinder(file, view, find);
  const symbol = findSymbol(name);
  const old = { start: u64(view, symbol + 8), size: u64(view, symbol + 16) };
  view.setBigUint64(symbol + 8, BigInt(text.size), true);
  view.setBigUint64(symbol + 16, BigInt(code.instructions.length), true);
  if (code.calls.length > 0) {
    if (neighbour === undefined) throw broken(`gives ${name} nobody to call`);
    const target = u64(view, findSymbol(neighbour) + 8);
    for (const call of code.calls) {
      const here = text.size + call * instructionBytes;
      const distance = (target - here) / instructionBytes - 1;
      view.setInt32(textAt + here + 4, distance, true);
    }
  }
  moveDescriptions(file, view, find('.BTF'), find('.BTF.ext'), old, text.size);
  return file;
}

/*
 * .BTF.ext: magic u16, version u8, flags u8, header length u32, then offset and length of func_info and of line_info, from the
 * end of the header. Each is: record size u32, then for each section: name u32, number of records u32, records. A record
 * begins with the offset of its instruction in the section, u32.
 */
const infoFields = { functions: 8, lines: 16 } as const;

/**
 * Takes the lines of source out of an object file, in place: they are for the verifier's messages only, and to read, carry and
 * check them takes as long as a tenth of all that loading does.
 */
export function dropLines(object: Uint8Array): void {
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  view.setUint32(sectionFinder(object, view)('.BTF.ext').offset + infoFields.lines + 4, 0, true);
}

/** `return 0;` */
const returnZero = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

/**
 * Leaves of each function of .text that is named only that it returns 0, in place. For what is called from dead code: the verifier takes
 * out the call, but only after it has carried all of the function along, and each change of a program takes the longer the more there
 * is of it. Throws SKBSPAN_INTERNAL if the object has no such function.
 */
export function emptyFunctions(object: Uint8Array, names: readonly string[]): void {
  if (names.length === 0) return;
  const view = new DataView(object.buffer, object.byteOffset, object.byteLength);
  const find = sectionFinder(object, view);
  const findSymbol = symbolFinder(object, view, find);
  const text = find('.text').offset;
  for (const name of names) {
    const symbol = findSymbol(name);
    object.set(returnZero, text + u64(view, symbol + 8));
    view.setBigUint64(symbol + 16, BigInt(returnZero.length), true);
  }
}

function moveDescriptions(
  file: Uint8Array,
  view: DataView,
  btf: Section,
  extension: Section,
  old: { readonly start: number; readonly size: number },
  place: number,
): void {
  const strings = btf.offset + view.getUint32(btf.offset + 4, true);
  const stringsAt = strings + view.getUint32(btf.offset + 16, true);
  const end = extension.offset + view.getUint32(extension.offset + 4, true);
  for (const field of Object.values(infoFields)) {
    const start = end + view.getUint32(extension.offset + field, true);
    const stop = start + view.getUint32(extension.offset + field + 4, true);
    if (stop - start < 4) continue;
    const recordBytes = view.getUint32(start, true);
    for (let at = start + 4; at < stop;) {
      const records = at + 8;
      const bytes = view.getUint32(at + 4, true) * recordBytes;
      if (isAt(file, stringsAt + view.getUint32(at, true), '.text')) {
        moveRecords(file.subarray(records, records + bytes), recordBytes, old, place);
      }
      at = records + bytes;
    }
  }
}

/** Those within the old place go to the end of the list, and are told the new one. */
function moveRecords(
  list: Uint8Array,
  recordBytes: number,
  old: { readonly start: number; readonly size: number },
  place: number,
): void {
  const view = new DataView(list.buffer, list.byteOffset, list.byteLength);
  const offsets: number[] = [];
  for (let at = 0; at < list.length; at += recordBytes) offsets.push(view.getUint32(at, true));
  // They are in order.
  const first = offsets.findIndex((offset) => offset >= old.start);
  const next = offsets.findIndex((offset) => offset >= old.start + old.size);
  if (first < 0) return;
  const stop = next < 0 ? offsets.length : next;
  const moved = list.slice(first * recordBytes, stop * recordBytes);
  list.copyWithin(first * recordBytes, stop * recordBytes);
  const start = list.length - moved.length;
  list.set(moved, start);
  for (let index = first; index < stop; index++) {
    const offset = (offsets[index] ?? 0) - old.start + place;
    view.setUint32(start + (index - first) * recordBytes, offset, true);
  }
}
