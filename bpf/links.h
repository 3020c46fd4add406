/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * links.h - how lives relate: which was made from which, and which went into which.
 *
 * From one packet others are made: by clone, by copy, as the segments (GSO) or fragments (IP) that it is cut into. The new
 * life gets a link that names its parent. It need not be new: ip_append_data builds a datagram as a list of skbs which are
 * on record before anybody knows that they are fragments of one packet, and skb_segment() calls functions on a segment
 * before it returns it. Then the life that there is gets its link late (adopt). That the address holds the life we mean and
 * not an older one is certain because every allocation ends what was there (address_reborn).
 *
 * And of several packets one is made: GRO merges what came in by a device, reassembly the fragments of a datagram. No life
 * begins there: one of them goes on and takes the others in. Such a link (FLAG_MERGE) names what a life went into, and user
 * space makes one path of the two. When are they merged? GRO: when skb_gro_receive() has returned 0, not when it is called.
 * Reassembly: as soon as a fragment is put into a queue that has one already, for all of a queue are parts of one packet,
 * whether it ever gets whole or not. The queue itself says whether the fragment is its first (it has no tail yet), so its
 * address may be used again.
 *
 * skb_attempt_defer_free() gives a packet that nobody needs back to the CPU that has allocated it, which frees it when it
 * happens to receive something, perhaps never. That is the end of the life: what is left of it when the function returns.
 *
 * skb_morph() replaces the content of an sk_buff, and what a packet is is its content: the life that was there ends, and at
 * the same address begins a child of the one whose content came. Reassembly does that when the fragment that came last is
 * not the first of the packet.
 */
#ifndef SKBSPAN_LINKS_H
#define SKBSPAN_LINKS_H

#include "track.h"

/*
 * The functions below that are not static are so for the verifier: it looks at each by itself, once, and not once for every way that
 * leads to its call. That is a tenth of the time that loading takes.
 */

/* How many segments or fragments of one packet are linked; of the longest packet (512 KiB) in segments of 536 bytes. */
#define PARTS_MAX 1024

/* Functions return an error as a pointer into the last page. */
static __always_inline bool is_skb(u64 result)
{
	return result && result < (u64)-4095;
}

/*
 * What the call `token` made is a life, whatever the filters say: its parent is followed. If it is one already, it gets its
 * link now.
 */
__noinline int adopt(u64 skb, u64 token, u32 probe, u32 operation)
{
	struct life *life = life_at(skb);
	u64 parent = token >> 16;

	if (life && life->state == LIFE_ALIVE) {
		if (life->parent || life->id == parent)
			return 0;
		if (token == IGNORED_TOKEN) {
			die(life, skb, 0, probe, FREE_RELEASED);
			life->state = LIFE_IGNORED;
			return 0;
		}
		life->parent = parent;
	} else {
		if (life && life->state == LIFE_IGNORED)
			return 0;
		life = begin_life(skb, parent, token == IGNORED_TOKEN ? LIFE_IGNORED : LIFE_ALIVE);
		if (!life || life->state == LIFE_IGNORED)
			return 0;
	}
	emit_link(life, skb, parent, token, probe, operation, FLAG_LINKED);
	return 0;
}

struct parts {
	u64 next;
	u64 token;
	u32 probe;
	u32 operation;
};

static long adopt_next(u64 index, struct parts *parts)
{
	const struct sk_buff *skb = (void *)parts->next;

	if (!skb)
		return 1;
	parts->next = (u64)BPF_CORE_READ(skb, next);
	adopt((u64)skb, parts->token, parts->probe, parts->operation);
	return 0;
}

__noinline int adopt_list(u64 first, u64 token, u32 probe, u32 operation)
{
	struct parts parts = {.next = first, .token = token, .probe = probe, .operation = operation};

	/* Kernels before 5.17 have no loops of that length: there a part is a packet of its own. */
	if (bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_loop))
		bpf_loop(PARTS_MAX, adopt_next, &parts, 0);
	if (parts.next)
		count(COUNT_LOST_LINKS);
	return 0;
}

