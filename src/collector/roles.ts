import { probeRole } from '../event/layout.ts';

/**
 * Which kernel functions mean something to tracking (bpf/track.h says what). A name that a kernel does not have, or has
 * inlined, is simply not there: each role is covered by more than one function or by a tracepoint.
 */

/** Functions that give the sk_buff itself back. net/core/skbuff.c */
const freeMemory = ['kfree_skbmem', 'napi_skb_cache_put'];

/** Functions that run when the last reference is gone. */
const free = [
  '__kfree_skb',
  '__kfree_skb_defer', // until 6.2
  '__napi_kfree_skb',
  'kfree_skb_partial',
  'napi_skb_free_stolen_head',
];

/** Functions that return a new sk_buff. */
export const allocators = [
  '__alloc_skb',
  '__build_skb',
  '__napi_alloc_skb',
  '__netdev_alloc_skb',
  'alloc_skb_for_msg',
  'build_skb',
  'build_skb_around', // of a frame: what it returns comes from nowhere else
  'napi_alloc_skb',
  'napi_build_skb',
  'napi_get_frags', // may hand out again the one whose content GRO took
  'slab_build_skb',
] as const;

/** Destructors and parts of freeing: they may run on a dying skb and never begin a life. */
const release =
  /^(?:_*(?:napi_|dev_|netdev_|sk_)?(?:k?free|consume)_skb|__consume_stateless_skb|skb_release_|skb_free_|skb_pp_|sk_skb_reason_drop|_*sock_[a-z]*free$|sock_edemux|_*skb_ext_|skb_queue_purge|skb_rbtree_purge|__skb_datagram_free|_*skb_free_datagram|skb_consume_udp|inet_sock_destruct)|_(?:wfree|rfree|efree|pfree)$|_destruct_skb$|^tcp_drop(?:_reason)?$|^skb_unref$|destructor$|^(?:nf_)?bridge_info_free$|^msg_zerocopy_|^skb_zcopy_/;

export type ProbeRole = (typeof probeRole)[keyof typeof probeRole];

/** Functions that take an XDP frame back: sent, or given up. net/core/xdp.c */
export const frameReturns = [
  'xdp_return_frame',
  'xdp_return_frame_bulk',
  'xdp_return_frame_rx_napi',
] as const;

const byName = new Map<string, ProbeRole>([
  ...freeMemory.map((name) => [name, probeRole.freeMemory] as const),
  ...free.map((name) => [name, probeRole.free] as const),
  ...allocators.map((name) => [name, probeRole.alloc] as const),
  ...frameReturns.map((name) => [name, probeRole.frameReturn] as const),
  ['skb_clone', probeRole.clone],
  ['skb_copy_header', probeRole.copy],
  ['ip_frag_next', probeRole.fragment],
  ['ip6_frag_next', probeRole.fragment],
  ['ip_do_fragment', probeRole.fragmentList],
  ['ip6_fragment', probeRole.fragmentList],
  ['skb_segment', probeRole.segment],
  ['skb_segment_list', probeRole.segment],
  ['skb_morph', probeRole.morph],
  ['inet_frag_queue_insert', probeRole.reassemble],
  ['skb_gro_receive', probeRole.merge],
  ['skb_gro_receive_list', probeRole.merge],
  ['skb_attempt_defer_free', probeRole.defer],
  ['eth_type_trans', probeRole.arrival],
]);

/** Roles that are played when the function returns: its exit is watched whatever the user asks for. */
const atExit: ReadonlySet<ProbeRole> = new Set([
  probeRole.clone,
  probeRole.alloc,
  probeRole.fragment,
  probeRole.segment,
  probeRole.merge,
  probeRole.defer,
]);

/** Of two skbs, the second one is whose call it is: what the first becomes, or takes in. */
const ofSecond: ReadonlySet<ProbeRole> = new Set([
  probeRole.copy,
  probeRole.morph,
  probeRole.merge,
]);

/**
 * Of no meaning to tracking, but their first skb is none yet: a fresh sk_buff with what its address held before, a device of
 * long ago perhaps, which they fill in from the second.
 */
const fillers: ReadonlySet<string> = new Set(['__copy_skb_header', '__skb_clone']);

/** The role of a function that takes no skb; `maps`: what it does to a BPF map matters. */
export function innerRoleOf(func: string, maps: boolean): ProbeRole {
  if (!maps) return probeRole.inner;
  if (func === '__htab_map_lookup_elem') return probeRole.mapElement;
  if (func.endsWith('_lookup_elem')) return probeRole.mapLookup;
  if (func.endsWith('_update_elem')) return probeRole.mapUpdate;
  return func.endsWith('_delete_elem') ? probeRole.mapDelete : probeRole.inner;
}

const mapRoles: ReadonlySet<ProbeRole> = new Set([
  probeRole.mapLookup,
  probeRole.mapElement,
  probeRole.mapUpdate,
  probeRole.mapDelete,
]);

/** Roles of functions that are given a list of skbs, or the place of a pointer to one. */
export const givenRoles = { list: probeRole.list, place: probeRole.place } as const;

/** Its probe belongs to the programs for lists and places. */
export const isGivenRole = (role: ProbeRole): boolean =>
  role === probeRole.list || role === probeRole.place;

/** Its probe belongs to the programs for BPF maps. */
export const isMapRole = (role: ProbeRole): boolean => mapRoles.has(role);

/** The role of a kernel function by its name. */
export function roleOf(func: string): ProbeRole {
  return byName.get(func) ?? (release.test(func) ? probeRole.release : probeRole.plain);
}

export const needsExit = (role: ProbeRole): boolean => atExit.has(role);

/** Which argument is the skb that the call is on, given the first one that is an skb. */
export const skbArgOf = (func: string, role: ProbeRole, firstSkbArg: number): number =>
  ofSecond.has(role) || fillers.has(func) ? firstSkbArg + 1 : firstSkbArg;

/** Roles without which lives cannot be told apart: their functions are watched even if the user asked for others only. */
export function isTrackingRole(role: ProbeRole): boolean {
  return role !== probeRole.plain && role !== probeRole.release && role < probeRole.inner;
}
