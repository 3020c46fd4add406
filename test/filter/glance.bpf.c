// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * Asks a filter twice about the same skb, at length as follow.h does and with a glance (bpf/glance.h): what test/filter/glance.ts
 * compares. The skb and its device are made up, so that there is one for every place where headers may stand.
 */
#include "../../bpf/core.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

/* Settled when it is loaded, so that one object asks in both ways. */
const volatile u32 direct SEC(".rodata.direct");
#define SKB_DIRECT direct

#include "../../bpf/event.h"
#include "../../bpf/config.h"
#include "../../bpf/glance.h"
#include "packet-table.bpf.h"

#define SHARED_AT 1400 /* zeros: no fragments */
#define HEADROOM 32 /* the packets' bytes begin so far behind skb->head */
#define NO_DEVICE 0xffff

#define CHOSEN 1
#define FOREIGN 2
#define BROKEN 4

struct fake {
	u8 skb[1024];
	u8 dev[4096];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct fake);
} fakes SEC(".maps");

struct layout {
	u64 mac;
	u64 network;
	u64 protocol; /* as in the skb */
	u64 device; /* its type */
};

u8 answers[PACKETS_MAX] SEC(".data.answers");

#define PUT(base, type, struct_name, member, value)                                                                    \
	({                                                                                                             \
		u64 at = bpf_core_field_offset(struct struct_name, member);                                            \
		asm volatile("" : "+r"(at));                                                                           \
		*(type *)((base) + at) = (value);                                                                      \
	})

static u64 address_of(const void *object)
{
	u64 address = 0;

	bpf_probe_read_kernel(&address, sizeof(address), &object);
	return address;
}

static __noinline bool matches_at_length(u64 address)
{
	struct probe probe = {.skb = address, .unborn = 1};
	struct question question = {};

	return first_look(&probe, &question) == VERDICT_ASK && answer(&question, &probe.skb);
}

static long ask_one(u32 index, void *context)
{
	const struct layout *layout = context;
	u32 key = index, zero = 0, place = index;
	struct packet *packet = bpf_map_lookup_elem(&packets, &key);
	struct fake *fake = bpf_map_lookup_elem(&fakes, &zero);
	u64 head, address;

	asm volatile("" : "+r"(place));
	if (!packet || !fake || place >= PACKETS_MAX)
		return 1;
	answers[place] = BROKEN;
	head = address_of(&packet->bytes) - HEADROOM;
	PUT(fake->dev, u16, net_device, type, layout->device);
	PUT(fake->skb, u64, sk_buff, dev, layout->device == NO_DEVICE ? 0 : address_of(&fake->dev));
	PUT(fake->skb, u64, sk_buff, head, head);
	PUT(fake->skb, u64, sk_buff, data, head + HEADROOM);
	PUT(fake->skb, u32, sk_buff, tail, HEADROOM + packet->linear);
	PUT(fake->skb, u32, sk_buff, end, HEADROOM + SHARED_AT);
	PUT(fake->skb, u32, sk_buff, len, packet->length);
	PUT(fake->skb, u32, sk_buff, data_len, packet->length - packet->linear);
	PUT(fake->skb, u16, sk_buff, mac_header, layout->mac);
	PUT(fake->skb, u16, sk_buff, network_header, layout->network);
	PUT(fake->skb, u16, sk_buff, protocol, layout->protocol);
	address = address_of(&fake->skb);
	answers[place] = (matches_at_length(address) ? CHOSEN : 0) | (is_foreign(address) ? FOREIGN : 0);
	return 0;
}

/* Arguments: number of packets, the members of struct layout. */
SEC("raw_tp/sys_enter")
int ask_all(u64 *ctx)
{
	struct layout layout = {.mac = ctx[1], .network = ctx[2], .protocol = ctx[3], .device = ctx[4]};

	return bpf_loop(ctx[0], ask_one, &layout, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
