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
  readonly name: string;
  /** Of its header in the file. */
  readonly header: number;
  readonly offset: number;
  readonly size: number;
}

const u64 = (view: DataView, at: number): number => Number(view.getBigUint64(at, true));

const broken = (what: string): SkbspanError =>
  new SkbspanError('SKBSPAN_INTERNAL', `the BPF object ${what}`);

function stringAt(file: Uint8Array, at: number): string {
  let end = at;
  while (end < file.length && file[end] !== 0) end++;
  return Buffer.from(file.subarray(at, end)).toString('latin1');
}

/** Elf64_Ehdr: e_shoff at 40, e_shnum at 60, e_shstrndx at 62. Elf64_Shdr: name 0, offset 24, size 32. */
function readSections(file: Uint8Array, view: DataView): Section[] {
  const start = u64(view, 40);
  const count = view.getUint16(60, true);
  const names = u64(view, start + view.getUint16(62, true) * sectionHeaderBytes + 24);
  return Array.from({ length: count }, (_, index) => {
    const header = start + index * sectionHeaderBytes;
    const name = stringAt(file, names + view.getUint32(header, true));
    return { name, header, offset: u64(view, header + 24), size: u64(view, header + 32) };
  });
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
  const sections = readSections(object, original);
  const find = (wanted: string): Section => {
    const section = sections.find((candidate) => candidate.name === wanted);
    if (section === undefined) throw broken(`has no section ${wanted}`);
    return section;
  };
  const text = find('.text');
  const textAt = Math.ceil(object.length / instructionBytes) * instructionBytes;
  const file = new Uint8Array(textAt + text.size + code.instructions.length);
  const view = new DataView(file.buffer);
  file.set(object);
  file.set(object.subarray(text.offset, text.offset + text.size), textAt);
  file.set(code.instructions, textAt + text.size);
  view.setBigUint64(text.header + 24, BigInt(textAt), true);
  view.setBigUint64(text.header + 32, BigInt(text.size + code.instructions.length), true);

  // Elf64_Sym: name 0, value 8, size 16.
  const symbols = find('.symtab');
  const names = find('.strtab').offset;
  const findSymbol = (wanted: string): number => {
    for (let at = symbols.offset; at < symbols.offset + symbols.size; at += symbolBytes) {
      if (stringAt(file, names + view.getUint32(at, true)) === wanted) return at;
    }
    throw broken(`has no function ${wanted}`);
  };
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
  for (const field of [8, 16]) {
    const start = end + view.getUint32(extension.offset + field, true);
    const stop = start + view.getUint32(extension.offset + field + 4, true);
    if (stop - start < 4) continue;
    const recordBytes = view.getUint32(start, true);
    for (let at = start + 4; at < stop;) {
      const records = at + 8;
      const bytes = view.getUint32(at + 4, true) * recordBytes;
      if (stringAt(file, stringsAt + view.getUint32(at, true)) === '.text') {
        moveRecords(file.subarray(records, records + bytes), recordBytes, old, place);
      }
      at = records + bytes;
    }
  }
}

function moveRecords(
  list: Uint8Array,
  recordBytes: number,
  old: { readonly start: number; readonly size: number },
  place: number,
): void {
  const stay: Uint8Array[] = [];
  const move: Uint8Array[] = [];
  for (let at = 0; at < list.length; at += recordBytes) {
    const record = list.slice(at, at + recordBytes);
    const view = new DataView(record.buffer);
    const offset = view.getUint32(0, true);
    if (offset < old.start || offset >= old.start + old.size) {
      stay.push(record);
      continue;
    }
    view.setUint32(0, offset - old.start + place, true);
    move.push(record);
  }
  [...stay, ...move].forEach((record, index) => {
    list.set(record, index * recordBytes);
  });
}
