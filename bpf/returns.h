/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * returns.h - links for the backend tracepoint, where the kernel has trampolines (fentry and fexit) though it has no kprobes.
 *
 * Only functions that make an skb, from another one or from nothing, put one into another, or give one up where no tracepoint tells
 * (since 6.18, what a UDP socket's reader read). They say nothing but that: no call is recorded, so a link names the parent, not the
 * call. A birth ends whatever life the address had before: then tracepoint.h need not guess. A trampoline hands a program one
 * function's arguments and what it returned, so there is a program for each, loaded where that function is
 * (src/collector/return-probes.ts).
 *
 * The copy that veth makes for XDP is not among them (skb_copy_header is part of them all): it is known by its content (frame.h, 4),
 * which takes no trampoline.
 */
#ifndef SKBSPAN_RETURNS_H
#define SKBSPAN_RETURNS_H

#include "links.h"

/* Function, which argument is the skb that is followed, which one is the other skb, what the function does to them. */
#define RETURN_PROBES(X)                                                                                               \
	X(fexit, skb_clone, 0, 0, ROLE_CLONE)                                                                          \
	X(fexit, skb_copy, 0, 0, ROLE_COPY)                                                                            \
	X(fexit, __pskb_copy_fclone, 0, 0, ROLE_COPY)                                                                  \
	X(fexit, skb_copy_expand, 0, 0, ROLE_COPY)                                                                     \
	X(fexit, skb_segment, 0, 0, ROLE_SEGMENT)                                                                      \
	X(fexit, skb_segment_list, 0, 0, ROLE_SEGMENT)                                                                 \
	X(fexit, ip_frag_next, 0, 0, ROLE_FRAGMENT)                                                                    \
	X(fexit, ip6_frag_next, 0, 0, ROLE_FRAGMENT)                                                                   \
	X(fexit, skb_gro_receive, 1, 0, ROLE_MERGE)                                                                    \
	X(fexit, skb_gro_receive_list, 1, 0, ROLE_MERGE)                                                               \
	X(fexit, skb_morph, 1, 0, ROLE_MORPH)                                                                          \
	X(fentry, ip_do_fragment, 2, 0, ROLE_FRAGMENT_LIST)                                                            \
	X(fentry, ip6_fragment, 2, 0, ROLE_FRAGMENT_LIST)                                                              \
	X(fentry, inet_frag_queue_insert, 1, 0, ROLE_REASSEMBLE)                                                       \
	X(fentry, skb_attempt_defer_free, 0, 0, ROLE_FREE)                                                             \
	X(fexit, __alloc_skb, 0, 0, ROLE_ALLOC)                                                                        \
	X(fexit, __build_skb, 0, 0, ROLE_ALLOC)                                                                        \
	X(fexit, __napi_alloc_skb, 0, 0, ROLE_ALLOC)                                                                   \
	X(fexit, __netdev_alloc_skb, 0, 0, ROLE_ALLOC)                                                                 \
	X(fexit, alloc_skb_for_msg, 0, 0, ROLE_ALLOC)                                                                  \
	X(fexit, build_skb, 0, 0, ROLE_ALLOC)                                                                          \
	X(fexit, build_skb_around, 0, 0, ROLE_ALLOC)                                                                   \
	X(fexit, napi_alloc_skb, 0, 0, ROLE_ALLOC)                                                                     \
	X(fexit, napi_build_skb, 0, 0, ROLE_ALLOC)                                                                     \
	X(fexit, napi_get_frags, 0, 0, ROLE_ALLOC)                                                                     \
	X(fexit, slab_build_skb, 0, 0, ROLE_ALLOC)

/* Of the life at this address, no call; 0: it is not followed. */
static __always_inline u64 token_of(u64 skb)
{
	struct life *life = life_at(skb);

	if (!life || is_over(life))
		return 0;
	return life->state == LIFE_IGNORED ? IGNORED_TOKEN : call_token(life, 0);
}

/* `result`: what the function returned; 0 when it has not. */
static __noinline int on_maker(u64 skb, u64 other, u64 result, u32 role)
{
	u64 token = role == ROLE_ALLOC ? 0 : token_of(skb);
	struct life *life;

	if (role == ROLE_FREE) {
		/* Its last owner, a socket's reader: another CPU frees it some time later. */
		life = life_at(skb);
		if (life)
			die(life, skb, 0, NO_PROBE, FREE_RELEASED);
	} else if (role == ROLE_MERGE) {
		if (token && token != IGNORED_TOKEN && (u32)result == 0)
			merge(skb, other, token, NO_PROBE, LINK_GRO);
	} else if (role == ROLE_COPY) {
		if (!is_skb(result))
			return 0;
		address_reborn(result);
		if (token)
			adopt(result, token, NO_PROBE, LINK_COPY);
	} else if (makes_at_enter(role)) {
		relate(role, other, skb, token, NO_PROBE);
	} else {
		relate_result(role, result, token, NO_PROBE);
	}
	return 0;
}

#endif
