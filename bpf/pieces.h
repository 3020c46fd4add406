/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * pieces.h - bytes of a packet for the filters' code, wherever they lie: in the linear part, in page fragments, in the members of
 * the fragment list.
 */
#ifndef SKBSPAN_PIECES_H
#define SKBSPAN_PIECES_H

#include "config.h"
#include "skb.h"

/* In place of an skb's address: see pcap_filter(). */
#define SKB_NOT_TOLD 1
#define SEGMENTS_MAX 1024 /* pieces of a packet that are looked at */

/* Where in a packet's pieces a byte is looked for. */
struct segments {
	u64 left; /* bytes to skip from here */
	u64 skb; /* whose pieces: the packet, or a member of its fragment list */
	u64 shared; /* its skb_shared_info */
	u64 address; /* of the byte, once found */
	u32 fragment; /* next one to look at */
	u32 fragments;
	u32 is_member;
	u32 _pad;
};

static __always_inline void enter_skb(struct segments *at, const struct sk_buff *skb)
{
	const struct skb_shared_info *shared;

	shared = (void *)((u64)BPF_CORE_READ(skb, head) + BPF_CORE_READ(skb, end));
	at->skb = (u64)skb;
	at->shared = (u64)shared;
	at->fragments = BPF_CORE_READ(shared, nr_frags);
	at->fragment = 0;
}

/* Looks at one piece. 1: found, or nothing is left. */
static __attribute__((unused)) long next_segment(u32 index, void *context)
{
	struct segments *at = context;
	const struct skb_shared_info *shared = (void *)at->shared;
	const struct sk_buff *skb = (void *)at->skb;
	u32 linear;

	if (at->fragment < at->fragments) {
		struct skb_fragment fragment;
		u64 place = at->fragment++ * sizeof(fragment);

		if (bpf_probe_read_kernel(&fragment, sizeof(fragment), (void *)&shared->frags + place))
			return 1;
		if (at->left >= fragment.len) {
			at->left -= fragment.len;
			return 0;
		}
		/* Bit 0: memory of a device, which has no address. */
		if (control.page_bytes && !(fragment.page & 1))
			at->address = control.page_offset +
				      (fragment.page - control.vmemmap) / bpf_core_type_size(struct page) *
					      control.page_bytes +
				      fragment.offset + at->left;
		return 1;
	}
	skb = at->is_member ? BPF_CORE_READ(skb, next) : BPF_CORE_READ(shared, frag_list);
	if (!skb)
		return 1;
	at->is_member = 1;
	enter_skb(at, skb);
	linear = BPF_CORE_READ(skb, len) - BPF_CORE_READ(skb, data_len);
	if (at->left < linear) {
		at->address = (u64)BPF_CORE_READ(skb, data) + at->left;
		return 1;
	}
	at->left -= linear;
	return 0;
}

/*
 * `size` bytes (1, 2, 4) at `offset` of a window of which `linear` bytes lie at `start` and the rest in the fragments of `skb`,
 * as a number in host order; negative: the packet ends before, or they cannot be read. skb 0: there is no rest, SKB_NOT_TOLD: or it
 * is not asked for.
 * Only the generated code calls this.
 */
__noinline u64 read_fragments(u64 start, u64 linear, u64 skb, u64 offset, u64 size)
{
	u64 value = 0;
	u8 byte;

	for (u32 i = 0; i < 4; i++) {
		u64 place = offset + i;

		if (i >= size)
			break;
		if (place < linear) {
			if (bpf_probe_read_kernel(&byte, 1, (void *)(start + place)))
				return ~0ULL;
		} else {
#ifdef FILTER_LINEAR_ONLY
			return ~0ULL;
#else
			struct segments at = {.left = place - linear};

			if (skb <= SKB_NOT_TOLD)
				return ~0ULL;
			enter_skb(&at, (void *)skb);
			bpf_loop(SEGMENTS_MAX, next_segment, &at, 0);
			if (!at.address || bpf_probe_read_kernel(&byte, 1, (void *)at.address))
				return ~0ULL;
#endif
		}
		value = value << 8 | byte;
	}
	return value;
}

#endif
