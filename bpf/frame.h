/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * frame.h - one packet as an XDP frame and as an sk_buff.
 *
 * XDP programs see an xdp_buff, which lives on the stack and says nothing but where the bytes are. So the bytes are what joins:
 *
 * 1. An skb that XDP looks at (veth's native XDP, generic XDP). The buffer begins where skb->head points to. `heads` says which
 *    followed skb had that head, and is believed only if that skb is alive and has it still. Then the program's call is one
 *    more call on this skb.
 * 2. A frame without an skb (a driver's ring, what XDP_TX and XDP_REDIRECT send on) has a life of its own, kept in `frames` by
 *    the address of the packet's first byte. When a program is done with it, its length and a hash over its first bytes are
 *    noted, because buffers are used again within microseconds. Nothing writes to a packet between two stations. So whoever
 *    comes next with the same address, length and bytes has the same packet: another XDP program goes on with the life; an
 *    skb that is built from the frame is its child (LINK_XDP). Anything else at that address is another packet.
 * 3. A frame that a program took out of an skb (XDP_TX and XDP_REDIRECT on veth; the skb is freed) is noted the same way, and
 *    gets a life, child of the skb's, when it is seen next.
 * 4. veth copies nearly every skb for XDP, frees it, and runs the program on the copy, in one go. Where the function that copies
 *    is not watched (backend tracepoint), the skb that this CPU freed last is noted: device, length, and the same hash. A
 *    frame that equals it in all of these is its copy, and a life of its own, child of the skb's.
 *
 * All lengths are those of the whole packet; what is compared are the first bytes of the first buffer. So a frame in several
 * buffers (xdp.frags) is no other case.
 *
 * An skb that is built from a frame must be seen while its bytes are where they were, whatever functions the user asked for:
 * eth_type_trans(), which drivers, veth and cpumap all call then, is always watched (ROLE_ARRIVAL).
 *
 * A frame's life ends when an skb is built from it, by a verdict (verdict.h), or when the frame is returned.
 *
 * Accepted to be wrong: a driver that copies the packet into a new buffer for its skb begins a path of its own with it. A frame
 * that left by a device, where no function is probed, has no end: its path is handed out when it is idle. An equal
 * packet (same first 64 bytes and length) in the same buffer, where the first one's end was not seen, is taken for that one.
 */
#ifndef SKBSPAN_FRAME_H
#define SKBSPAN_FRAME_H

#include "links.h"
#include "follow.h"

#define HEADS_MAX 32768
#define FRAMES_MAX 8192
#define FRAME_BYTES 64 /* that are compared */
#define FRAME_BYTES_MIN 42 /* of a copy: fewer say too little (ARP is that long) */

/* Key: skb->head. Value: address of the skb. Owner: see_skb(). LRU: nobody deletes, and nobody believes it unchecked. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, HEADS_MAX);
	__type(key, u64);
	__type(value, u64);
} heads SEC(".maps");

/*
 * The followed skb that each CPU saw last: generic XDP gives an skb a new buffer right before it runs the program. As little
 * believed as `heads`. Owner: see_skb().
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} latest SEC(".maps");

struct frame {
	struct life life; /* id 0: none yet (3 above) */
	u64 token; /* the XDP call that sent it on */
	u64 skb; /* the skb it was taken out of, 0: none */
	u64 content; /* hash of the first bytes when it was sent on */
	u32 len; /* and its length; 0: a program runs on it now */
	u32 operation; /* how it came from that call: enum link_operation */
};

/*
 * Key: address of the packet's first byte. Owner: programs.bpf.c begins them, see_skb() and end_frame() delete. LRU, because the
 * end of a frame that leaves by a device is not always seen.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FRAMES_MAX);
	__type(key, u64);
	__type(value, struct frame);
} frames SEC(".maps");

/* The skb that each CPU freed last, if it had its Ethernet header before it. Owner: note_consumed(). */
struct consumed {
	u64 token; /* of its life, no call; 0: it was not followed, or its copy was found */
	u64 dev;
	u64 content; /* hash of the first `bytes` */
	u32 len;
	u32 bytes;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct consumed);
} consumed SEC(".maps");

/* Is `found` the address of a followed (or ignored) skb that has this buffer? Then that address, else 0. */
static __always_inline u64 owner_of(u64 *found, u64 head)
{
	u64 address = found ? *found : 0;
	struct life *life = life_at(address);
	const struct sk_buff *skb = (void *)address;

	if (!life || is_over(life) || (u64)BPF_CORE_READ(skb, head) != head)
		return 0;
	return address;
}

/* The skb that has this buffer, 0: none that is followed. */
static __always_inline u64 skb_of_buffer(u64 head)
{
	u64 address = owner_of(bpf_map_lookup_elem(&heads, &head), head);
	u32 slot = 0;

	return address ? address : owner_of(bpf_map_lookup_elem(&latest, &slot), head);
}

static __always_inline void note_head(u64 address)
{
	const struct sk_buff *skb = (void *)address;
	u64 head = (u64)BPF_CORE_READ(skb, head), *known = bpf_map_lookup_elem(&heads, &head);

	if (head && (!known || *known != address))
		bpf_map_update_elem(&heads, &head, &address, BPF_ANY);
}