/* The life at `skb`, to which `token` belongs, went into the life at `into`. */
__noinline int merge(u64 skb, u64 into, u64 token, u32 probe, u32 operation)
{
	struct life *life = life_at(skb), *target = life_at(into);

	if (!life || life->id != token >> 16)
		return 0;
	if (!target || is_over(target)) {
		/* Nobody followed that packet; from here on it carries one that is followed. */
		adopt(into, token, probe, operation);
		return 0;
	}
	if (target->state != LIFE_ALIVE || target->id == life->id)
		return 0;
	emit_link(life, skb, target->id, token, probe, operation, FLAG_MERGE);
	return 0;
}

static __always_inline void merge_begins(u64 skb, u64 into, u64 token)
{
	struct merging merge = {.skb = skb, .into = into};
	u64 life = token >> 16;

	if (bpf_map_update_elem(&merging, &life, &merge, BPF_ANY))
		count(COUNT_LOST_LINKS);
}

static __always_inline void merge_ends(u64 token, bool merged, u32 probe)
{
	u64 life = token >> 16, skb, into;
	struct merging *found = bpf_map_lookup_elem(&merging, &life);

	if (!found)
		return;
	skb = found->skb;
	into = found->into;
	bpf_map_delete_elem(&merging, &life);
	if (merged)
		merge(skb, into, token, probe, LINK_GRO);
}

/*
 * So often may the other CPU record something of the life in between; it does at most a few times. After that the life is left alive,
 * and counted (COUNT_REUSED) when its address is born again.
 */
#define DEFERRED_TRIES 8

/*
 * `token`: of the call that may have left the freeing of its skb to another CPU. That one may be at it now, or be done already and
 * have a new life at the address. So the life's end and its last sequence number are taken in one step, which fails if it is no
 * longer that life or no longer alive. Its place stays, for the next life at the address or collect_place(): while this took it
 * away a life that began on that CPU would find none.
 */
static __always_inline void deferred(u64 token, u32 probe)
{
	u64 number = token >> 16, skb;
	struct merging *found = bpf_map_lookup_elem(&merging, &number);
	struct life *life;

	if (!found)
		return;
	skb = found->skb;
	bpf_map_delete_elem(&merging, &number);
	life = life_at(skb);
	if (!life)
		return;
	for (u32 i = 0; i < DEFERRED_TRIES; i++) {
		u64 before = *(volatile u64 *)&life->progress;
		u32 seq = (u32)before, phase = before >> 32;
		u64 after = (u64)((phase & ~PHASE_STATE) | LIFE_GONE) << 32 | (u32)(seq + 1);

		if ((phase & PHASE_STATE) != LIFE_ALIVE || *(volatile u64 *)&life->id != number)
			return;
		if (__sync_val_compare_and_swap(&life->progress, before, after) == before) {
			emit_free_of(number, seq, skb, 0, probe, FREE_RELEASED);
			return;
		}
	}
}

static __always_inline void queue_fragment(u64 queue, u64 skb, u64 token, u32 probe)
{
	const struct inet_frag_queue *fragments = (void *)queue;
	struct first_fragment *first, this = {.skb = skb, .life = token >> 16};
	struct life *life;

	if (!BPF_CORE_READ(fragments, fragments_tail))
		bpf_map_delete_elem(&first_fragments, &queue);
	if (!token || token == IGNORED_TOKEN)
		return;
	first = bpf_map_lookup_elem(&first_fragments, &queue);
	if (first) {
		life = life_at(first->skb);
		if (life && life->state == LIFE_ALIVE && life->id == first->life) {
			merge(skb, first->skb, token, probe, LINK_REASSEMBLY);
			return;
		}
	}
	bpf_map_update_elem(&first_fragments, &queue, &this, BPF_ANY);
}

/* skb_morph() is about to throw away what `target` is. */
static __always_inline void replaced(u64 target)
{
	struct life *life = life_at(target);

	if (life && life->state == LIFE_ALIVE) {
		die(life, target, 0, NO_PROBE, FREE_MORPHED);
		forget(target, life);
	}
}

static __always_inline u64 first_of_frag_list(u64 address)
{
	const struct sk_buff *skb = (void *)address;
	const struct skb_shared_info *shared = (void *)(BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));

	return (u64)BPF_CORE_READ(shared, frag_list);
}

