/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * filter.h - which packets are followed. A filter is asked when an skb is seen that has no life yet, never again after.
 *
 * The bodies of pcap_filter() and skb_filter() are stubs. When the user gives an expression, src/filter/ compiles it and puts
 * its own code there before load (translate.ts tells how that code works). Here is what it cannot do by itself: choose the
 * window it looks through; and in pieces.h, find the bytes of a packet that do not lie in one piece.
 *
 * What is not asked for costs nothing: config.filters is known to the verifier, which removes the rest.
 */
#ifndef SKBSPAN_FILTER_H
#define SKBSPAN_FILTER_H

#include "config.h"
#include "pieces.h"
#include "skb.h"

/* What the filter looks at. */
enum filter_window {
	WINDOW_LINK = 0, /* from the Ethernet header on */
	WINDOW_NETWORK = 1, /* there is none (yet): from the network header on */
	WINDOW_INNER_LINK = 2, /* the packet in a tunnel, from its Ethernet header on */
	WINDOW_INNER_NETWORK = 3, /* and from its network header on */
	/*
	 * From what may be an Ethernet header on, IP behind it: for expressions to which it is one whether it counts or not
	 * (src/filter/either-window.ts). Where it is not certain that the first two would give the same answer: PCAP_UNKNOWN.
	 */
	WINDOW_EITHER = 4,
};

#define ETHERNET_BYTES 14
#define LINK_BYTES_MAX 64 /* more than that between MAC and network header: a stale MAC header */

/* Answers of pcap_filter(), besides 1. */
#define PCAP_NO 0
#define PCAP_UNKNOWN 2

#define PACKET_OUTGOING 4
#define ARPHRD_ETHER 1
#define ARPHRD_LOOPBACK 772

/*
 * Does the packet match? Looks at `linear` bytes from `start` on and, beyond them, at the fragments of `skb`; `len` is the
 * packet's length from `start` on. If `skb` is SKB_NOT_TOLD, whatever does not lie in the linear part makes the answer unknown.
 * This body is what stands here while there is no filter.
 */
__noinline u32 pcap_filter(u64 start, u32 linear, u32 len, u64 skb, u32 window)
{
	u32 matches = 1;

	asm volatile("" : "+r"(matches) : "r"(start), "r"(linear), "r"(len), "r"(skb), "r"(window));
	return matches;
}

/*
 * What is to be asked of the generated code, and the state of asking. The stack of a BPF program is 512 bytes for all functions
 * that call one another, so whoever finds out what to ask (first_look() in follow.h, with the copy of an skb on its stack) does not
 * ask, but returns to the program itself, which does (follow.h).
 */
struct question {
	u64 start; /* of the window */
	u32 linear; /* and LINEAR_* */
	u32 len;
	/*
	 * enum stage of this question; those before are answered, all with yes. Eight bytes wide, for older verifiers follow what is
	 * known of a value on the stack only then: they know by it whether there is a question at all.
	 */
	u64 stage;
};

enum stage {
	STAGE_NONE,
	STAGE_PACKET,
	STAGE_INNER_LINK,
	STAGE_INNER_NETWORK,
	STAGE_EXPRESSION,
};

/* question.linear: part of the packet lies in fragments | its window is WINDOW_NETWORK. */
#define LINEAR_HAS_FRAGMENTS 0x80000000
#define LINEAR_IS_NETWORK 0x40000000
#define LINEAR_BYTES 0x3fffffff

/* `head`: skb->head; `tail` as in the skb. */
static __always_inline bool ask_window(struct question *question, const struct skb_copy *skb, u64 head, u32 tail,
				       u32 start, u32 flags)
{
	u64 data = SKB_FIELD(skb, u64, data);
	u32 len = SKB_FIELD(skb, u32, len);

	if (start > tail)
		return false;
	question->start = head + start;
	if (SKB_FIELD(skb, u32, data_len))
		flags |= LINEAR_HAS_FRAGMENTS;
	question->linear = ((tail - start) & LINEAR_BYTES) | flags;
	question->len = len + (u32)(data - head) - start;
	return true;
}

/* Has this device Ethernet headers? None: as if. */
static __always_inline bool is_on_ethernet(u64 dev)
{
	u16 type;

	if (!dev)
		return true;
	type = SKB_DIRECT ? SEEN_AS(struct net_device, dev)->type : (u16)WORD_OF(struct net_device, dev, type);
	return type == ARPHRD_ETHER || type == ARPHRD_LOOPBACK;
}

/* Of the skb at `address`, 0: the frame that `skb` describes. */
static __always_inline u64 device_of(const struct skb_copy *skb, u64 address)
{
	if (!address)
		return skb->dev;
	return SKB_DIRECT ? (u64)skb->original->dev : WORD_OF(struct sk_buff, address, dev);
}

/* Where the network header is; 0: there is none. */
static __always_inline u32 network_place(u32 network, u32 tail)
{
	return network == OFFSET_NONE || network > tail ? 0 : network;
}

