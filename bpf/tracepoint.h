/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * tracepoint.h - what happens at the kernel's own tracepoints.
 *
 * kfree_skb and consume_skb are watched by every backend: they say how a life ended. The other ones (tracepoints.h) are the
 * milestones of the tracepoint backend. That backend sees no allocation and not every free, so it must judge by itself
 * whether an address holds another packet than before. A dying life at any milestone is a new packet. Nearly all frees tell:
 * by consume_skb, kfree_skb, or as an object of the slab. The last also when an interrupt frees while the program for it
 * runs (the kernel skips a program within itself: of TCP in bulk on loopback a few in a million were missed, and each
 * joined two segments). What a socket's reader gives back to the CPU's own cache of sk_buffs (6.18: UDP) tells nothing at
 * all. What the packet says of itself is left then:
 *
 * - skb_iif is where it arrived, and 0 in a new one. So a packet that is sent with a 0 by an address whose packet has arrived
 *   is a new one. (Tunnels set it to 0, too, but then the packet was sent to the tunnel's device before: note_place.)
 * - What is read from a unix or netlink socket is no packet.
 * - A packet that a driver hands to the stack in another data buffer than the one its address had is new. In the same one it
 *   may have come out of a tunnel; then its headers were cut off, and data begins further on than when it arrived.
 */
#ifndef SKBSPAN_TRACEPOINT_H
#define SKBSPAN_TRACEPOINT_H

#include "frame.h"
#include "detail.h"
#include "tracepoints.h"

/* Where a driver hands a packet to the stack. */
static __always_inline bool arrives(u32 id)
{
	return id == TRACEPOINT_napi_gro_receive_entry || id == TRACEPOINT_napi_gro_frags_entry ||
	       id == TRACEPOINT_netif_rx_entry;
}

/* A packet is sent where the one before it at this address was received. */
static __always_inline bool sent_anew(u32 id, const struct sk_buff *skb)
{
	return id == TRACEPOINT_net_dev_queue && !BPF_CORE_READ(skb, skb_iif);
}

/* Of a socket that uses skbs for something else than packets. */
static __always_inline bool is_message(const struct sk_buff *skb)
{
	const struct sock *sk = BPF_CORE_READ(skb, sk);

	return sk && !family_has_packets(sock_family(sk));
}

/* The alive life at this address is of an earlier packet: see above. */
static __always_inline bool skb_is_new(u32 id, const struct sk_buff *skb, const struct life *life)
{
	u64 head;

	if (life->state != LIFE_ALIVE)
		return false;
	if (id == TRACEPOINT_skb_copy_datagram_iovec)
		return is_message(skb);
	if (life->received && sent_anew(id, skb))
		return true;
	if (!arrives(id) || !life->head)
		return false;
	head = (u64)BPF_CORE_READ(skb, head);
	if (head != life->head)
		return true;
	return life->received && !BPF_CORE_READ(skb, skb_iif) &&
	       (u64)BPF_CORE_READ(skb, data) - head <= life->arrived_at;
}

/* What the life was last at decides what it may be at next. */
static __always_inline void note_place(u32 id, const struct sk_buff *skb, struct life *life)
{
	if (id == TRACEPOINT_netif_receive_skb)
		life->received = 1;
	else if (id == TRACEPOINT_net_dev_queue)
		life->received = 0;
	else if (arrives(id))
		life->arrived_at = (u64)BPF_CORE_READ(skb, data) - (u64)BPF_CORE_READ(skb, head);
}

/* The same for a packet that was refused: what comes at its address is another one. */
static __always_inline void judge_refusal(u32 id, u64 skb)
{
	u8 *received = refusals ? bpf_map_lookup_elem(&refused, &skb) : NULL;

	if (!received)
		return;
	if (id == TRACEPOINT_netif_receive_skb)
		*received = 1;
	else if (*received && sent_anew(id, (void *)skb))
		forget_refusal(skb);
}

static __always_inline void on_tracepoint(void *ctx, u32 id, u64 skb)
{
	struct life *life;
	struct probe probe = {
		.id = PROBE_TRACEPOINT | id,
		.role = ROLE_PLAIN,
		.flags = FLAG_POINT,
	};

	if (!control.recording || !skb)
		return;
	/* Read to there, not assigned: else the verifier learns of it at each comparison, and walks all that follows for either. */
	bpf_probe_read_kernel(&probe.skb, sizeof(probe.skb), &skb);
	life = life_at(probe.skb);
	if (!life)
		judge_refusal(id, skb);
	else if (skb_is_new(id, (void *)skb, life))
		address_reborn(probe.skb);
	tell_details(ctx, &probe.skb, follow_frames(&probe));
	life = life_at(probe.skb);
	if (life)
		note_place(id, (void *)skb, life);
}

/* The life at an argument of a tracepoint, whose number is *address then. Most skbs that are freed on a busy host never had one. */
static __always_inline struct life *life_of_argument(u64 skb, u64 *address)
{
	if (!control.recording || !may_live(skb))
		return NULL;
	*address = argument_of(skb);
	return life_at(*address);
}

static __always_inline void on_consumed(u64 argument, u64 location)
{
	u64 skb = argument;
	struct life *life = life_of_argument(argument, &skb);

	forget_refusal(skb);
	if (!life)
		return;
	if (!is_over(life))
		note_consumed(skb, life->state == LIFE_IGNORED ? IGNORED_TOKEN : call_token(life, 0));
	if (life->state == LIFE_IGNORED)
		forget(skb, life);
	else
		die(life, skb, real_location(life, location), NO_PROBE, FREE_CONSUMED);
}

static __always_inline void on_dropped(u64 argument, u64 location, u32 reason)
{
	u64 skb = argument;
	struct life *life = life_of_argument(argument, &skb);

	forget_refusal(skb);
	if (life && life->state == LIFE_IGNORED)
		forget(skb, life);
	else if (life && begins_to_die(life))
		emit_drop(life, skb, real_location(life, location), reason);
}

/* A global function, as those of links.h. */
__noinline int forget_freed(u64 skb)
{
	struct life *life = life_at(skb);

	forget_refusal(skb);
	if (!life)
		return 0;
	die(life, skb, 0, NO_PROBE, FREE_MEMORY);
	forget(skb, life);
	return 0;
}

static __always_inline u64 *frees_under_way(void)
{
	u32 only = 0;

	return bpf_map_lookup_elem(&freeing, &only);
}

static __always_inline void free_begins(void)
{
	u64 *under_way = frees_under_way();

	if (under_way)
		*under_way = 1;
}

static __always_inline void free_ends(void)
{
	u64 *under_way = frees_under_way();

	if (under_way)
		*under_way = 0;
}

static __always_inline bool free_is_nested(void)
{
	u64 *under_way = frees_under_way();

	return under_way && *under_way;
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
	if (life_at(next) && BPF_CORE_READ_BITFIELD_PROBED(second, fclone) == SKB_FCLONE_CLONE)
		forget_freed(next);
}

#endif
