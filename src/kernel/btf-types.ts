import { type Btf, kinds } from './btf.ts';

/** The id of the first own type of this name and of one of these kinds, the first kind first. */
export const findType = (btf: Btf, name: string, ...wanted: number[]): number | undefined => {
  const offset = btf.offsetOf(name);
  if (offset === undefined) return undefined;
  for (const kind of wanted)
    for (const id of btf.ofKind(kind).ids) if (btf.nameOffset(id) === offset) return id;
  return undefined;
};

const isAlias = (kind: number): boolean =>
  kind === kinds.typedef ||
  kind === kinds.const ||
  kind === kinds.volatile ||
  kind === kinds.restrict ||
  kind === kinds.typeTag;

/** The type behind typedefs, const, volatile, restrict and type tags. */
export const resolveType = (btf: Btf, id: number): number => {
  let at = id;
  // Well-formed BTF has no cycle without a pointer or a struct in it; bound it for the malformed.
  for (let steps = 0; steps < 64 && isAlias(btf.kind(at)); steps++) at = btf.sizeOrType(at);
  return at;
};

const pointerBytes = 8;

/** Size of a type in bytes; 0 for void, functions and forward declarations. */
export const typeBytes = (btf: Btf, id: number): number => {
  const type = resolveType(btf, id);
  switch (btf.kind(type)) {
    case kinds.pointer:
      return pointerBytes;
    case kinds.array: {
      const { type: element, count } = btf.array(type);
      return count * typeBytes(btf, element);
    }
    case kinds.int:
    case kinds.struct:
    case kinds.union:
    case kinds.enum:
    case kinds.enum64:
    case kinds.float:
      return btf.sizeOrType(type);
    default:
      return 0;
  }
};

export interface StructField {
  readonly name: string;
  readonly offsetBits: number;
  /** Size of the member's type; of a bit-field, of the type it is declared with. */
  readonly bytes: number;
  /** 0: not a bit-field. */
  readonly bitfieldBits: number;
}

/** Fields of a struct or union in order; members of anonymous ones inside stand with the outer ones. */
export const structFields = (btf: Btf, id: number, baseBits = 0): readonly StructField[] => {
  const fields: StructField[] = [];
  for (let i = 0; i < btf.elementCount(id); i++) {
    const { name, first: type, second } = btf.element(id, i);
    const offsetBits = baseBits + (btf.flag(id) ? second & 0xffffff : second);
    const bitfieldBits = btf.flag(id) ? second >>> 24 : 0;
    if (name === '') fields.push(...structFields(btf, resolveType(btf, type), offsetBits));
    else fields.push({ name, offsetBits, bytes: typeBytes(btf, type), bitfieldBits });
  }
  return fields;
};

/** A field of a struct by names; undefined if the kernel has no such struct or field. */
export const structField = (btf: Btf, name: string, field: string): StructField | undefined => {
  const id = findType(btf, name, kinds.struct, kinds.union);
  if (id === undefined) return undefined;
  return structFields(btf, id).find((one) => one.name === field);
};

/** Size of a struct in bytes. */
export const structSize = (btf: Btf, name: string): number | undefined => {
  const id = findType(btf, name, kinds.struct, kinds.union);
  return id === undefined ? undefined : btf.sizeOrType(id);
};

/** Names and values of an enum of either width; values beyond 2^53 are bigint. */
export const enumValues = (
  btf: Btf,
  name: string,
): ReadonlyMap<string, number | bigint> | undefined => {
  const id = findType(btf, name, kinds.enum, kinds.enum64);
  if (id === undefined) return undefined;
  const wide = btf.kind(id) === kinds.enum64;
  const signed = btf.flag(id);
  const values = new Map<string, number | bigint>();
  for (let i = 0; i < btf.elementCount(id); i++) {
    const { name: key, first, second } = btf.element(id, i);
    values.set(key, wide ? joinHalves(first, second, signed) : signed ? first | 0 : first);
  }
  return values;
};

const joinHalves = (low: number, high: number, signed: boolean): number | bigint => {
  const value = (BigInt(high) << 32n) | BigInt(low);
  const exact = signed ? BigInt.asIntN(64, value) : value;
  const asNumber = Number(exact);
  return Number.isSafeInteger(asNumber) ? asNumber : exact;
};
