/*
 * BTF, the kernel's own description of its types: how we learn which functions take an skb without asking anybody else.
 *
 * A kernel has some 150,000 types in 6 MB, and we want a handful of answers at start-up, so nothing is decoded ahead: one pass
 * notes where each type begins, and questions are answered from the bytes. Ids count from 1 (0 is void). A module's BTF is
 * split: its ids and string offsets go on where those of vmlinux end.
 */
import { SkbspanError } from '../errors.ts';

export const kinds = {
  void: 0,
  int: 1,
  pointer: 2,
  array: 3,
  struct: 4,
  union: 5,
  enum: 6,
  forward: 7,
  typedef: 8,
  volatile: 9,
  const: 10,
  restrict: 11,
  func: 12,
  funcProto: 13,
  variable: 14,
  dataSection: 15,
  float: 16,
  declTag: 17,
  typeTag: 18,
  enum64: 19,
} as const;

export type Kind = (typeof kinds)[keyof typeof kinds];

/** Bytes after the common 12 of a type: [fixed, per element]. Index: kind. */
const extraBytes: readonly (readonly [number, number])[] = [
  [0, 0], // void
  [4, 0], // int
  [0, 0],
  [12, 0], // array
  [0, 12], // struct
  [0, 12], // union
  [0, 8], // enum
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 0],
  [0, 8], // function prototype
  [4, 0], // variable
  [0, 12], // data section
  [0, 0],
  [4, 0], // declaration tag
  [0, 0],
  [0, 12], // enum64
];

/** One element of a struct, enum or prototype: name and the two words after it (their meaning depends on the kind). */
export interface Element {
  readonly name: string;
  readonly first: number;
  readonly second: number;
}

/** Read access to the types of one BTF and, below it, those of its base. Ids out of range read as void. */
export interface Btf {
  /** Ids of this BTF's own types: firstId <= id < endId. */
  readonly firstId: number;
  readonly endId: number;
  readonly base: Btf | undefined;
  kind(id: number): number;
  name(id: number): string;
  /** Offset of the type's name: the same offset is the same name, for strings are kept once. */
  nameOffset(id: number): number;
  /** The offset that stands for a name, in this BTF or its base; undefined if nothing here bears it. */
  offsetOf(name: string): number | undefined;
  /** Size in bytes (int, struct, union, enum, float, data section) or the type's id (all that refer to one). */
  sizeOrType(id: number): number;
  /** Structs: members have bit-field sizes. Enums: values are signed. */
  flag(id: number): boolean;
  elementCount(id: number): number;
  element(id: number, index: number): Element;
  /** The first word of an element only: the type of a parameter, or of a member of a struct. */
  elementType(id: number, index: number): number;
  /** Of an int. */
  isSigned(id: number): boolean;
  /** Element type and count of an array. */
  array(id: number): { readonly type: number; readonly count: number };
  /** A string of this BTF or its base by its offset. */
  string(offset: number): string;
  readonly stringsEnd: number;
}

const malformed = (name: string, what: string): SkbspanError =>
  new SkbspanError('SKBSPAN_BTF', `BTF of ${name}: ${what}`, {
    advice: 'Please report this with the kernel version; --backend and filters cannot help.',
  });

const headerBytes = 24;
const commonBytes = 12;
const magic = 0xeb9f;

/** Finds where each type begins, and of which kind it is. */
const indexTypes = (words: DataView, start: number, end: number, name: string) => {
  // A type takes 12 bytes or more: an upper bound for their number.
  const most = Math.floor((end - start) / commonBytes);
  const offsets = new Uint32Array(most);
  const kindOf = new Uint8Array(most);
  let count = 0;
  let at = start;
  while (at < end) {
    if (at + commonBytes > end) throw malformed(name, 'the last type is cut off');
    const info = words.getUint32(at + 4, true);
    const kind = (info >>> 24) & 0x1f;
    const extra = extraBytes[kind];
    if (extra === undefined || kind === kinds.void)
      throw malformed(name, `type ${count + 1} is of unknown kind ${kind}`);
    offsets[count] = at;
    kindOf[count++] = kind;
    at += commonBytes + extra[0] + extra[1] * (info & 0xffff);
  }
  if (at !== end) throw malformed(name, 'the last type is cut off');
  return { offsets: offsets.slice(0, count), kindOf: kindOf.slice(0, count) };
};

