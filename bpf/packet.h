/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * packet.h - the packet's bytes: sent at first sight, and again when the addresses in the headers changed (NAT, headers
 * pushed or pulled), so that user space always knows what the packet was called at a call.
 *
 * What counts as change is a hash over protocol, addresses and ports of the outermost network header: not TTL, not
 * checksums, not TCP numbers. Only the linear part is read.
 */
#ifndef SKBSPAN_PACKET_H
#define SKBSPAN_PACKET_H

#include "emit.h"
#include "filter.h"

#define NETWORK_BYTES 40 /* an IPv6 header; the first 20 of them an IPv4 header */
#define MAC_BYTES_MAX 64 /* more than that between MAC and network header: a stale MAC header */

/* The first 20 or 40 bytes at `from`. False: unreadable (read directly, they are 0 then). */
static __always_inline bool read_header(u64 words[NETWORK_BYTES / 8], u32 size, u64 from)
{
	if (SKB_DIRECT) {
		const u64 *seen = bytes_at(from);

		for (u32 i = 0; i * sizeof(*seen) < size; i++)
			words[i] = seen[i];
		return true;
	}
	return !bpf_probe_read_kernel(words, size, (void *)from);
}

/* Hash of what names the flow; 0: there is no network header yet. */
static __always_inline u64 addresses_hash(const struct skb_copy *skb)
{
	u64 words[NETWORK_BYTES / 8] = {}, hash;
	u64 head = SKB_FIELD(skb, u64, head);
	u32 network = SKB_FIELD(skb, u16, network_header), tail = SKB_FIELD(skb, u32, tail), header_bytes;
	u16 protocol = SKB_FIELD(skb, u16, protocol);
	u8 *bytes = (u8 *)words;
	u32 ports = 0;
	u8 transport = 0;

	if (!network || network == OFFSET_NONE || network >= tail)
		return 0;
	if (!protocol) {
		/* Locally made packets have no protocol until late: the version in the header tells. */
		if (SKB_DIRECT)
			bytes[0] = *(const u8 *)bytes_at(head + network);
		else if (bpf_probe_read_kernel(bytes, 1, (void *)(head + network)))
			return 0;
		protocol = be16_to_host((bytes[0] >> 4) == 6 ? ETH_P_IPV6 : ETH_P_IP);
	}
	if (protocol == be16_to_host(ETH_P_IP)) {
		if (network + 20 > tail || !read_header(words, 20, head + network))
			return 0;
		if ((bytes[0] >> 4) != 4)
			return 0;
		transport = bytes[9];
		header_bytes = (bytes[0] & 15) * 4;
		hash = mix(mix(protocol, *(u32 *)(bytes + 12)), *(u32 *)(bytes + 16));
	} else if (protocol == be16_to_host(ETH_P_IPV6)) {
		if (network + 40 > tail || !read_header(words, 40, head + network))
			return 0;
		if ((bytes[0] >> 4) != 6)
			return 0;
		transport = bytes[6];
		header_bytes = 40;
		hash = mix(mix(mix(mix(protocol, words[1]), words[2]), words[3]), words[4]);
	} else if (protocol == be16_to_host(ETH_P_ARP)) {
		if (network + 28 > tail || !read_header(words, 28, head + network))
			return 0;
		return mix(mix(protocol, words[1]), words[2]) | 1;
	} else {
		return mix(protocol, 1) | 1;
	}
	if (transport == 6 || transport == 17 || transport == 132) {
		u64 from = head + network + header_bytes;

		if (network + header_bytes + 4 > tail)
			ports = 0;
		else if (SKB_DIRECT)
			ports = *(const u32 *)bytes_at(from);
		else
			bpf_probe_read_kernel(&ports, sizeof(ports), (void *)from);
	}
	return mix(mix(hash, transport), ports) | 1;
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
		const struct skb_shared_info *shared = (void *)(head + SKB_FIELD(skb, u32, end));

		event->gso_size = BPF_CORE_READ(shared, gso_size);
		event->gso_segs = BPF_CORE_READ(shared, gso_segs);
	} else {
		event->gso_size = 0;
		event->gso_segs = 0;
	}
	if (address) {
		const struct sk_buff *original = (void *)address;

		event->pkt_type = BPF_CORE_READ_BITFIELD_PROBED(original, pkt_type);
		event->cloned = BPF_CORE_READ_BITFIELD_PROBED(original, cloned);
	} else {
		event->pkt_type = 0;
		event->cloned = 0;
	}
	submit(event);
}

#endif
