/** The kernel's types as expressions walk them. */
import type { StructTypes, ValueType } from '../event/struct-types.ts';
import { type Btf, kinds } from './btf.ts';
import { findType, resolveType, typeBytes } from './btf-types.ts';

const bigEndianNames = new Set(['__be16', '__be32', '__be64']);

/** Is it declared in network order? */
function isBigEndian(btf: Btf, id: number): boolean {
  let at = id;
  for (let steps = 0; steps < 64; steps++) {
    if (btf.kind(at) === kinds.typedef && bigEndianNames.has(btf.name(at))) return true;
    if (resolveType(btf, at) === at) return false;
    at = btf.sizeOrType(at);
  }
  return false;
}

function valueType(btf: Btf, declared: number): ValueType | undefined {
  const id = resolveType(btf, declared);
  const bytes = typeBytes(btf, id);
  switch (btf.kind(id)) {
    case kinds.int:
      if (![1, 2, 4, 8].includes(bytes)) return undefined;
      return {
        kind: 'number',
        bytes,
        signed: btf.isSigned(id),
        bigEndian: isBigEndian(btf, declared),
      };
    case kinds.enum:
    case kinds.enum64:
      return { kind: 'number', bytes, signed: btf.flag(id), bigEndian: false };
    case kinds.pointer: {
      const to = resolveType(btf, btf.sizeOrType(id));
      const isStruct = btf.kind(to) === kinds.struct || btf.kind(to) === kinds.union;
      return { kind: 'pointer', to: isStruct ? to : undefined };
    }
    case kinds.struct:
    case kinds.union:
      return { kind: 'struct', id };
    case kinds.array: {
      const { type, count } = btf.array(id);
      const element = valueType(btf, type);
      if (element === undefined) return undefined;
      return { kind: 'array', element, bytes: typeBytes(btf, type), count };
    }
    default:
      return undefined;
  }
}

export interface Field {
  readonly name: string;
  readonly type: number;
  readonly offsetBits: number;
  readonly bitfieldBits: number;
}

/** Members by name, those of anonymous structs and unions inside too. */
export function* fieldsOf(btf: Btf, id: number, baseBits = 0): Generator<Field> {
  for (let index = 0; index < btf.elementCount(id); index++) {
    const { name, first: type, second } = btf.element(id, index);
    const hasBitfields = btf.flag(id);
    const offsetBits = baseBits + (hasBitfields ? second & 0xffffff : second);
    const bitfieldBits = hasBitfields ? second >>> 24 : 0;
    if (name === '') yield* fieldsOf(btf, resolveType(btf, type), offsetBits);
    else yield { name, type, offsetBits, bitfieldBits };
  }
}

/** The structs of a kernel's BTF. */
export function createStructTypes(btf: Btf): StructTypes {
  return {
    struct: (name) => findType(btf, name, kinds.struct, kinds.union),
    name: (id) => btf.name(id) || 'an anonymous struct',
    member(id, wanted) {
      for (const { name, type, offsetBits, bitfieldBits } of fieldsOf(btf, id)) {
        if (name !== wanted) continue;
        const found = valueType(btf, type);
        return found === undefined ? undefined : { type: found, offsetBits, bitfieldBits };
      }
      return undefined;
    },
    memberNames: (id) => [...fieldsOf(btf, id)].map(({ name }) => name),
  };
}
