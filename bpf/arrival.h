/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * arrival.h - an XDP program begins on a frame that is in no skb: the frame is described as the skb that would be built from it, so
 * that filters can be asked, gets a life, and the call is recorded. Only programs.bpf.c has such calls; how a frame is found again is in
 * frame.h.
 */
#ifndef SKBSPAN_ARRIVAL_H
#define SKBSPAN_ARRIVAL_H

#include "frame.h"

/* An XDP program begins on a frame that is in no skb. */
struct arrival {
	u64 data;
	u64 place;
	u32 len;
	u32 linear; /* of that in the first buffer */
	u32 probe;
	u32 _pad;
	u64 content; /* hash, if there is a frame at this address (the stack is too small to do it in on_frame) */
	struct net_device *dev;
};

static __always_inline void set_field(struct skb_copy *skb, u64 at, u64 bytes, u64 value)
{
	/* As in SKB_FIELD. */
	at -= bpf_core_field_offset(struct sk_buff, len);
	asm volatile("" : "+r"(at));
	if (bytes == 8)
		*(u64 *)(skb->window + at) = value;
	else if (bytes == 4)
		*(u32 *)(skb->window + at) = value;
	else
		*(u16 *)(skb->window + at) = value;
}

#define SET_SKB_FIELD(copy, bytes, member, value)                                                                      \
	set_field(copy, bpf_core_field_offset(struct sk_buff, member), bytes, value)

#define VLAN_BYTES 4

/* The frame as the skb that would be built from it, for the filters and the packet record. */
static __always_inline void describe(struct skb_copy *skb, const struct arrival *arrival)
{
	u64 data = arrival->data;
	u32 network = ETHERNET_BYTES, transport = OFFSET_NONE;
	u16 protocol = 0;
	u8 first = 0;

	__builtin_memset(skb, 0, sizeof(*skb));
	bpf_probe_read_kernel(&protocol, sizeof(protocol), (void *)(data + network - 2));
	if (protocol == be16_to_host(0x8100) || protocol == be16_to_host(0x88a8)) {
		network += VLAN_BYTES;
		bpf_probe_read_kernel(&protocol, sizeof(protocol), (void *)(data + network - 2));
	}
	bpf_probe_read_kernel(&first, sizeof(first), (void *)(data + network));
	if (protocol == be16_to_host(ETH_P_IP))
		transport = network + (first & 15) * 4;
	else if (protocol == be16_to_host(ETH_P_IPV6))
		transport = network + 40;
	skb->dev = (u64)arrival->dev;
	SET_SKB_FIELD(skb, 8, head, data);
	SET_SKB_FIELD(skb, 8, data, data);
	SET_SKB_FIELD(skb, 4, tail, arrival->linear);
	SET_SKB_FIELD(skb, 4, len, arrival->len);
	SET_SKB_FIELD(skb, 4, data_len, arrival->len - arrival->linear);
	SET_SKB_FIELD(skb, 2, protocol, protocol);
	SET_SKB_FIELD(skb, 2, network_header, network);
	SET_SKB_FIELD(skb, 2, transport_header, transport);
}

/* A new frame: what its life begins as; not on the stack. */
static const struct frame new_frame = {.life = {.first = 1}};

