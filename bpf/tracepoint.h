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

#include "track.h"
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

static __always_inline void on_tracepoint(u32 id, u64 skb)
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
	life = bpf_map_lookup_elem(&lives, &skb);
	if (life && skb_is_new(id, skb, life))
		address_reborn(skb);
	on_call(&probe);
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

/* A slab object goes back: only of use where it is the address of a life. */
static __always_inline void on_memory_freed(u64 object)
{
	struct life *life = control.recording ? bpf_map_lookup_elem(&lives, &object) : NULL;

	if (!life)
		return;
	die(life, object, 0, NO_PROBE, FREE_MEMORY);
	forget(object);
}

#endif