static __always_inline bool makes_at_enter(u32 role)
{
	return role == ROLE_COPY || role == ROLE_FRAGMENT_LIST || role == ROLE_MORPH || role == ROLE_REASSEMBLE ||
	       role == ROLE_MERGE || role == ROLE_DEFER;
}

static __always_inline bool makes_at_exit(u32 role)
{
	return role == ROLE_CLONE || role == ROLE_ALLOC || role == ROLE_FRAGMENT || role == ROLE_SEGMENT ||
	       role == ROLE_MERGE || role == ROLE_DEFER;
}

/* A maker is called. `token` is 0 if its skb is not followed. */
__noinline int relate(u32 role, u64 other, u64 skb, u64 token, u32 probe)
{
	if (role == ROLE_COPY) {
		address_reborn(other);
		if (token)
			adopt(other, token, probe, LINK_COPY);
	} else if (role == ROLE_MORPH) {
		replaced(other);
		if (token)
			adopt(other, token, probe, LINK_MORPH);
	} else if (role == ROLE_FRAGMENT_LIST) {
		if (token)
			adopt_list(first_of_frag_list(skb), token, probe, LINK_FRAGMENT);
	} else if (role == ROLE_REASSEMBLE) {
		queue_fragment(other, skb, token, probe);
	} else if (role == ROLE_MERGE) {
		if (token && token != IGNORED_TOKEN)
			merge_begins(skb, other, token);
	} else if (role == ROLE_DEFER) {
		if (token && token != IGNORED_TOKEN)
			merge_begins(skb, 0, token);
	}
	return 0;
}

/* A maker returns. */
__noinline int relate_result(u32 role, u64 result, u64 token, u32 probe)
{
	if (role == ROLE_MERGE) {
		if (token && token != IGNORED_TOKEN)
			merge_ends(token, (u32)result == 0, probe);
		return 0;
	}
	if (role == ROLE_DEFER) {
		if (token && token != IGNORED_TOKEN)
			deferred(token, probe);
		return 0;
	}
	if (!is_skb(result))
		return 0;
	if (role == ROLE_CLONE || role == ROLE_ALLOC)
		address_reborn(result);
	if (!token)
		return 0;
	if (role == ROLE_CLONE)
		adopt(result, token, probe, LINK_CLONE);
	else if (role == ROLE_FRAGMENT)
		adopt(result, token, probe, LINK_FRAGMENT);
	else if (role == ROLE_SEGMENT)
		adopt_list(result, token, probe, LINK_SEGMENT);
	return 0;
}

/*
 * Several free paths give an sk_buff back where nobody sees it (track.h, 3), and their addresses may never be used again. So
 * user space runs this once a second: what is found dying for the second time goes. Whoever begins a new life there at this
 * very moment and this want the same place: the one that changes its state first has it.
 */
__noinline int collect_place(u32 place)
{
	struct life *life = life_in(place);
	u32 index = place / 64;
	u64 *bits = bpf_map_lookup_elem(&taken, &index), bit = 1ULL << place % 64, skb;

	if (!life || !bits)
		return 0;
	skb = *(volatile u64 *)&life->skb;
	if (!skb) {
		/* In this order: who takes the place meanwhile sets the bit after its address. */
		__sync_fetch_and_and(bits, ~bit);
		if (*(volatile u64 *)&life->skb)
			__sync_fetch_and_or(bits, bit);
		return 0;
	}
	if (!is_over(life))
		return 0;
	if (life->aged == 0)
		life->aged = 1;
	else if (claim_dead(life, skb))
		leave_place(life, skb);
	return 0;
}

static long collect_places(const void *map, const u32 *index, const u64 *bits, const void *nothing)
{
	u64 left = *bits;

	for (u32 i = 0; i < 64 && left; i++, left >>= 1)
		if (left & 1)
			collect_place(*index * 64 + i);
	return 0;
}

static __always_inline void collect_dead(void)
{
	if (life_counts.taken && bpf_core_enum_value_exists(enum bpf_func_id, BPF_FUNC_for_each_map_elem))
		bpf_for_each_map_elem(&taken, collect_places, NULL, 0);
}

#endif
