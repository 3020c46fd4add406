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
  /**
   * It takes no sk_buff, and `skbArg` is the register of what leads to some: a `struct list_head` of them, or the place of a
   * pointer to one.
   */
  readonly given?: Given;
  /** Its other arguments say that the skb is a netlink message, never a packet. */
  readonly isMessage?: true;
}

/**
 * What only those take whose skb is a netlink message: include/net/netlink.h, genetlink.h, nfnetlink.h, net/ethtool/netlink.h, and the
 * headers of messages in include/uapi/linux/.
 */
const ofMessages = [
  ...['netlink_callback', 'nlmsghdr', 'genl_info', 'nfnl_info'],
  ...['ethnl_req_info', 'ethnl_reply_data'],
  ...['tcmsg', 'ndmsg', 'rtmsg', 'ifinfomsg', 'fib_rule_hdr'],
];
/** The table of a message's attributes, by type; a packet's function may take a single one (openvswitch: the actions to run). */
const attributes = 'nlattr';

export type Given = 'list' | 'place';

/**
 * Functions whose `struct list_head *` is one of packets; BTF does not say what a list is of. net/core/dev.c, net/ipv4/ip_input.c,
 * net/ipv6/ip6_input.c, net/netfilter/core.c, 6.1 to 7.2
 */
const ofPackets: ReadonlySet<string> = new Set([
  'netif_receive_skb_list',
  'netif_receive_skb_list_internal',
  '__netif_receive_skb_list',
  '__netif_receive_skb_list_core',
  '__netif_receive_skb_list_ptype',
  'ip_list_rcv',
  'ip_list_rcv_finish',
  'ip_sublist_rcv',
  'ip_sublist_rcv_finish',
  'ipv6_list_rcv',
  'ip6_list_rcv_finish',
  'ip6_sublist_rcv',
  'ip6_sublist_rcv_finish',
  'nf_hook_slow_list',
]);

/** What the kernel calls a `struct sk_buff **` that it reads; others are where it puts one. */
const placeName = 'pskb';

const maxRegister = 5;

const isSkb = 4;
const isSock = 8;
const isList = 16;
const isPlace = 32;
const isOfMessages = 64;
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

/** The same for a pointer to such a pointer. */
const placedStruct = (btf: Btf, id: number): number => {
  const pointer = resolveType(btf, id);
  return btf.kind(pointer) === kinds.pointer ? pointedStruct(btf, btf.sizeOrType(pointer)) : 0;
};

const registersOf = (btf: Btf, id: number, architecture: string): number => {
  const type = resolveType(btf, id);
  const kind = btf.kind(type);
  if (kind !== kinds.struct && kind !== kinds.union) return 1;
  const bytes = typeBytes(btf, type);
  if (bytes > 16) return architecture === 'x64' ? 0 : 1;
  return Math.ceil(bytes / 8);
};

/** What a type is as a parameter: how many registers it takes, and what of interest it points to. */
const createClassifier = (btf: Btf, architecture: string): ((id: number) => number) => {
  const skb = btf.offsetOf('sk_buff');
  const sock = btf.offsetOf('sock');
  const list = btf.offsetOf('list_head');
  const messages = new Set(ofMessages.map((name) => btf.offsetOf(name)));
  const attribute = btf.offsetOf(attributes);
  const known = new Uint8Array(btf.endId); // many parameters, few types; 255 - what it is; 0: not asked yet
  return (id) => {
    const before = known[id] ?? 0;
    if (before !== 0) return 255 - before;
    const struct = pointedStruct(btf, id);
    let what = registersOf(btf, id, architecture);
    if (struct !== 0 && struct === skb) what |= isSkb;
    if (struct !== 0 && struct === sock) what |= isSock;
    if (struct !== 0 && struct === list) what |= isList;
    if (struct !== 0 && messages.has(struct)) what |= isOfMessages;
    if (struct === 0) {
      const placed = placedStruct(btf, id);
      if (placed !== 0 && placed === skb) what |= isPlace;
      if (placed !== 0 && placed === attribute) what |= isOfMessages;
    }
    known[id] = 255 - what;
    return what;
  };
};

/** In which registers a prototype takes its skb and sock; undefined: no skb, and nothing that might lead to one. */
const skbArguments = (
  btf: Btf,
  proto: number,
  classify: (id: number) => number,
): Omit<SkbFunction, 'name'> | undefined => {
  const params = btf.elementCount(proto);
  let skbArg = 0;
  let secondSkbArg = 0;
  let sockArg = 0;
  let listArg = 0;
  let placeArg = 0;
  let isMessage = false;
  for (let i = 0, register = 1; i < params; i++) {
    const what = classify(btf.elementType(proto, i));
    isMessage ||= (what & isOfMessages) !== 0;
    if (register > maxRegister) continue;
    if ((what & isSkb) !== 0) {
      if (skbArg === 0) skbArg = register;
      else if (secondSkbArg === 0) secondSkbArg = register;
    } else if ((what & isSock) !== 0) sockArg ||= register;
    else if ((what & isList) !== 0) listArg ||= register;
    else if ((what & isPlace) !== 0 && btf.element(proto, i).name === placeName)
      placeArg ||= register;
    register += what & registerMask;
  }
  if (skbArg === 0) {
    if (placeArg > 0) return { skbArg: placeArg, sockArg, given: 'place' };
    return listArg > 0 ? { skbArg: listArg, sockArg, given: 'list' } : undefined;
  }
  return {
    skbArg,
    sockArg,
    ...(secondSkbArg === 0 ? {} : { secondSkbArg }),
    ...(isMessage ? { isMessage } : {}),
  };
};

/**
 * Every function of this BTF (not of its base) with an sk_buff pointer, const or not, in one of its first five registers, or with
 * what leads to sk_buffs there (`given`).
 */
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
    if (found === undefined) {
      seen[proto] = 1;
      continue;
    }
    const name = btf.name(ids[i] ?? 0);
    if (found.given !== 'list' || ofPackets.has(name)) functions.push({ name, ...found });
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
