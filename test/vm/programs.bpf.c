// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * The tc and XDP programs of the scenarios. Each looks at the length: big packets (over 1000 bytes) get the verdict that it is
 * named after, and are counted; all others pass. The sections are what `tc` and `ip` choose by.
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#ifdef ONE
/* For many of the same: an object with one program. */
SEC("tc")
int one_of_many(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}
#elif defined(PLAIN)
/* Compiled without type information. */
SEC("tc")
int tells_nothing(struct __sk_buff *skb)
{
	return TC_ACT_UNSPEC;
}
#else

#define BIG 1000

/* By verdict: 0 tc drop, 1 tc redirect, 2 XDP drop, 3 XDP TX, 4 XDP redirect. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 8);
	__type(key, __u32);
	__type(value, __u64);
} counted SEC(".maps");

static __always_inline void count(__u32 which)
{
	__u64 *slot = bpf_map_lookup_elem(&counted, &which);

	if (slot)
		__sync_fetch_and_add(slot, 1);
}

SEC("tc_pass")
int lets_everything_pass(struct __sk_buff *skb)
{
	return TC_ACT_OK;
}

SEC("tc_drop")
int drops_big_packets(struct __sk_buff *skb)
{
	if (skb->len <= BIG)
		return TC_ACT_OK;
	count(0);
	return TC_ACT_SHOT;
}

/* Out of the device again that it came in by. */
SEC("tc_redirect")
int sends_big_packets_back(struct __sk_buff *skb)
{
	if (skb->len <= BIG)
		return TC_ACT_OK;
	count(1);
	return bpf_redirect(skb->ifindex, 0);
}

static __always_inline long length(struct xdp_md *ctx)
{
	return (long)ctx->data_end - (long)ctx->data;
}

SEC("xdp_pass")
int xdp_lets_everything_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

/* For the other end: veth wakes up who gets a frame by XDP_TX only if that one has a program, too. */
SEC("xdp_peer")
int xdp_lets_frames_pass(struct xdp_md *ctx)
{
	return XDP_PASS;
}

SEC("xdp_drop")
int xdp_drops_big_packets(struct xdp_md *ctx)
{
	if (length(ctx) <= BIG)
		return XDP_PASS;
	count(2);
	return XDP_DROP;
}

/* Swaps the addresses of the Ethernet header. */
static __always_inline int turned(struct xdp_md *ctx)
{
	unsigned short *data = (void *)(long)ctx->data, word;

	if ((void *)(data + 7) > (void *)(long)ctx->data_end)
		return 0;
	for (int i = 0; i < 3; i++) {
		word = data[i];
		data[i] = data[i + 3];
		data[i + 3] = word;
	}
	return 1;
}

SEC("xdp_tx")
int xdp_sends_big_packets_back(struct xdp_md *ctx)
{
	if (length(ctx) <= BIG || !turned(ctx))
		return XDP_PASS;
	count(3);
	return XDP_TX;
}

struct {
	__uint(type, BPF_MAP_TYPE_DEVMAP);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} elsewhere SEC(".maps");

SEC("xdp_redirect")
int xdp_sends_big_packets_elsewhere(struct xdp_md *ctx)
{
	if (length(ctx) <= BIG)
		return XDP_PASS;
	count(4);
	return bpf_redirect_map(&elsewhere, 0, XDP_DROP);
}

struct {
	__uint(type, BPF_MAP_TYPE_CPUMAP);
	__uint(max_entries, 2);
	__type(key, __u32);
	__type(value, __u32);
} other_cpu SEC(".maps");

SEC("xdp_cpumap")
int xdp_hands_big_packets_to_cpu_1(struct xdp_md *ctx)
{
	if (length(ctx) <= BIG)
		return XDP_PASS;
	count(4);
	return bpf_redirect_map(&other_cpu, 1, XDP_DROP);
}

#define JUMBO_DROPPED 6000
#define JUMBO_REDIRECTED 8000

/* Of packets in several buffers: the smaller ones pass, the next are dropped, the biggest go to the other CPU. */
SEC("xdp.frags")
int xdp_judges_jumbo_frames(struct xdp_md *ctx)
{
	__u64 bytes = bpf_xdp_get_buff_len(ctx);

	if (bytes <= JUMBO_DROPPED)
		return XDP_PASS;
	if (bytes <= JUMBO_REDIRECTED) {
		count(2);
		return XDP_DROP;
	}
	count(4);
	return bpf_redirect_map(&other_cpu, 1, XDP_DROP);
}

#endif

char LICENSE[] SEC("license") = "GPL";