/* As on_call in track.h, for a frame. Asks its questions the same way. */
static __noinline u64 on_frame(const struct arrival *arrival, struct question *question)
{
	u64 data = arrival->data;
	struct skb_copy skb;
	struct frame *frame;
	struct enter_event *event;
	struct life *life;
	u32 seq;
	u8 flags = 0;

	describe(&skb, arrival);
	frame = bpf_map_lookup_elem(&frames, &data);
	if (frame && !same_packet(frame, arrival->content, arrival->len)) {
		end_frame(frame, data, 0, FREE_REUSED);
		frame = NULL;
	}
	if (!frame) {
		/* No skb yet that an expression could be about. */
		if (config.filters & FILTER_EXPRESSION || wanted(&skb, 0, data, 0, question) != VERDICT_YES)
			return 0;
		if (bpf_map_update_elem(&frames, &data, &new_frame, BPF_ANY)) {
			count(COUNT_LOST_LIVES_FULL);
			return 0;
		}
		frame = bpf_map_lookup_elem(&frames, &data);
		if (!frame)
			return 0;
	}
	life = &frame->life;
	if (frame->token == IGNORED_TOKEN)
		return 0;
	if (!life->id)
		begin_frame_life(frame, data, arrival->probe);
	frame->len = 0;
	frame->skb = 0;
	locate(life, skb.dev, NULL);
	tell_task(life, bpf_get_current_pid_tgid());
	if (life->parent)
		flags |= FLAG_LINKED;
	if (life->first) {
		flags |= FLAG_FIRST;
		emit_packet(life, 0, &skb, 0, arrival->probe, flags);
		flags &= ~FLAG_FIRST;
		is_renamed(life, &skb, SKB_FIELD(&skb, u64, head));
	}
	life->first = 0;

	seq = next_seq(life);
	event = reserve(sizeof(*event));
	if (!event)
		return 0;
	fill_header(&event->header, EVENT_ENTER, life->id, seq, arrival->probe, flags);
	event->skb = data;
	event->frame = arrival->place;
	event->netns = life->netns;
	event->ifindex = life->ifindex;
	event->len = arrival->len;
	event->mark = 0;
	event->protocol = be16_to_host(SKB_FIELD(&skb, u16, protocol));
	event->_pad0 = 0;
	event->details = 0;
	submit(event);
	return call_token(life, seq);
}

/* As follow(). */
static __always_inline u64 follow_frame(const struct arrival *arrival)
{
	struct question question = {};
	u64 token = on_frame(arrival, &question), stage = STAGE_NONE, no_skb = 0;

	for (u32 asked = 0; asked < config.questions && question.stage != stage; asked++) {
		if (!answer(&question, &no_skb))
			return 0;
		stage = question.stage;
		token = on_frame(arrival, &question);
	}
	return token;
}

#define XDP_FLAGS_HAS_FRAGS 1
#define CACHE_LINE_BYTES 64

/* Bytes of a packet: what is in the first buffer, and in its other ones (5.18+), which are counted behind the first. */
static __always_inline u32 frame_length(const struct xdp_buff *xdp, u32 linear)
{
	u64 info, bytes = (bpf_core_type_size(struct skb_shared_info) + CACHE_LINE_BYTES - 1) & -CACHE_LINE_BYTES;
	const struct skb_shared_info *shared;

	if (!bpf_core_field_exists(struct xdp_buff, flags) || !(BPF_CORE_READ(xdp, flags) & XDP_FLAGS_HAS_FRAGS))
		return linear;
	info = (u64)BPF_CORE_READ(xdp, data_hard_start) + BPF_CORE_READ(xdp, frame_sz) - bytes;
	shared = (void *)info;
	return linear + BPF_CORE_READ(shared, xdp_frags_size);
}

/* Is this the copy of the skb that was just freed (frame.h, 4)? Then it is noted as its child. */
static __noinline int find_original(struct arrival *arrival)
{
	u64 data = arrival->data;
	struct consumed *last;
	struct frame *frame;
	u32 slot = 0;

	last = bpf_map_lookup_elem(&consumed, &slot);
	if (!last || !last->token || last->dev != (u64)arrival->dev || last->len != arrival->len)
		return 0;
	if (last->bytes < FRAME_BYTES_MIN || last->bytes > arrival->linear ||
	    last->content != content_hash(data, last->bytes))
		return 0;
	frame = bpf_map_lookup_elem(&frames, &data);
	if (frame)
		end_frame(frame, data, 0, FREE_REUSED);
	if (bpf_map_update_elem(&frames, &data, &new_frame, BPF_ANY)) {
		count(COUNT_LOST_LINKS);
		return 0;
	}
	frame = bpf_map_lookup_elem(&frames, &data);
	if (!frame)
		return 0;
	arrival->content = content_hash(data, arrival->linear);
	frame->content = arrival->content;
	frame->len = arrival->len;
	frame->operation = LINK_COPY;
	frame->token = last->token;
	last->token = 0;
	return 0;
}

#endif
