/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * verdict.h - what an XDP program's verdict means for a frame: it goes on, it ends, or the kernel was to send it elsewhere and could not.
 */
#ifndef SKBSPAN_VERDICT_H
#define SKBSPAN_VERDICT_H

#include "arrival.h"

#define REASON_VERDICT 0xfffffffe
#define REASON_REDIRECT 0xfffffffd

/* enum xdp_action, include/uapi/linux/bpf.h */
#define XDP_PASS 2
#define XDP_TX 3
#define XDP_REDIRECT 4

/* A running program. */
struct program_call {
	u64 token; /* 0: the packet is not followed */
	u64 skb; /* XDP: the skb whose buffer it looks at, 0: none */
	u64 data; /* XDP: key of the frame, if there is no skb */
};

/*
 * The last packet that a program sent elsewhere on this CPU. What sends it there runs right after the program, before any other one,
 * and says by a tracepoint that it could not: of which frame, only this tells.
 */
struct redirected {
	u64 token; /* of the program's call; 0: none since a program ran */
	u64 data; /* key of the frame */
	u64 dev; /* that it came in by */
	u32 probe;
	u32 _pad;
};

/* Owner: on_verdict(); forgotten whenever a program ends, and by on_redirect_error(). */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct redirected);
} redirected SEC(".maps");

static __always_inline struct redirected *last_redirected(void)
{
	u32 slot = 0;

	return bpf_map_lookup_elem(&redirected, &slot);
}

/* A program has come to its end: what the one before it redirected has gone. */
static __always_inline void forget_redirected(void)
{
	struct redirected *last = last_redirected();

	if (last)
		last->token = 0;
}

static __always_inline void note_redirected(const struct program_call *call, const struct xdp_buff *xdp, u32 probe)
{
	struct redirected *last = last_redirected();

	if (!last)
		return;
	last->token = call->token;
	last->data = (u64)BPF_CORE_READ(xdp, data);
	last->dev = (u64)BPF_CORE_READ(xdp, rxq, dev);
	last->probe = probe;
}

/* The verdict sends the packet on: notes what it looks like now. `call` says from where. */
static __noinline void send_on(const struct program_call *call, const struct xdp_buff *xdp)
{
	u64 before = call->data, data = (u64)BPF_CORE_READ(xdp, data);
	u32 linear = (u64)BPF_CORE_READ(xdp, data_end) - data;
	struct frame *frame = before ? bpf_map_lookup_elem(&frames, &before) : NULL;

	/* The program moved the packet's beginning, or took it out of an skb. */
	if (before != data) {
		if (bpf_map_update_elem(&frames, &data, frame ? frame : &new_frame, BPF_ANY)) {
			count(COUNT_LOST_LINKS);
			return;
		}
		if (frame)
			bpf_map_delete_elem(&frames, &before);
		frame = bpf_map_lookup_elem(&frames, &data);
	}
	if (!frame)
		return;
	frame->token = call->token;
	frame->skb = call->skb;
	frame->content = content_hash(data, linear);
	frame->len = frame_length(xdp, linear);
	frame->operation = LINK_XDP;
}

/* The end of a frame, which has no kfree_skb: by a verdict, or because the redirect failed (then `detail` is the error). */
static __noinline void drop_frame(u64 data, u32 probe, u32 reason, u32 detail)
{
	struct frame *frame = bpf_map_lookup_elem(&frames, &data);
	struct drop_event *event;
	u32 seq;

	if (!frame)
		return;
	seq = next_seq(&frame->life);
	event = reserve(sizeof(*event));
	if (event) {
		fill_header(&event->header, EVENT_DROP, frame->life.id, seq, probe, 0);
		event->location = 0;
		event->skb = data;
		event->reason = reason;
		event->verdict = detail;
		submit(event);
	}
	bpf_map_delete_elem(&frames, &data);
}

/* A program has decided. `call` is on a packet that is followed. */
static __always_inline void on_verdict(const struct program_call *call, const struct xdp_buff *xdp, u32 probe,
				       u32 verdict)
{
	bool leaves = verdict == XDP_TX || verdict == XDP_REDIRECT;

	if (leaves || (!call->skb && verdict == XDP_PASS))
		send_on(call, xdp);
	else if (!call->skb)
		drop_frame(call->data, probe, REASON_VERDICT, verdict);
	if (verdict == XDP_REDIRECT)
		note_redirected(call, xdp, probe);
}

/* What a program wanted to send elsewhere does not go there. `error` is negative. */
static __noinline int refuse_frame(const struct redirected *last, int error)
{
	u64 data = last->data, token = last->token, skb;
	struct frame *frame = bpf_map_lookup_elem(&frames, &data);
	struct life *life;

	if (!frame || frame->token != token) {
		/* Pushed out of the map, or it never got in. */
		count(COUNT_LOST_LINKS);
		return 0;
	}
	skb = frame->skb;
	life = skb ? life_at(skb) : NULL;
	/* Generic XDP still has the skb, and kfree_skb will tell of it. */
	if (token == IGNORED_TOKEN || (life && life->state == LIFE_ALIVE && life->id == token >> 16)) {
		bpf_map_delete_elem(&frames, &data);
		return 0;
	}
	if (!frame->life.id)
		begin_frame_life(frame, data, last->probe);
	drop_frame(data, last->probe, REASON_REDIRECT, -error);
	return 0;
}

/* A packet that came in by `dev` could not be sent where the program that ran last on this CPU wanted it. */
static __always_inline int on_redirect_error(u64 dev, int error)
{
	struct redirected *last = last_redirected();

	if (!control.recording || !last || !last->token || last->dev != dev)
		return 0;
	refuse_frame(last, error);
	last->token = 0;
	return 0;
}

#endif
