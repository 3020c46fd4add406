/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * packet.h - the packet's bytes: sent at first sight, and again when the addresses in the headers changed (NAT, headers
 * pushed or pulled), so that user space always knows what the packet was called at a call.
 *
 * What counts as change are protocols, addresses and ports of the outermost network header: not TTL, not checksums, not TCP
 * numbers. Only the linear part is read.
 */
#ifndef SKBSPAN_PACKET_H
#define SKBSPAN_PACKET_H

#include "emit.h"
#include "filter.h"

#define NETWORK_BYTES 40 /* an IPv6 header; the first 20 of them an IPv4 header */
#define MAC_BYTES_MAX 64 /* more than that between MAC and network header: a stale MAC header */

/*
 * What names the flow: protocols, addresses and ports. Those of IPv4 stand here as they are, because that is compared at every
 * call; what is longer is hashed.
 */
struct flow_name {
	u64 addresses;
	u64 rest; /* ethertype, transport protocol, ports; 0: there is no network header yet */
};

static __always_inline struct flow_name name_of(u64 addresses, u16 protocol, u8 transport, u32 ports)
{
	return (struct flow_name){addresses, (u64)protocol << 48 | (u64)transport << 32 | ports};
}

static const struct flow_name no_name;

/* The first 20 or 40 bytes at `from`, where they stand if they are read directly (unreadable ones are 0 then), else in `words`. NULL: unreadable. */
static __always_inline const u8 *read_header(u64 words[NETWORK_BYTES / 8], u32 size, u64 from)
{
	if (SKB_DIRECT)
		return bytes_at(from);
	return bpf_probe_read_kernel(words, size, (void *)from) ? NULL : (const u8 *)words;
}

/* TCP, UDP, SCTP. */
static __always_inline bool has_ports(u8 transport)
{
	return transport == 6 || transport == 17 || transport == 132;
}

/* The name of a packet whose network header stands at `from`, and whose linear data end `bytes_left` bytes after that. */
static __always_inline struct flow_name name_at(u64 from, u32 bytes_left, u16 protocol)
{
	u64 words[NETWORK_BYTES / 8], addresses;
	u32 header_bytes, ports = 0;
	const u8 *bytes;
	u8 transport;

	if (!protocol) {
		/* Locally made packets have no protocol until late: the version in the header tells. */
		bytes = read_header(words, 1, from);
		if (!bytes)
			return no_name;
		protocol = be16_to_host((bytes[0] >> 4) == 6 ? ETH_P_IPV6 : ETH_P_IP);
	}
	if (protocol == be16_to_host(ETH_P_IP)) {
		bytes = bytes_left < 20 ? NULL : read_header(words, 20, from);
		if (!bytes || (bytes[0] >> 4) != 4)
			return no_name;
		transport = bytes[9];
		header_bytes = (bytes[0] & 15) * 4;
		/* What is on the stack is aligned, or not read at all. */
		if (SKB_DIRECT)
			addresses = *(const u64 *)(bytes + 12);
		else
			addresses = *(const u32 *)(bytes + 12) | (u64) * (const u32 *)(bytes + 16) << 32;
	} else if (protocol == be16_to_host(ETH_P_IPV6)) {
		const u64 *parts;

		bytes = bytes_left < 40 ? NULL : read_header(words, 40, from);
		if (!bytes || (bytes[0] >> 4) != 6)
			return no_name;
		transport = bytes[6];
		header_bytes = 40;
		parts = (const u64 *)(bytes + 8);
		addresses = mix(mix(mix(mix(0, parts[0]), parts[1]), parts[2]), parts[3]);
	} else if (protocol == be16_to_host(ETH_P_ARP)) {
		const u64 *parts;

		bytes = bytes_left < 28 ? NULL : read_header(words, 28, from);
		if (!bytes)
			return no_name;
		parts = (const u64 *)(bytes + 8);
		return name_of(mix(parts[0], parts[1]), protocol, 0, 0);
	} else {
		return name_of(0, protocol, 0, 0);
	}
	if (has_ports(transport) && bytes_left >= header_bytes + 4) {
		if (SKB_DIRECT)
			/* Mostly behind a header of the usual length, which is where `bytes` points to. */
			ports = header_bytes == 20 ? *(const u32 *)(bytes + 20)
						   : *(const u32 *)bytes_at(from + header_bytes);
		else
			bpf_probe_read_kernel(&ports, sizeof(ports), (void *)(from + header_bytes));
	}
	return name_of(addresses, protocol, transport, ports);
}

