import { kinds } from '../../src/kernel/btf.ts';

type Words = readonly number[];

interface Written {
  readonly name: string;
  readonly kind: number;
  readonly count?: number;
  readonly flag?: boolean;
  readonly sizeOrType: number;
  /** After the common part; a string is replaced by its offset. */
  readonly rest?: readonly (number | string)[];
}

/** Builds BTF by hand, type by type; each call returns the new type's id. */
export const createBtfWriter = (firstId = 1, firstString = 0) => {
  const types: Written[] = [];
  const add = (type: Written): number => firstId + types.push(type) - 1;
  const plain = (kind: number, type: number, name = ''): number =>
    add({ name, kind, sizeOrType: type });
  return {
    int: (name: string, bytes: number) =>
      add({ name, kind: kinds.int, sizeOrType: bytes, rest: [bytes * 8] }),
    pointer: (to: number) => plain(kinds.pointer, to),
    const: (of: number) => plain(kinds.const, of),
    volatile: (of: number) => plain(kinds.volatile, of),
    typeTag: (of: number, name: string) => plain(kinds.typeTag, of, name),
    typedef: (name: string, of: number) => plain(kinds.typedef, of, name),
    forward: (name: string) => plain(kinds.forward, 0, name),
    float: (name: string, bytes: number) => plain(kinds.float, bytes, name),
    func: (name: string, proto: number) => plain(kinds.func, proto, name),
    variable: (name: string, type: number) =>
      add({ name, kind: kinds.variable, sizeOrType: type, rest: [1] }),
    declTag: (name: string, of: number) =>
      add({ name, kind: kinds.declTag, sizeOrType: of, rest: [0xffffffff] }),
    array: (type: number, count: number) =>
      add({ name: '', kind: kinds.array, sizeOrType: 0, rest: [type, type, count] }),
    dataSection: (name: string, variables: readonly Words[]) =>
      add({
        name,
        kind: kinds.dataSection,
        count: variables.length,
        sizeOrType: 0,
        rest: variables.flat(),
      }),
    struct: (
      name: string,
      bytes: number,
      members: readonly (readonly [name: string, type: number, offset: number])[] = [],
      { flag = false, union = false } = {},
    ) =>
      add({
        name,
        kind: union ? kinds.union : kinds.struct,
        count: members.length,
        flag,
        sizeOrType: bytes,
        rest: members.flat(),
      }),
    enum: (name: string, values: readonly (readonly [string, number])[], flag = false) =>
      add({
        name,
        kind: kinds.enum,
        count: values.length,
        flag,
        sizeOrType: 4,
        rest: values.flat(),
      }),
    enum64: (
      name: string,
      values: readonly (readonly [string, low: number, high: number])[],
      flag = false,
    ) =>
      add({
        name,
        kind: kinds.enum64,
        count: values.length,
        flag,
        sizeOrType: 8,
        rest: values.flat(),
      }),
    proto: (result: number, params: readonly (readonly [string, number])[]) =>
      add({
        name: '',
        kind: kinds.funcProto,
        count: params.length,
        sizeOrType: result,
        rest: params.flat(),
      }),
    /** A type of a kind that does not exist. */
    unknown: () => plain(30, 0),
    bytes(): Uint8Array {
      const strings: string[] = firstString === 0 ? [''] : [];
      let stringEnd = firstString + (firstString === 0 ? 1 : 0);
      const offsets = new Map<string, number>([['', 0]]);
      const offsetOf = (text: string): number => {
        const known = offsets.get(text);
        if (known !== undefined) return known;
        const offset = stringEnd;
        offsets.set(text, offset);
        strings.push(text);
        stringEnd += text.length + 1;
        return offset;
      };
      const words = types.flatMap(({ name, kind, count = 0, flag = false, sizeOrType, rest }) => [
        offsetOf(name),
        (count | (kind << 24) | (flag ? 1 << 31 : 0)) >>> 0,
        sizeOrType,
        ...(rest ?? []).map((one) => (typeof one === 'string' ? offsetOf(one) : one)),
      ]);
      const text = Buffer.from(strings.map((one) => `${one}\0`).join(''), 'latin1');
      const typeBytes = words.length * 4;
      const header = [0x0001eb9f, 24, 0, typeBytes, typeBytes, text.length];
      const head = new DataView(new ArrayBuffer(24 + typeBytes));
      for (const [i, word] of [...header, ...words].entries()) head.setUint32(i * 4, word, true);
      return Buffer.concat([new Uint8Array(head.buffer), text]);
    },
  };
};