/* Hash over the first bytes of a packet, of which `linear` stand at `data`; 0: they cannot be read. */
__noinline u64 content_hash(u64 data, u32 linear)
{
	u64 words[FRAME_BYTES / 8] = {}, hash, bytes = linear;

	if (bytes >= FRAME_BYTES)
		bytes = FRAME_BYTES;
	else
		/* Says again what is known, in the register that is used: older verifiers forget it in a copy. */
		asm volatile("%0 &= 63" : "+r"(bytes));
	hash = bytes;
	if (!bytes || bpf_probe_read_kernel(words, bytes, (void *)data))
		return 0;
	for (u32 i = 0; i < FRAME_BYTES / 8; i++)
		hash = mix(hash, words[i]);
	return hash | 1;
}

/* Is this the packet that was sent on in `frame`? */
static __always_inline bool same_packet(const struct frame *frame, u64 content, u32 len)
{
	u64 skb = frame->skb;
	struct life *life;

	if (!len || frame->len != len || frame->content != content)
		return false;
	/* Generic XDP sends the skb itself on: as long as it is alive, nobody else has its buffer. */
	if (!skb)
		return true;
	life = life_at(skb);
	return !life || life->state != LIFE_ALIVE || life->id != frame->token >> 16;
}

/* One that was sent on gets its life when it is heard of again: child of the call that sent it. */
static __always_inline void begin_frame_life(struct frame *frame, u64 data, u32 probe)
{
	struct life *life = &frame->life;

	life->id = mint_life();
	life->first = 1;
	count(COUNT_LIVES);
	if (!frame->token)
		return;
	life->parent = frame->token >> 16;
	emit_link(life, data, life->parent, frame->token, probe, frame->operation, FLAG_LINKED);
}

/* The frame is no more. */
static __always_inline void end_frame(struct frame *frame, u64 data, u64 location, u8 how)
{
	if (frame->life.id) {
		if (how == FREE_REUSED)
			count(COUNT_REUSED);
		emit_free(&frame->life, data, location, NO_PROBE, how);
	}
	bpf_map_delete_elem(&frames, &data);
}

/* xdp_return_frame(frame) and its siblings: sent, or given up. */
static __always_inline void on_frame_returned(u64 address, u64 location)
{
	const struct xdp_frame *returned = (void *)address;
	u64 data;
	struct frame *frame;

	if (!control.frames)
		return;
	data = (u64)BPF_CORE_READ(returned, data);
	frame = bpf_map_lookup_elem(&frames, &data);
	if (frame)
		end_frame(frame, data, location, FREE_RELEASED);
}

/*
 * An skb is seen. One that is followed: its head is noted. One that is not: is it built from a frame? Then its life begins as that
 * frame's child. 0: it is not followed yet. Nothing to do as long as no XDP program is watched, and when an skb is freed.
 *
 * A global function that is called in any case: so the verifier looks at it by itself, and walks on_call once, not once for
 * each way out of here.
 */
__noinline u32 see_skb(u64 address, u32 probe, u32 role)
{
	const struct sk_buff *skb = (void *)address;
	u64 head, data, end, *last;
	struct frame *frame;
	struct life *life;
	u32 slot = 0, len;
	u16 mac;

	if (!control.frames || tears_down(role))
		return 1;
	life = life_at(address);
	if (life && !is_over(life)) {
		last = bpf_map_lookup_elem(&latest, &slot);
		if (last)
			*last = address;
		note_head(address);
		return 1;
	}
	head = (u64)BPF_CORE_READ(skb, head);
	data = (u64)BPF_CORE_READ(skb, data);
	end = head + BPF_CORE_READ(skb, tail);
	mac = BPF_CORE_READ(skb, mac_header);
	if (mac != OFFSET_NONE && head + mac < data)
		data = head + mac;
	len = end - data + BPF_CORE_READ(skb, data_len);
	frame = bpf_map_lookup_elem(&frames, &data);
	if (!frame || !same_packet(frame, content_hash(data, end - data), len))
		return 0;
	adopt(address, frame->token, probe, LINK_XDP);
	note_head(address);
	end_frame(frame, data, 0, FREE_CONSUMED);
	return 1;
}

/* XDP may look at a copy before any function does (veth). A function apart: the stack of those that call it is full. */
__noinline u32 see_copy(u64 address)
{
	if (control.frames)
		note_head(address);
	return 0;
}

/* The last reference to an skb is gone: is it one that XDP is about to see as a copy? */
static __always_inline void note_consumed(u64 address, u64 token)
{
	const struct sk_buff *skb = (void *)address;
	struct consumed *last;
	u64 head, data;
	u32 slot = 0;

	if (control.frames != FRAMES_COPIED)
		return;
	last = bpf_map_lookup_elem(&consumed, &slot);
	if (!last)
		return;
	last->token = 0;
	head = (u64)BPF_CORE_READ(skb, head);
	data = (u64)BPF_CORE_READ(skb, data);
	if (head + BPF_CORE_READ(skb, mac_header) != data)
		return;
	last->dev = (u64)BPF_CORE_READ(skb, dev);
	last->len = BPF_CORE_READ(skb, len);
	last->bytes = head + BPF_CORE_READ(skb, tail) - data;
	if (last->bytes > FRAME_BYTES)
		last->bytes = FRAME_BYTES;
	last->content = content_hash(data, last->bytes);
	last->token = token;
}

/* follow(), for an skb that may have been a frame, or may become one. */
static __always_inline u64 follow_frames(const struct probe *probe)
{
	u32 is_known = see_skb(probe->skb, probe->id, probe->role);
	u64 token = follow(probe);

	if (!is_known)
		see_skb(probe->skb, probe->id, probe->role);
	return token;
}

#endif
