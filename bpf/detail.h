/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * detail.h - what the user wants to be told of each call besides: stack, tunnel, members of the skb. Each part is a record of
 * its own after the call's; the enter record announces them, so a part that finds no space is missed by name.
 *
 * All of it stands outside of on_call (track.h), whose stack is full. Nothing here is loaded unless it is asked for.
 */
#ifndef SKBSPAN_DETAIL_H
#define SKBSPAN_DETAIL_H

#include "track.h"

#define TUNNEL_BYTES 64 /* an IPv6 header and the ports behind it */

static __always_inline void fill_detail(struct detail_event *event, u64 token, u32 part, u32 bytes)
{
	fill_header(&event->header, EVENT_DETAIL, token >> 16, token & 0xffff, NO_PROBE, 0);
	event->part = part;
	event->bytes = bytes;
}

/* A part that is `bytes` of memory; `room` is known to the verifier. */
/* In a register of its own: 6.1's verifier does not see a bound that the compiler tests on a copy. */
static __always_inline u64 at_most(u64 bytes, u64 most)
{
	asm volatile("" : "+r"(bytes));
	return bytes > most ? most : bytes;
}

static __always_inline void emit_memory(u64 token, u32 part, u64 from, u64 bytes, u32 room)
{
	struct detail_event *event = reserve(sizeof(*event) + room);

	if (!event)
		return;
	bytes = at_most(bytes, room);
	if (!from || bpf_probe_read_kernel(event->data, bytes, (void *)from))
		bytes = 0;
	fill_detail(event, token, part, bytes);
	submit(event);
}

static __always_inline void emit_stack(void *ctx, u64 token)
{
	struct detail_event *event = reserve(sizeof(*event) + config.stack_bytes);
	long bytes;

	if (!event)
		return;
	bytes = bpf_get_stack(ctx, event->data, config.stack_bytes, 0);
	fill_detail(event, token, DETAIL_STACK, bytes < 0 ? 0 : bytes);
	submit(event);
}

/*
 * skb->encapsulation does not tell: a tunnel clears it again when there is nothing to offload. But as long as the packet is in
 * a tunnel, its inner header stands behind the one of the network.
 */
static __always_inline void emit_tunnel(u64 token, u64 address)
{
	const struct sk_buff *skb = (void *)address;
	u32 network = BPF_CORE_READ(skb, network_header), tail = BPF_CORE_READ(skb, tail);
	u32 inner = BPF_CORE_READ(skb, inner_network_header);
	u64 head = (u64)BPF_CORE_READ(skb, head);

	if (inner <= network || inner >= tail)
		head = 0;
	emit_memory(token, DETAIL_TUNNEL, head ? head + inner : 0, tail - inner, TUNNEL_BYTES);
}

/*
 * The value of expression `index` over the skb, or, with EXPRESSION_READABLE, whether it can be read. The body is put in by
 * src/filter/, as that of skb_filter().
 */
#define EXPRESSION_READABLE 0x80

__noinline u64 skb_value(u64 skb, u32 index)
{
	u64 value = 0;

	asm volatile("" : "+r"(value) : "r"(skb), "r"(index));
	return value;
}

static __always_inline void emit_values(u64 token, u64 skb)
{
	struct detail_event *event = reserve(sizeof(*event) + (1 + DETAIL_VALUES_MAX) * sizeof(u64));
	u64 *values, readable = 0;

	if (!event)
		return;
	values = (u64 *)event->data;
	for (u32 i = 0; i < DETAIL_VALUES_MAX; i++) {
		u64 value = 0;

		if (i < config.values) {
			value = skb_value(skb, i);
			if (value || skb_value(skb, i | EXPRESSION_READABLE))
				readable |= 1 << i;
		}
		values[1 + i] = value;
	}
	values[0] = readable;
	fill_detail(event, token, DETAIL_VALUES, (1 + config.values) * sizeof(u64));
	submit(event);
}

/* All that is asked for of the call `token`; `address` is where the skb's address stands (see answer() in filter.h). */
static __noinline int emit_details(void *ctx, const u64 *address, u64 token)
{
	const struct sk_buff *skb;
	u64 at = 0;

	if (bpf_probe_read_kernel(&at, sizeof(at), address))
		return 0;
	skb = (void *)at;
	if (config.details & DETAIL_STACK)
		emit_stack(ctx, token);
	if (config.details & DETAIL_TUNNEL)
		emit_tunnel(token, at);
	if (config.details & DETAIL_VALUES)
		emit_values(token, at);
	if (config.details & DETAIL_CB)
		emit_memory(token, DETAIL_CB, (u64)&skb->cb, sizeof(skb->cb), sizeof(skb->cb));
	if (config.details & DETAIL_SKB)
		emit_memory(token, DETAIL_SKB, at, config.skb_bytes, config.skb_bytes);
	if (config.details & DETAIL_SHARED)
		emit_memory(token, DETAIL_SHARED, (u64)BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end),
			    config.shared_bytes, config.shared_bytes);
	return 0;
}

static __always_inline void tell_details(void *ctx, const u64 *address, u64 token)
{
	if (config.details && token && token != IGNORED_TOKEN)
		emit_details(ctx, address, token);
}

#endif
