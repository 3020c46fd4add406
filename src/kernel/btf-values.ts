/** Memory of the kernel as values: a struct by its BTF. */
import type { MemberValue, StructValue } from '../event/call-detail.ts';
import { type Btf, kinds } from './btf.ts';
import { type Field, fieldsOf } from './btf-members.ts';
import { resolveType, typeBytes } from './btf-types.ts';

/** Structs in structs beyond this depth are left out. */
const depthMost = 8;

const hex = (value: bigint): string => `0x${value.toString(16)}`;

/** A little-endian number of up to 8 bytes. */
function wide(bytes: Uint8Array, at: number, size: number): bigint {
  let value = 0n;
  for (let index = size - 1; index >= 0; index--) {
    value = (value << 8n) | BigInt(bytes[at + index] ?? 0);
  }
  return value;
}

const numberOf = (value: bigint): number | string =>
  value >= -BigInt(Number.MAX_SAFE_INTEGER) && value <= BigInt(Number.MAX_SAFE_INTEGER)
    ? Number(value)
    : hex(BigInt.asUintN(64, value));

/** undefined: it is 0, or nothing that can be shown. */
function readValue(
  btf: Btf,
  declared: number,
  bytes: Uint8Array,
  at: number,
  depth: number,
): MemberValue | undefined {
  const id = resolveType(btf, declared);
  const size = typeBytes(btf, id);
  switch (btf.kind(id)) {
    case kinds.int:
    case kinds.enum:
    case kinds.enum64: {
      if (size > 8) return undefined;
      const isSigned = btf.kind(id) === kinds.int ? btf.isSigned(id) : btf.flag(id);
      const value = wide(bytes, at, size);
      if (value === 0n) return undefined;
      return numberOf(isSigned ? BigInt.asIntN(8 * size, value) : value);
    }
    case kinds.pointer: {
      const value = wide(bytes, at, 8);
      return value === 0n ? undefined : hex(value);
    }
    case kinds.struct:
    case kinds.union: {
      if (depth >= depthMost) return undefined;
      const value = readMembers(btf, id, bytes, at, depth + 1);
      return Object.keys(value).length === 0 ? undefined : value;
    }
    case kinds.array: {
      const { type, count } = btf.array(id);
      const each = typeBytes(btf, type);
      if (each === 1) {
        const own = Buffer.from(bytes.subarray(at, at + count));
        return own.some((byte) => byte !== 0) ? own.toString('hex') : undefined;
      }
      const values = Array.from(
        { length: count },
        (_, index) => readValue(btf, type, bytes, at + index * each, depth) ?? 0,
      );
      while (values.at(-1) === 0) values.pop();
      return values.length === 0 ? undefined : values;
    }
    default:
      return undefined;
  }
}

function readBitfield(btf: Btf, field: Field, bytes: Uint8Array, at: number): number | undefined {
  const first = at * 8 + field.offsetBits;
  const around = wide(bytes, first >> 3, 8) >> BigInt(first & 7);
  const id = resolveType(btf, field.type);
  const isSigned = btf.kind(id) === kinds.int && btf.isSigned(id);
  const value = isSigned
    ? BigInt.asIntN(field.bitfieldBits, around)
    : BigInt.asUintN(field.bitfieldBits, around);
  return value === 0n ? undefined : Number(value);
}

/** A walk over a struct's members is long, and the same one thousands of times. */
const known = new WeakMap<Btf, Map<number, readonly Field[]>>();

function membersOf(btf: Btf, id: number): readonly Field[] {
  let structs = known.get(btf);
  if (structs === undefined) {
    structs = new Map();
    known.set(btf, structs);
  }
  let fields = structs.get(id);
  if (fields === undefined) {
    fields = [...fieldsOf(btf, id)];
    structs.set(id, fields);
  }
  return fields;
}

function readMembers(
  btf: Btf,
  id: number,
  bytes: Uint8Array,
  at: number,
  depth: number,
): StructValue {
  const members: Record<string, MemberValue> = {};
  for (const field of membersOf(btf, id)) {
    const value =
      field.bitfieldBits > 0
        ? readBitfield(btf, field, bytes, at)
        : readValue(btf, field.type, bytes, at + field.offsetBits / 8, depth);
    if (value !== undefined) members[field.name] = value;
  }
  return members;
}

/** The struct or union of type `id` that stands in `bytes`. Members that are 0 are left out; bytes behind the end read as 0. */
export const readStruct = (btf: Btf, id: number, bytes: Uint8Array): StructValue =>
  readMembers(btf, id, bytes, 0, 0);
