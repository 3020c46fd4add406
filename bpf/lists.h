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
	};

	return follow_frames(&probe);
}

/*
 * A walk over a list. Every word here and in the functions below is missing to on_call(): together they stand exactly at the 512
 * bytes that there are.
 */
struct walk {
	struct probe_regs *ctx;
	u64 head;
	u64 at; /* address of the last member's list head */
	u64 key; /* of its open call */
};

#define MEMBER_SKB(at) ((at)-bpf_core_field_offset(struct sk_buff, list))

/* False: that was the last member. */
static __always_inline bool go_on(struct walk *walk)
{
	u64 at = walk->at;

	return !bpf_probe_read_kernel(&walk->at, sizeof(walk->at), (void *)at) && walk->at && walk->at != walk->head;
}

static long enter_member(u64 index, struct walk *walk)
{
	struct open_list *open;
	u64 skb, token;

	if (!go_on(walk))
		return 1;
	skb = MEMBER_SKB(walk->at);
	token = on_member(skb, bpf_get_attach_cookie(walk->ctx), FRAME_AT_ENTER(walk->ctx));
	if (!(token & 0xffff))
		return 0;
	tell_details(walk->ctx, &skb, token);
	open = bpf_map_lookup_elem(&open_lists, &walk->key);
	if (open && index < LIST_MEMBERS_MAX)
		open->tokens[index] = token;
	return 0;
}

/* Members beyond those that are told: the record that each followed one would have got is lost, and its path says so. */
static long skip_member(u64 index, struct walk *walk)
{
	struct life *life;
	u64 skb;

	if (!go_on(walk))
		return 1;
	skb = MEMBER_SKB(walk->at);
	life = life_at(skb);
	if (life && life->state == LIFE_ALIVE) {
		next_seq(life);
		count(COUNT_LOST_MEMBERS);
	}
	return 0;
}

/* Kernels before 5.17 have no loops of that length: there such a call is not seen. */
#define HAS_LOOPS bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop)

static __noinline int begin_list(const u64 *key)
{
	if (bpf_map_update_elem(&open_lists, key, &no_members, BPF_ANY))
		count(COUNT_LOST_CALLS_FULL);
	return 0;
}

static __always_inline void on_list(struct probe_regs *ctx, u64 cookie, u64 frame)
{
	struct walk walk = {.ctx = ctx, .key = call_key(frame, cookie_probe(cookie))};

	if (!HAS_LOOPS)
		return;
	walk.head = walk.at = regs_argument(ctx, cookie >> COOKIE_SKB_ARG_SHIFT & 15);
	if (cookie_exits(cookie))
		begin_list(&walk.key);
	/* Fewer turns: it came to the end. */
	if (bpf_loop(config.list_members, enter_member, &walk, 0) == config.list_members)
		bpf_loop(REST_MAX, skip_member, &walk, 0);
}

static __noinline int on_place(struct probe_regs *ctx, u64 place)
{
	u64 skb, token;

	if (bpf_probe_read_kernel(&skb, sizeof(skb), (void *)place) || !skb)
		return 0;
	token = on_member(skb, bpf_get_attach_cookie(ctx), FRAME_AT_ENTER(ctx));
	if (!(token & 0xffff) || token == IGNORED_TOKEN)
		return 0;
	tell_details(ctx, &skb, token);
	if (cookie_exits(bpf_get_attach_cookie(ctx)))
		open_call(call_key(FRAME_AT_ENTER(ctx), cookie_probe(bpf_get_attach_cookie(ctx))), token);
	return 0;
}

struct returning {
	u64 result;
	u64 cookie;
	u64 key;
};

static long leave_member(u64 index, const struct returning *list)
{
	struct open_list *open = bpf_map_lookup_elem(&open_lists, &list->key);
	u64 token;

	if (!open || index >= LIST_MEMBERS_MAX)
		return 1;
	token = open->tokens[index];
	if (token & 0xffff && token != IGNORED_TOKEN)
		emit_exit(token, cookie_probe(list->cookie), list->result);
	return 0;
}

static __always_inline void list_returns(u64 result, u64 cookie, u64 frame)
{
	struct returning list = {.result = result, .cookie = cookie, .key = call_key(frame, cookie_probe(cookie))};

	if (!HAS_LOOPS || !bpf_map_lookup_elem(&open_lists, &list.key))
		return;
	bpf_loop(LIST_MEMBERS_MAX, leave_member, &list, 0);
	bpf_map_delete_elem(&open_lists, &list.key);
}

#endif