/* `head`: skb->head. */
static __always_inline struct flow_name flow_name(const struct skb_copy *skb, u64 head)
{
	u32 network = SKB_FIELD(skb, u16, network_header), tail = SKB_FIELD(skb, u32, tail);

	if (!network || network == OFFSET_NONE || network >= tail)
		return no_name;
	return name_at(head + network, tail - network, SKB_FIELD(skb, u16, protocol));
}

/* Is it another name than the packet had when it was sent last? */
static __always_inline bool has_other_name(const struct life *life, struct flow_name name)
{
	return name.rest && (name.rest != life->named || name.addresses != life->addresses);
}

/* Notes the name of the packet. True: it is another one. */
static __always_inline bool is_renamed(struct life *life, const struct skb_copy *skb, u64 head)
{
	struct flow_name name = flow_name(skb, head);

	if (!has_other_name(life, name))
		return false;
	life->addresses = name.addresses;
	life->named = name.rest;
	return true;
}

static __always_inline u16 offset_in(u32 header, u32 start, u32 caplen)
{
	return header != OFFSET_NONE && header >= start && header - start <= caplen ? header - start : OFFSET_NONE;
}

/* `address` 0: no skb, `skb` describes an XDP frame. */
static __always_inline void emit_packet(struct life *life, u64 address, const struct skb_copy *skb, u64 socket,
					u32 probe, u8 flags)
{
	u64 head = SKB_FIELD(skb, u64, head), data = SKB_FIELD(skb, u64, data);
	u32 tail = SKB_FIELD(skb, u32, tail), len = SKB_FIELD(skb, u32, len), data_len = SKB_FIELD(skb, u32, data_len);
	u32 network = SKB_FIELD(skb, u16, network_header), transport = SKB_FIELD(skb, u16, transport_header);
	u32 mac = SKB_FIELD(skb, u16, mac_header), start = data - head, caplen, seq = next_seq(life);
	struct packet_event *event;

	event = reserve(sizeof(*event) + config.snaplen);
	if (!event)
		return;
	fill_header(&event->header, EVENT_PACKET, life->id, seq, probe, flags);
	if (network == 0 || network > tail)
		network = OFFSET_NONE;
	if (mac != OFFSET_NONE && (network == OFFSET_NONE || mac >= network || network - mac > MAC_BYTES_MAX))
		mac = OFFSET_NONE;
	if (mac != OFFSET_NONE)
		start = mac;
	else if (network != OFFSET_NONE)
		start = network;
	caplen = tail > start ? tail - start : 0;
	/* The whole packet from start on: what skb->len counts, and what lies before skb->data. */
	event->len = len + (u32)(data - head) - start;
	event->data_len = data_len;
	if (caplen > config.snaplen)
		caplen = config.snaplen;
	if (caplen > SNAPLEN_MAX)
		caplen = SNAPLEN_MAX;
	if (caplen && bpf_probe_read_kernel(event->data, caplen, (void *)(head + start)))
		caplen = 0;
	event->skb = address ? address : head;
	event->head = head;
	event->parent = life->parent;
	event->socket = socket;
	event->caplen = caplen;
	event->netns = life->netns;
	event->ifindex = life->ifindex;
	event->mark = SKB_FIELD(skb, u32, mark);
	event->hash = SKB_FIELD(skb, u32, hash);
	event->mac_offset = offset_in(mac, start, caplen);
	event->network_offset = offset_in(network, start, caplen);
	event->transport_offset = offset_in(transport, start, caplen);
	event->protocol = be16_to_host(SKB_FIELD(skb, u16, protocol));
	event->vlan_tci = SKB_FIELD(skb, u16, vlan_tci);
	event->vlan_proto = be16_to_host(SKB_FIELD(skb, u16, vlan_proto));
	event->queue_mapping = SKB_FIELD(skb, u16, queue_mapping);
	if (address) {
		u64 shared = head + SKB_FIELD(skb, u32, end);

		event->gso_size = WORD_OF(struct skb_shared_info, shared, gso_size);
		event->gso_segs = WORD_OF(struct skb_shared_info, shared, gso_segs);
	} else {
		event->gso_size = 0;
		event->gso_segs = 0;
	}
	if (address) {
		event->pkt_type = BITS_OF(struct sk_buff, address, pkt_type);
		event->cloned = BITS_OF(struct sk_buff, address, cloned);
	} else {
		event->pkt_type = 0;
		event->cloned = 0;
	}
	submit(event);
}

#endif
