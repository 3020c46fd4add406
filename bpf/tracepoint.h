/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * tracepoint.h - what happens at the kernel's own tracepoints.
 *
 * kfree_skb and consume_skb are watched by every backend: they say how a life ended. The other ones (tracepoints.h) are the
 * milestones of the tracepoint backend. That backend sees no allocation, so it must judge reuse by itself: besides a dying
 * life at any milestone, a packet that a driver hands to the stack (GRO or netif_rx entry) in another data buffer than the
 * one its address had is a new one.
 */
#ifndef SKBSPAN_TRACEPOINT_H
#define SKBSPAN_TRACEPOINT_H

#include "frame.h"
#include "detail.h"
#include "tracepoints.h"

/* The alive life at this address is of an earlier packet: see above. */
static __always_inline bool skb_is_new(u32 id, u64 skb, const struct life *life)
{
	const struct sk_buff *arrived = (void *)skb;

	if (id != TRACEPOINT_napi_gro_receive_entry && id != TRACEPOINT_napi_gro_frags_entry &&
	    id != TRACEPOINT_netif_rx_entry)
		return false;
	return life->state == LIFE_ALIVE && life->head && life->head != (u64)BPF_CORE_READ(arrived, head);
}

static __always_inline void on_tracepoint(void *ctx, u32 id, u64 skb)
{
	struct life *life;
	struct probe probe = {
		.id = PROBE_TRACEPOINT | id,
		.role = ROLE_PLAIN,
		.skb = skb,
		.flags = FLAG_POINT,
	};

	if (!control.recording || !skb)
		return;
	/* Read, not assigned: the argument is a typed pointer, and see_skb() may only be given a number. */
	bpf_probe_read_kernel(&probe.skb, sizeof(probe.skb), &skb);
	life = bpf_map_lookup_elem(&lives, &skb);
	if (life && skb_is_new(id, skb, life))
		address_reborn(skb);
	tell_details(ctx, &probe.skb, follow_frames(&probe));
}

static __always_inline void on_consumed(u64 skb, u64 location)
{
	struct life *life = control.recording ? bpf_map_lookup_elem(&lives, &skb) : NULL;

	if (!life)
		return;
	if (life->state == LIFE_IGNORED)
		forget(skb);
	else
		die(life, skb, real_location(life, location), NO_PROBE, FREE_CONSUMED);
}

static __always_inline void on_dropped(u64 skb, u64 location, u32 reason)
{
	struct life *life = control.recording ? bpf_map_lookup_elem(&lives, &skb) : NULL;

	if (life && life->state == LIFE_IGNORED)
		forget(skb);
	if (!life || life->state != LIFE_ALIVE)
		return;
	emit_drop(life, skb, real_location(life, location), reason);
	life->state = LIFE_DYING;
}

static __always_inline void forget_freed(u64 skb)
{
	struct life *life = bpf_map_lookup_elem(&lives, &skb);

	if (!life)
		return;
	die(life, skb, 0, NO_PROBE, FREE_MEMORY);
	forget(skb);
}

/* enum of skbuff.h: the second sk_buff of a pair. */
#define SKB_FCLONE_CLONE 2

/*
 * A slab object goes back: only of use where it is the address of a life. TCP allocates pairs (struct sk_buff_fclones):
 * the second sk_buff, which is the one that is sent, goes back with the first. That it is a second one keeps the neighbour
 * of some other object out.
 */
static __always_inline void on_memory_freed(u64 object)
{
	u64 next = object + bpf_core_type_size(struct sk_buff);
	const struct sk_buff *second = (void *)next;

	if (!control.recording)
		return;
	forget_freed(object);
	if (bpf_map_lookup_elem(&lives, &next) && BPF_CORE_READ_BITFIELD_PROBED(second, fclone) == SKB_FCLONE_CLONE)
		forget_freed(next);
}

#endif
