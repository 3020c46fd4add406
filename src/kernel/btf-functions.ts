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

const isSkb = 4;
const isSock = 8;
const registerMask = 3;

/** The name offset of the struct that a type points to; 0: it is no such pointer. */
const pointedStruct = (btf: Btf, id: number): number => {
  const pointer = resolveType(btf, id);
  if (btf.kind(pointer) !== kinds.pointer) return 0;
  const target = resolveType(btf, btf.sizeOrType(pointer));
  const kind = btf.kind(target);
  // A module that never looks inside knows the struct by a forward declaration.
  return kind === kinds.struct || kind === kinds.forward ? btf.nameOffset(target) : 0;
};

const registersOf = (btf: Btf, id: number, architecture: string): number => {
  const type = resolveType(btf, id);
  const kind = btf.kind(type);
  if (kind !== kinds.struct && kind !== kinds.union) return 1;
  const bytes = typeBytes(btf, type);
  if (bytes > 16) return architecture === 'x64' ? 0 : 1;
  return Math.ceil(bytes / 8);
};

/** What a type is as a parameter: how many registers it takes, and whether it points to an sk_buff or a sock. */
const createClassifier = (btf: Btf, architecture: string): ((id: number) => number) => {
  const skb = btf.offsetOf('sk_buff');
  const sock = btf.offsetOf('sock');
  const known = new Uint8Array(btf.endId); // many parameters, few types; 255 - what it is; 0: not asked yet
  return (id) => {
    const before = known[id] ?? 0;
    if (before !== 0) return 255 - before;
    const struct = pointedStruct(btf, id);
    let what = registersOf(btf, id, architecture);
    if (struct !== 0 && struct === skb) what |= isSkb;
    if (struct !== 0 && struct === sock) what |= isSock;
    known[id] = 255 - what;
    return what;
  };
};

/** In which registers a prototype takes its skb and sock; undefined: no skb. */
const skbArguments = (
  btf: Btf,
  proto: number,
  classify: (id: number) => number,
): Omit<SkbFunction, 'name'> | undefined => {
  const params = btf.elementCount(proto);
  let skbArg = 0;
  let secondSkbArg = 0;
  let sockArg = 0;
  for (let i = 0, register = 1; i < params && register <= maxRegister; i++) {
    const what = classify(btf.elementType(proto, i));
    if ((what & isSkb) !== 0) {
      if (skbArg === 0) skbArg = register;
      else if (secondSkbArg === 0) secondSkbArg = register;
    } else if ((what & isSock) !== 0 && sockArg === 0) sockArg = register;
    register += what & registerMask;
  }
  if (skbArg === 0) return undefined;
  return { skbArg, sockArg, ...(secondSkbArg === 0 ? {} : { secondSkbArg }) };
};

/** Every function of this BTF (not of its base) with an sk_buff pointer, const or not, in one of its first five registers. */
export const skbFunctions = (
  btf: Btf,
  architecture: string = process.arch,
): readonly SkbFunction[] => {
  const classify = createClassifier(btf, architecture);
  const functions: SkbFunction[] = [];
  // Functions share prototypes: three of them one, on the average. 1: it takes no skb.
  const seen = new Uint8Array(btf.endId);
  const { ids, refers } = btf.ofKind(kinds.func);
  for (let i = 0; i < ids.length; i++) {
    const proto = refers[i] ?? 0;
    if (seen[proto] === 1) continue;
    const found = skbArguments(btf, proto, classify);
    if (found === undefined) seen[proto] = 1;
    else functions.push({ name: btf.name(ids[i] ?? 0), ...found });
  }
  return functions;
};

/** Functions whose name matches and whose first argument points to the struct of that name. */
export const functionsOn = (btf: Btf, struct: string, pattern: RegExp): readonly string[] => {
  const wanted = btf.offsetOf(struct);
  const { ids, refers } = btf.ofKind(kinds.func);
  const names: string[] = [];
  for (let i = 0; i < ids.length; i++) {
    const proto = refers[i] ?? 0;
    if (wanted === undefined || btf.elementCount(proto) === 0) continue;
    if (pointedStruct(btf, btf.elementType(proto, 0)) !== wanted) continue;
    const name = btf.name(ids[i] ?? 0);
    if (pattern.test(name)) names.push(name);
  }
  return names;
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
  const skb = btf.offsetOf('sk_buff');
  const count = btf.elementCount(proto) - 1; // the first is the tracepoint's own `void *__data`
  for (let i = 0; i < count; i++)
    if (skb !== undefined && pointedStruct(btf, btf.elementType(proto, i + 1)) === skb)
      return { count, skbIndex: i };
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