/* May there be an Ethernet header at `mac`? */
static __always_inline bool precedes(u32 mac, u32 network, u32 tail)
{
	return mac != OFFSET_NONE && mac <= tail && (!network || (mac < network && network - mac <= LINK_BYTES_MAX));
}

/* Something else than IP may begin with a 4 or a 6. Locally made packets have no protocol until late. */
static __always_inline bool may_be_ip(u16 protocol)
{
	return !protocol || protocol == be16_to_host(ETH_P_IP) || protocol == be16_to_host(ETH_P_IPV6);
}

/*
 * From where on is this skb a packet? An Ethernet header counts if it is set, stands before the network header, and the
 * device has such headers (what is forwarded to a tunnel has that of the device it came by still before it); otherwise the network
 * header does. None: no match.
 */
static __always_inline bool ask_packet(struct question *question, const struct skb_copy *skb, u64 address, u64 head)
{
	u32 tail = SKB_FIELD(skb, u32, tail), mac = SKB_FIELD(skb, u16, mac_header);
	u32 network = network_place(SKB_FIELD(skb, u16, network_header), tail);

	if (precedes(mac, network, tail) && is_on_ethernet(device_of(skb, address)))
		return ask_window(question, skb, head, tail, mac, 0);
	if (!network || !may_be_ip(SKB_FIELD(skb, u16, protocol)))
		return false;
	return ask_window(question, skb, head, tail, network, LINEAR_IS_NETWORK);
}

/* The packet within a tunnel's packet; as long as the kernel knows of none, no match. */
static __always_inline bool ask_inner(struct question *question, const struct skb_copy *skb, u64 head, u32 start)
{
	return start && start != OFFSET_NONE && ask_window(question, skb, head, SKB_FIELD(skb, u32, tail), start, 0);
}

/* Does the skb match --filter-skb-expr? The body is replaced as that of pcap_filter() is. */
__noinline u32 skb_filter(u64 skb)
{
	u32 matches = 1;

	asm volatile("" : "+r"(matches) : "r"(skb));
	return matches;
}

/* The answer to a question about the skb whose address is at `address`. */
static __always_inline bool answer(const struct question *question, const u64 *address)
{
	u64 skb = 0;
	u64 stage = question->stage;
	u32 linear = question->linear, window = WINDOW_LINK;

	/* Read, not assigned: in a tp_btf program the address is a typed pointer, and a function may only be given a number. */
	if (stage == STAGE_EXPRESSION || linear & LINEAR_HAS_FRAGMENTS)
		bpf_probe_read_kernel(&skb, sizeof(skb), address);
	if (stage == STAGE_EXPRESSION)
		return skb_filter(skb);
	if (stage == STAGE_INNER_LINK)
		window = WINDOW_INNER_LINK;
	else if (stage == STAGE_INNER_NETWORK)
		window = WINDOW_INNER_NETWORK;
	else if (linear & LINEAR_IS_NETWORK)
		window = WINDOW_NETWORK;
	return pcap_filter(question->start, linear & LINEAR_BYTES, question->len, skb, window);
}

static __always_inline bool device_matches(const struct net_device *dev)
{
	u64 name[2];

	if (!dev || bpf_core_read(name, sizeof(name), &dev->name))
		return false;
	/* As text: the kernel does not clear what is behind the end of a shorter new name. */
	for (u32 i = 0; i < sizeof(config.ifname); i++) {
		if (((char *)name)[i] != config.ifname[i])
			return false;
		if (!config.ifname[i])
			break;
	}
	return true;
}

/* States of sockets that are none, but stand in for one: they have no cgroup. include/net/tcp_states.h */
#define TCP_TIME_WAIT 6
#define TCP_NEW_SYN_RECV 12

static __always_inline bool cgroup_matches(const struct sock *sk)
{
	struct cgroup *cgroup;
	u8 state;

	if (!sk)
		return false;
	state = BPF_CORE_READ(sk, __sk_common.skc_state);
	if (state == TCP_TIME_WAIT || state == TCP_NEW_SYN_RECV)
		return false;
	cgroup = BPF_CORE_READ(sk, sk_cgrp_data.cgroup);
	if (bpf_core_field_exists(cgroup->ancestors)) {
		u64 above = (u64)&cgroup->ancestors + config.cgroup_level * sizeof(void *);

		if (BPF_CORE_READ(cgroup, level) < (int)config.cgroup_level ||
		    bpf_probe_read_kernel(&cgroup, sizeof(cgroup), (void *)above))
			return false;
	}
	return BPF_CORE_READ(cgroup, kn, id) == config.cgroup;
}

static __always_inline u64 mix(u64 hash, u64 value)
{
	hash = (hash ^ value) * 0x9e3779b97f4a7c15ULL;
	return hash ^ (hash >> 29);
}

/*
 * One packet of sample_rate, and the same ones on every host on its way: the choice is a hash over what routers leave alone
 * (RFC 5475, 6.2): addresses, protocol, the identification of IPv4, and the first bytes of what the headers carry; not TTL,
 * traffic class or checksums. Without a network header there is nothing to choose by: not yet.
 */
