/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * glance.h - the short way for most calls while there is a pcap filter: those on packets that nobody follows and that the filter does
 * not choose. To find that out takes four members of the skb, where its packet begins, and the generated code.
 *
 * A glance says no only where follow.h would, and never yes: whatever is not certain (the packet matches, or what the code looks for
 * lies in a fragment) goes the long way, and is asked again there. So nothing is decided here that is not decided there, and no other
 * filter need be looked at: all must hold.
 */
#ifndef SKBSPAN_GLANCE_H
#define SKBSPAN_GLANCE_H

#include "cookie.h"
#include "follow.h"

/* Where the packet begins in an skb. */
struct places {
	u64 head;
	u32 tail;
	u16 network;
	u16 mac;
	u16 protocol;
};

/*
 * Older kernels: what is copied is from `protocol` to `head`, a third of what on_call() needs. The copy begins at a multiple of eight
 * bytes, for the stack must be read aligned.
 */
#define PLACES_BYTES 40

/* As in SKB_FIELD. */
#define PLACE(copy, first, type, member)                                                                               \
	({                                                                                                             \
		u64 at = bpf_core_field_offset(struct sk_buff, member) - (first);                                      \
		asm volatile("" : "+r"(at));                                                                           \
		*(type *)((copy) + at);                                                                                \
	})

/* False: not readable, so no skb. */
static __always_inline bool read_places(u64 skb, struct places *places)
{
	u64 first = bpf_core_field_offset(struct sk_buff, protocol) & ~7ULL;
	u64 size = bpf_core_field_offset(struct sk_buff, head) + sizeof(void *) - first;
	u8 copy[PLACES_BYTES] __attribute__((aligned(8)));

	if (SKB_DIRECT) {
		const struct sk_buff *original = SEEN_AS(struct sk_buff, skb);

		places->head = number_from((u64)original->head);
		places->tail = original->tail;
		places->network = original->network_header;
		places->mac = original->mac_header;
		places->protocol = original->protocol;
		return places->head;
	}
	asm volatile("" : "+r"(first));
	if (size > sizeof(copy))
		size = sizeof(copy);
	if (bpf_probe_read_kernel(copy, size, (void *)(skb + first)))
		return false;
	places->head = PLACE(copy, first, u64, head);
	places->tail = PLACE(copy, first, u32, tail);
	places->network = PLACE(copy, first, u16, network_header);
	places->mac = PLACE(copy, first, u16, mac_header);
	places->protocol = PLACE(copy, first, u16, protocol);
	return places->head;
}

/* Where the generated code is to look; enum filter_window says how. */
struct view {
	u64 start;
	u64 linear; /* eight bytes wide: see struct question */
};

/* In place of a window. */
#define NO_WINDOW 0x80 /* not a packet yet: no match */
#define NOT_READABLE 0x81

/* From where on the filter looks at this skb: ask_packet() in filter.h tells the same of a whole copy. */
static __noinline __maybe_unused u32 find_view(u64 skb, struct view *view)
{
	u32 network, mac, tail, start, window = WINDOW_LINK;
	struct places places;

	if (!read_places(skb, &places))
		return NOT_READABLE;
	tail = places.tail;
	network = network_place(places.network, tail);
	mac = places.mac;
	start = mac;
	if (!precedes(mac, network, tail))
		window = WINDOW_NETWORK;
	else if (config.glance & GLANCE_EITHER && network == mac + ETHERNET_BYTES)
		window = WINDOW_EITHER;
	else if (!is_on_ethernet(WORD_OF(struct sk_buff, skb, dev)))
		window = WINDOW_NETWORK;
	if (window == WINDOW_NETWORK) {
		if (!network || !may_be_ip(places.protocol))
			return NO_WINDOW;
		start = network;
	}
	view->start = places.head + start;
	view->linear = tail - start;
	return window;
}

/* Is it certain that the filter does not choose this skb? */
static __always_inline bool is_foreign(u64 skb)
{
	struct view view;
	u32 window;

	if (!(config.filters & FILTER_PCAP) || !config.glance)
		return false;
	window = find_view(skb, &view);
	if (window < NO_WINDOW)
		return pcap_filter(view.start, view.linear, 0, SKB_NOT_TOLD, window) == PCAP_NO;
	return window == NO_WINDOW;
}

/*
 * Is there nothing to do at a call on an skb that has no life, by what is in the function's cookie alone or with a glance? Roles that
 * relate an skb to others have more to do.
 */
static __always_inline bool passes_by(u64 skb, u64 cookie)
{
	u32 role = cookie_role(cookie);

	if (role > ROLE_CLONE)
		return false;
	return cookie_silent(cookie) || tears_down(role) || is_foreign(skb);
}

#endif
