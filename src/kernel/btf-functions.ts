/*
 * Which functions take an skb, and in which register. An argument number here is that of the *register* (1: the first one,
 * rdi or x0), for that is what a kprobe sees. It differs from the number of the parameter when a struct passed by value
 * stands before it: up to 16 bytes such a struct takes one or two registers, and a bigger one goes on the stack on x86-64
 * but by reference, in one register, on arm64.
 */
import { type Btf, kinds } from './btf.ts';
import { findType, resolveType, typeBytes } from './btf-types.ts';

export interface SkbFunction {
  readonly name: string;
  /** Register, 1..5, of the first argument that points to an sk_buff. */
  readonly skbArg: number;
  /** Register, 1..5, of the first argument that points to a struct sock; 0: none. */
  readonly sockArg: number;
  /** Register of the second argument that points to an sk_buff, if there is one. */
  readonly secondSkbArg?: number;
}

const maxRegister = 5;

/** Says, quickly and for many ids, whether a type is a pointer to the struct of that name. */
const pointerTest = (btf: Btf, struct: string): ((id: number) => boolean) => {
  const name = btf.offsetOf(struct);
  const known = new Uint8Array(btf.endId); // 0: not asked yet, 1: no, 2: yes
  return (id) => {
    if (known[id] !== 0) return known[id] === 2;
    const pointer = resolveType(btf, id);
    const target =
      btf.kind(pointer) === kinds.pointer ? resolveType(btf, btf.sizeOrType(pointer)) : 0;
    const kind = btf.kind(target);
    // A module that never looks inside knows the struct by a forward declaration.
    const isStruct = kind === kinds.struct || kind === kinds.forward;
    const yes = isStruct && name !== undefined && btf.nameOffset(target) === name;
    known[id] = yes ? 2 : 1;
    return yes;
  };
};

const registersOf = (btf: Btf, id: number, architecture: string): number => {
  const type = resolveType(btf, id);
  const kind = btf.kind(type);
  if (kind !== kinds.struct && kind !== kinds.union) return 1;
  const bytes = typeBytes(btf, type);
  if (bytes > 16) return architecture === 'x64' ? 0 : 1;
  return Math.ceil(bytes / 8);
};

const registersOfSkbs = (
  btf: Btf,
  proto: number,
  isSkb: (id: number) => boolean,
  isSock: (id: number) => boolean,
  architecture: string,
): { readonly skbs: readonly number[]; readonly sock: number } => {
  const skbs: number[] = [];
  let sock = 0;
  let register = 1;
  for (let i = 0; i < btf.elementCount(proto) && register <= maxRegister; i++) {
    const type = btf.elementType(proto, i);
    if (isSkb(type)) skbs.push(register);
    else if (sock === 0 && isSock(type)) sock = register;
    register += registersOf(btf, type, architecture);
  }
  return { skbs, sock };
};

/** Every function of this BTF (not of its base) with an sk_buff pointer, const or not, in one of its first five registers. */
export const skbFunctions = (
  btf: Btf,
  architecture: string = process.arch,
): readonly SkbFunction[] => {
  const isSkb = pointerTest(btf, 'sk_buff');
  const isSock = pointerTest(btf, 'sock');
  const functions: SkbFunction[] = [];
  for (let id = btf.firstId; id < btf.endId; id++) {
    if (btf.kind(id) !== kinds.func) continue;
    const proto = btf.sizeOrType(id);
    const { skbs, sock } = registersOfSkbs(btf, proto, isSkb, isSock, architecture);
    const [skbArg, secondSkbArg] = skbs;
    if (skbArg === undefined) continue;
    const second = secondSkbArg === undefined ? {} : { secondSkbArg };
    functions.push({ name: btf.name(id), skbArg, sockArg: sock, ...second });
  }
  return functions;
};

export interface TracepointArgs {
  /** How many arguments a tp_btf program gets. */
  readonly count: number;
  /** Index, from 0, of the first one that points to an sk_buff. */
  readonly skbIndex: number | undefined;
}

/** The arguments of a tracepoint; undefined if the kernel does not have it. */
export const tracepointArgs = (btf: Btf, name: string): TracepointArgs | undefined => {
  const typedef = findType(btf, `btf_trace_${name}`, kinds.typedef);
  if (typedef === undefined) return undefined;
  const proto = resolveType(btf, btf.sizeOrType(resolveType(btf, typedef)));
  if (btf.kind(proto) !== kinds.funcProto) return undefined;
  const isSkb = pointerTest(btf, 'sk_buff');
  const count = btf.elementCount(proto) - 1; // the first is the tracepoint's own `void *__data`
  for (let i = 0; i < count; i++)
    if (isSkb(btf.elementType(proto, i + 1))) return { count, skbIndex: i };
  return { count, skbIndex: undefined };
};

/** BTF id and parameter count of a function: what a call instruction to a kfunc needs. */
export const functionId = (
  btf: Btf,
  name: string,
): { readonly id: number; readonly params: number } | undefined => {
  const id = findType(btf, name, kinds.func);
  if (id === undefined) return undefined;
  return { id, params: btf.elementCount(btf.sizeOrType(id)) };
};
