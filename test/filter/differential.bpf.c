// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* Runs pcap_filter() of bpf/filter.h over a table of packets: what test/filter/differential.ts compares with libpcap. */
#include "../../bpf/core.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "../../bpf/event.h"
#include "../../bpf/config.h"
#include "../../bpf/filter.h"
#include "packet-table.bpf.h"

#define TOO_SHORT 3

struct run {
	u64 window;
	u64 skip; /* bytes of each packet to leave out at its start */
	u64 skb; /* 0, or SKB_NOT_TOLD: there is only a glance at it */
};

u8 verdicts[PACKETS_MAX];

static long filter_one(u32 index, void *context)
{
	struct run *run = context;
	u32 key = index, place = index;
	struct packet *packet = bpf_map_lookup_elem(&packets, &key);
	u64 start = 0;

	asm volatile("" : "+r"(place));
	if (!packet || place >= PACKETS_MAX)
		return 1;
	/* The address as a number. */
	bpf_probe_read_kernel(&start, sizeof(start), &packet);
	verdicts[place] = TOO_SHORT;
	if (packet->linear >= run->skip)
		verdicts[place] =
			pcap_filter(start + __builtin_offsetof(struct packet, bytes) + run->skip,
				    packet->linear - run->skip, packet->length - run->skip, run->skb, run->window);
	return 0;
}

/* Arguments: number of packets, the members of struct run. */
SEC("raw_tp/sys_enter")
int run_all(u64 *ctx)
{
	struct run run = {.window = ctx[1], .skip = ctx[2], .skb = ctx[3]};

	return bpf_loop(ctx[0], filter_one, &run, 0);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