/** Parses raw BTF (little endian). `base` is vmlinux for a module's. Throws SKBSPAN_BTF on anything malformed. */
export const parseBtf = (bytes: Uint8Array, base?: Btf, name = 'vmlinux'): Btf => {
  const words = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headerBytes || words.getUint16(0, true) !== magic)
    throw malformed(name, 'it does not begin with the BTF magic');
  const header = (offset: number) => words.getUint32(offset, true);
  const headerEnd = header(4);
  const [typeOffset, typeBytes] = [headerEnd + header(8), header(12)];
  const [stringOffset, stringBytes] = [headerEnd + header(16), header(20)];
  if (typeOffset + typeBytes > bytes.length || stringOffset + stringBytes > bytes.length)
    throw malformed(name, 'its sections are longer than the file');

  const { offsets, kindOf } = indexTypes(words, typeOffset, typeOffset + typeBytes, name);
  const firstId = base?.endId ?? 1;
  const endId = firstId + offsets.length;
  const firstString = base?.stringsEnd ?? 0;
  const strings = Buffer.from(bytes.buffer, bytes.byteOffset + stringOffset, stringBytes);

  const string = (offset: number): string => {
    if (offset < firstString) return base?.string(offset) ?? '';
    const start = offset - firstString;
    const end = strings.indexOf(0, start);
    return end < 0 ? '' : strings.toString('latin1', start, end);
  };
  /** Where one of our own types begins; 0: not ours. */
  const own = (id: number): number => (id >= firstId ? (offsets[id - firstId] ?? 0) : 0);
  const info = (id: number): number => words.getUint32(own(id) + 4, true);
  /** Bytes of one element; nothing that has elements has other words before them. */
  const elementBytes = (id: number): number => {
    const kind = kindOf[id - firstId];
    return kind === kinds.funcProto || kind === kinds.enum ? 8 : 12;
  };
  const elementsAt = (id: number, index: number): number =>
    own(id) + commonBytes + elementBytes(id) * index;

  return {
    firstId,
    endId,
    base,
    stringsEnd: firstString + stringBytes,
    string,
    kind: (id) => (id < firstId ? base?.kind(id) : kindOf[id - firstId]) ?? kinds.void,
    name: (id) => (own(id) === 0 ? (base?.name(id) ?? '') : string(words.getUint32(own(id), true))),
    nameOffset: (id) =>
      own(id) === 0 ? (base?.nameOffset(id) ?? 0) : words.getUint32(own(id), true),
    offsetOf(name) {
      const at = strings.indexOf(`\0${name}\0`, 0, 'latin1');
      // A split BTF's strings begin with a name of its own, not with the empty one.
      if (at >= 0) return firstString + at + 1;
      if (strings.indexOf(`${name}\0`, 0, 'latin1') === 0) return firstString;
      return base?.offsetOf(name);
    },
    sizeOrType: (id) =>
      own(id) === 0 ? (base?.sizeOrType(id) ?? 0) : words.getUint32(own(id) + 8, true),
    flag: (id) => (own(id) === 0 ? (base?.flag(id) ?? false) : info(id) >>> 31 === 1),
    elementCount: (id) => (own(id) === 0 ? (base?.elementCount(id) ?? 0) : info(id) & 0xffff),
    element(id, index) {
      if (own(id) === 0) return base?.element(id, index) ?? { name: '', first: 0, second: 0 };
      const at = elementsAt(id, index);
      return {
        name: string(words.getUint32(at, true)),
        first: words.getUint32(at + 4, true),
        second: elementBytes(id) === 12 ? words.getUint32(at + 8, true) : 0,
      };
    },
    elementType: (id, index) =>
      own(id) === 0
        ? (base?.elementType(id, index) ?? 0)
        : words.getUint32(elementsAt(id, index) + 4, true),
    // The word after the common ones: bit 24 is BTF_INT_SIGNED.
    isSigned: (id) =>
      own(id) === 0
        ? (base?.isSigned(id) ?? false)
        : ((words.getUint32(own(id) + 12, true) >>> 24) & 1) === 1,
    array: (id) =>
      own(id) === 0
        ? (base?.array(id) ?? { type: 0, count: 0 })
        : {
            type: words.getUint32(own(id) + 12, true),
            count: words.getUint32(own(id) + 20, true),
          },
  };
};
