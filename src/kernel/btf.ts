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

/** Words after the common three of a type that are there once. Index: kind. */
const fixedWords = [0, 1, 0, 3, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 1, 0, 0] as const;
/** Words of each of a type's elements: members, parameters, values, variables. Index: kind. */
const elementWords = [0, 0, 0, 0, 3, 3, 2, 0, 0, 0, 0, 0, 0, 2, 0, 3, 0, 0, 0, 3] as const;

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
  /** The own types of a kind, in order: their ids, and sizeOrType of each. */
  ofKind(kind: number): { readonly ids: Uint32Array; readonly refers: Uint32Array };
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
const commonWords = 3;
const magic = 0xeb9f;

/** Finds at which word each type begins, and of which kind it is. */
const indexTypes = (words: Uint32Array, name: string) => {
  // A type takes three words or more: an upper bound for their number.
  const most = Math.floor(words.length / commonWords);
  const offsets = new Uint32Array(most);
  const kindOf = new Uint8Array(most);
  let count = 0;
  let at = 0;
  while (at < words.length) {
    if (at + commonWords > words.length) throw malformed(name, 'the last type is cut off');
    const info = words[at + 1] ?? 0;
    const kind = (info >>> 24) & 0x1f;
    if (kind === kinds.void || kind >= fixedWords.length)
      throw malformed(name, `type ${count + 1} is of unknown kind ${kind}`);
    offsets[count] = at;
    kindOf[count++] = kind;
    at += commonWords + (fixedWords[kind] ?? 0) + (elementWords[kind] ?? 0) * (info & 0xffff);
  }
  if (at !== words.length) throw malformed(name, 'the last type is cut off');
  return { offsets: offsets.slice(0, count), kindOf: kindOf.slice(0, count) };
};

/** Words of a section, copied if it is not aligned. */
const wordsOf = (bytes: Uint8Array, offset: number, length: number): Uint32Array => {
  const start = bytes.byteOffset + offset;
  return start % 4 === 0
    ? new Uint32Array(bytes.buffer, start, length >>> 2)
    : new Uint32Array(bytes.slice(offset, offset + length).buffer, 0, length >>> 2);
};

/** Parses raw BTF (little endian). `base` is vmlinux for a module's. Throws SKBSPAN_BTF on anything malformed. */
export const parseBtf = (bytes: Uint8Array, base?: Btf, name = 'vmlinux'): Btf => {
  const head = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (bytes.length < headerBytes || head.getUint16(0, true) !== magic)
    throw malformed(name, 'it does not begin with the BTF magic');
  const header = (offset: number) => head.getUint32(offset, true);
  const headerEnd = header(4);
  const [typeOffset, typeBytes] = [headerEnd + header(8), header(12)];
  const [stringOffset, stringBytes] = [headerEnd + header(16), header(20)];
  if (typeOffset + typeBytes > bytes.length || stringOffset + stringBytes > bytes.length)
    throw malformed(name, 'its sections are longer than the file');
  if (typeBytes % 4 !== 0) throw malformed(name, 'the last type is cut off');

  const words = wordsOf(bytes, typeOffset, typeBytes);
  const { offsets, kindOf } = indexTypes(words, name);
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
  const isOwn = (id: number): boolean => id >= firstId && id < endId;
  /** Word `index` of one of our own types. */
  const word = (id: number, index: number): number =>
    words[(offsets[id - firstId] ?? 0) + index] ?? 0;
  /** Nothing that has elements has other words before them. */
  const elementAt = (id: number, index: number): number =>
    commonWords + (elementWords[kindOf[id - firstId] ?? 0] ?? 0) * index;

  /** Asked for again and again, and each time a walk over all types. */
  const lists = new Map<number, { readonly ids: Uint32Array; readonly refers: Uint32Array }>();
  const listOf = (kind: number) => {
    let count = 0;
    for (const each of kindOf) if (each === kind) count++;
    const ids = new Uint32Array(count);
    const refers = new Uint32Array(count);
    for (let i = 0, at = 0; at < count; i++) {
      if (kindOf[i] !== kind) continue;
      ids[at] = firstId + i;
      refers[at++] = words[(offsets[i] ?? 0) + 2] ?? 0;
    }
    return { ids, refers };
  };

  return {
    firstId,
    endId,
    base,
    stringsEnd: firstString + stringBytes,
    string,
    kind: (id) => (id < firstId ? base?.kind(id) : kindOf[id - firstId]) ?? kinds.void,
    ofKind(kind) {
      let list = lists.get(kind);
      if (list === undefined) {
        list = listOf(kind);
        lists.set(kind, list);
      }
      return list;
    },
    name: (id) => (isOwn(id) ? string(word(id, 0)) : (base?.name(id) ?? '')),
    nameOffset: (id) => (isOwn(id) ? word(id, 0) : (base?.nameOffset(id) ?? 0)),
    offsetOf(name) {
      const at = strings.indexOf(`\0${name}\0`, 0, 'latin1');
      // A split BTF's strings begin with a name of its own, not with the empty one.
      if (at >= 0) return firstString + at + 1;
      if (strings.indexOf(`${name}\0`, 0, 'latin1') === 0) return firstString;
      return base?.offsetOf(name);
    },
    sizeOrType: (id) => (isOwn(id) ? word(id, 2) : (base?.sizeOrType(id) ?? 0)),
    flag: (id) => (isOwn(id) ? word(id, 1) >>> 31 === 1 : (base?.flag(id) ?? false)),
    elementCount: (id) => (isOwn(id) ? word(id, 1) & 0xffff : (base?.elementCount(id) ?? 0)),
    element(id, index) {
      if (!isOwn(id)) return base?.element(id, index) ?? { name: '', first: 0, second: 0 };
      const at = elementAt(id, index);
      const isTriple = elementWords[kindOf[id - firstId] ?? 0] === 3;
      return {
        name: string(word(id, at)),
        first: word(id, at + 1),
        second: isTriple ? word(id, at + 2) : 0,
      };
    },
    elementType: (id, index) =>
      isOwn(id) ? word(id, elementAt(id, index) + 1) : (base?.elementType(id, index) ?? 0),
    // The word after the common ones: bit 24 is BTF_INT_SIGNED.
    isSigned: (id) =>
      isOwn(id) ? ((word(id, 3) >>> 24) & 1) === 1 : (base?.isSigned(id) ?? false),
    array: (id) =>
      isOwn(id)
        ? { type: word(id, 3), count: word(id, 5) }
        : (base?.array(id) ?? { type: 0, count: 0 }),
  };
};