static __always_inline bool sample_matches(const struct skb_copy *skb)
{
	u64 words[5] = {}, hash, head = SKB_FIELD(skb, u64, head);
	u32 network = SKB_FIELD(skb, u16, network_header), tail = SKB_FIELD(skb, u32, tail), bytes;
	u8 *byte = (u8 *)words, transport;

	if (!network || network == OFFSET_NONE || network + 20 > tail ||
	    bpf_probe_read_kernel(words, 20, (void *)(head + network)))
		return false;
	if (byte[0] >> 4 == 6) {
		if (network + 40 > tail || bpf_probe_read_kernel(words, 40, (void *)(head + network)))
			return false;
		transport = byte[6];
		hash = mix(mix(mix(mix(transport, words[1]), words[2]), words[3]), words[4]);
		bytes = 40;
	} else {
		transport = byte[9];
		hash = mix(mix(transport, *(u16 *)(byte + 4)), *(u32 *)(byte + 12));
		hash = mix(hash, *(u32 *)(byte + 16));
		bytes = (byte[0] & 15) * 4;
	}
	words[0] = 0;
	words[1] = 0;
	if (network + bytes + 16 <= tail && bpf_probe_read_kernel(words, 16, (void *)(head + network + bytes)))
		return false;
	/* TCP: ports, sequence numbers. UDP: ports and length, then data, between them a checksum. */
	if (transport == 17)
		words[0] &= 0x0000ffffffffffffULL;
	else if (transport == 6)
		words[1] &= 0x00000000ffffffffULL;
	else if (transport == 1 || transport == 58)
		words[0] &= 0xffffffff0000ffffULL;
	hash = mix(mix(hash, words[0]), words[1]);
	return (u32)(hash >> 32) % config.sample_rate == 0;
}

/* A packet has no socket and no device that is not outgoing only if it came in by one. */
static __always_inline bool direction_matches(const struct skb_copy *skb, u64 address, const struct sock *sk)
{
	const struct sk_buff *original = (void *)address;
	bool is_ours = sk || !skb->dev || BPF_CORE_READ_BITFIELD_PROBED(original, pkt_type) == PACKET_OUTGOING;

	return is_ours == !!(config.filters & FILTER_TRANSMIT);
}

enum verdict {
	VERDICT_NO,
	VERDICT_YES,
	VERDICT_ASK, /* `question` is filled; come again when the answer was yes */
};

/*
 * All filters but the namespace. What costs least comes first; what needs device or socket, last. `skb` is what skb_read_packet()
 * read of the skb at `address` (0: there is none, `skb` describes a frame, with its device). On a verdict of yes its owners were
 * read, too. `sock`: the socket, if skb->sk is not set.
 */
static __always_inline enum verdict filters_match(struct skb_copy *skb, u64 address, u64 head, u64 sock,
						  struct question *question)
{
	u32 filters = config.filters;
	const struct sock *sk;

	if (filters & FILTER_MARK && (SKB_FIELD(skb, u32, mark) & config.mark_mask) != config.mark)
		return VERDICT_NO;
	if (filters & FILTER_PROCESS && bpf_get_current_pid_tgid() >> 32 != config.tgid)
		return VERDICT_NO;
	if (filters & FILTER_PCAP && question->stage < STAGE_PACKET) {
		if (!ask_packet(question, skb, address, head))
			return VERDICT_NO;
		question->stage = STAGE_PACKET;
		return VERDICT_ASK;
	}
	if (filters & FILTER_TUNNEL_LINK && question->stage < STAGE_INNER_LINK) {
		if (!ask_inner(question, skb, head, SKB_FIELD(skb, u16, inner_mac_header)))
			return VERDICT_NO;
		question->stage = STAGE_INNER_LINK;
		return VERDICT_ASK;
	}
	if (filters & FILTER_TUNNEL_NETWORK && question->stage < STAGE_INNER_NETWORK) {
		if (!ask_inner(question, skb, head, SKB_FIELD(skb, u16, inner_network_header)))
			return VERDICT_NO;
		question->stage = STAGE_INNER_NETWORK;
		return VERDICT_ASK;
	}
	if (filters & FILTER_EXPRESSION && question->stage < STAGE_EXPRESSION) {
		question->stage = STAGE_EXPRESSION;
		return VERDICT_ASK;
	}
	if (filters & FILTER_SAMPLE && !sample_matches(skb))
		return VERDICT_NO;
	if (address)
		skb_read_owners(skb, (void *)address);
	FORGET(sock);
	sk = (void *)(skb->sk ? skb->sk : sock);
	if (filters & FILTER_PROCESS && !sk)
		return VERDICT_NO;
	if (filters & FILTER_IFNAME && !device_matches((void *)skb->dev))
		return VERDICT_NO;
	if (filters & (FILTER_TRANSMIT | FILTER_RECEIVE) && !direction_matches(skb, address, sk))
		return VERDICT_NO;
	if (filters & FILTER_CGROUP && !cgroup_matches(sk))
		return VERDICT_NO;
	return VERDICT_YES;
}

#endif
