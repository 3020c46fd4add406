/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * lists.h - functions that are given packets otherwise than by the address of one: a list of them (ip_list_rcv), or the place
 * where an address stands, which they may change (br_handle_frame).
 *
 * A call on a list is a call on each of its packets: each gets its enter, and its exit when the function returns, all in the
 * same stack frame. The list is walked when the function begins, for it takes the list apart. A packet that is not followed yet
 * may begin its path here: drivers hand lists to netif_receive_skb_list().
 *
 * Programs of their own (enter_list, leave_list): so the other functions pay nothing for it.
 */
#ifndef SKBSPAN_LISTS_H
#define SKBSPAN_LISTS_H

#include "function.h"

#define OPEN_LISTS_MAX 1024
#define REST_MAX 1024

/* Call tokens of a list's members, in order; 0: not recorded. */
struct open_list {
	u64 tokens[LIST_MEMBERS_MAX];
};

/*
 * Open calls on lists. Key: as in `calls`. Owner: the enter program; deleted by the exit program. A stale entry is overwritten by
 * the next call in that frame.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, OPEN_LISTS_MAX);
	__type(key, u64);
	__type(value, struct open_list);
} open_lists SEC(".maps");

static const struct open_list no_members;

/*
 * The call on one packet; returns its token. A global function: the verifier looks at it by itself, once and not for each member
 * of a list.
 */
__noinline u64 on_member(u64 skb, u64 cookie, u64 frame)
{
	struct probe probe = {
		.id = cookie_probe(cookie),
		.skb = skb,
		.frame = frame,
		.flags = cookie_exits(cookie) ? FLAG_LIST : FLAG_LIST | FLAG_ENTER_ONLY,
		.ours = runs_ourselves(frame),
	};

	return follow_frames(&probe);
}

/* The next member's address of its list head, 0: there is none. */
static __always_inline u64 next_member(u64 head, u64 at)
{
	u64 next = 0;

	if (bpf_probe_read_kernel(&next, sizeof(next), (void *)at) || next == head)
		return 0;
	return next;
}

#define MEMBER_SKB(at) ((at)-bpf_core_field_offset(struct sk_buff, list))

/* Members beyond those that are told: the record that each followed one would have got is lost, and its path says so. */
static __noinline int skip_members(u64 head, u64 at)
{
	struct life *life;
	u64 skb;

	for (u32 i = 0; i < REST_MAX; i++) {
		at = next_member(head, at);
		if (!at)
			break;
		skb = MEMBER_SKB(at);
		life = bpf_map_lookup_elem(&lives, &skb);
		if (!life || life->state != LIFE_ALIVE)
			continue;
		next_seq(life);
		count(COUNT_LOST_MEMBERS);
	}
	return 0;
}

static __always_inline void on_list(struct probe_regs *ctx, u64 cookie, u64 frame)
{
	u64 head = regs_argument(ctx, cookie >> COOKIE_SKB_ARG_SHIFT & 15), at = head, token;
	u64 cell = call_key(frame, cookie); /* the key, then an skb: what stands on the stack is missing to on_call() */
	struct open_list *open = NULL;

	if (cookie_exits(cookie)) {
		if (bpf_map_update_elem(&open_lists, &cell, &no_members, BPF_ANY))
			count(COUNT_LOST_CALLS_FULL);
		else
			open = bpf_map_lookup_elem(&open_lists, &cell);
	}
	for (u32 i = 0; i < LIST_MEMBERS_MAX; i++) {
		u64 next = next_member(head, at);

		if (!next)
			return;
		/* `at` stays at the last one told when there are more. */
		if (i >= config.list_members)
			break;
		at = next;
		cell = MEMBER_SKB(at);
		token = on_member(cell, bpf_get_attach_cookie(ctx), FRAME_AT_ENTER(ctx));
		if (open)
			open->tokens[i] = token;
		if (token & 0xffff)
			tell_details(ctx, &cell, token);
	}
	skip_members(head, at);
}

static __always_inline void on_place(struct probe_regs *ctx, u64 cookie, u64 frame)
{
	u64 place = regs_argument(ctx, cookie >> COOKIE_SKB_ARG_SHIFT & 15), skb, token;

	if (bpf_probe_read_kernel(&skb, sizeof(skb), (void *)place) || !skb)
		return;
	token = on_member(skb, cookie, frame);
	if (!(token & 0xffff) || token == IGNORED_TOKEN)
		return;
	tell_details(ctx, &skb, token);
	if (cookie_exits(cookie))
		open_call(frame, cookie, token);
}

static __always_inline void list_returns(u64 result, u64 cookie, u64 frame)
{
	u64 key = call_key(frame, cookie), token;
	struct open_list *open = bpf_map_lookup_elem(&open_lists, &key);

	if (!open)
		return;
	for (u32 i = 0; i < LIST_MEMBERS_MAX; i++) {
		token = open->tokens[i];
		if (token & 0xffff && token != IGNORED_TOKEN)
			emit_exit(token, cookie_probe(cookie), result);
	}
	bpf_map_delete_elem(&open_lists, &key);
}

#endif
