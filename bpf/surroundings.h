/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * surroundings.h - whose packet it is: its socket and its connection, told on the life when they become others.
 *
 * A probe only compares (`news`); the records are written by a function of its own once the call is recorded, because the
 * stack of a program has no room left for it.
 */
#ifndef SKBSPAN_SURROUNDINGS_H
#define SKBSPAN_SURROUNDINGS_H

#include "emit.h"
#include "filter.h"
#include "lives.h"

#define TELL_SOCKET 1
#define TELL_CONNTRACK 2

#define AF_INET 2
#define AF_INET6 10

/* skb->_nfct: address of the entry, and in the low bits what the packet is to it. include/linux/skbuff.h */
#define NFCT_INFO 7ULL

/* What is new about a packet since its last call; TELL_*. Read into the map: there is no room on the stack. */
static __always_inline u32 news(struct life *life, u64 socket, u64 conntrack)
{
	u32 tell = 0;

	if (socket && socket != life->socket) {
		life->socket = socket;
		tell = TELL_SOCKET;
	}
	if (conntrack & ~NFCT_INFO) {
		const struct nf_conn *connection = (void *)(conntrack & ~NFCT_INFO);

		if (bpf_core_type_exists(struct nf_conn)) {
			if (bpf_probe_read_kernel(&life->conntrack_status, sizeof(life->conntrack_status),
						  &connection->status))
				return tell;
			if (conntrack != life->conntrack || life->conntrack_status != life->conntrack_told)
				tell |= TELL_CONNTRACK;
		}
	}
	life->conntrack = conntrack;
	return tell;
}

static __always_inline void emit_socket(struct life *life)
{
	const struct sock *sk = (void *)life->socket;
	struct socket_event *event;
	u32 seq = next_seq(life);
	u16 family;
	u8 state;

	event = reserve(sizeof(*event));
	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	fill_header(&event->header, EVENT_SOCKET, life->id, seq, NO_PROBE, 0);
	family = WORD_OF(struct sock, sk, __sk_common.skc_family);
	state = WORD_OF(struct sock, sk, __sk_common.skc_state);
	event->socket = life->socket;
	event->family = family;
	event->state = state;
	event->netns = netns_inode((void *)WORD_OF(struct sock, sk, __sk_common.skc_net.net));
	if (family == AF_INET) {
		*(u32 *)event->local_address = WORD_OF(struct sock, sk, __sk_common.skc_rcv_saddr);
		*(u32 *)event->remote_address = WORD_OF(struct sock, sk, __sk_common.skc_daddr);
	}
	if (family == AF_INET6) {
		bpf_core_read(event->local_address, 16, &sk->__sk_common.skc_v6_rcv_saddr);
		bpf_core_read(event->remote_address, 16, &sk->__sk_common.skc_v6_daddr);
	}
	if (family == AF_INET || family == AF_INET6) {
		event->local_port = WORD_OF(struct sock, sk, __sk_common.skc_num);
		event->remote_port = be16_to_host(WORD_OF(struct sock, sk, __sk_common.skc_dport));
	}
	if (state != TCP_TIME_WAIT && state != TCP_NEW_SYN_RECV) {
		u64 socket = WORD_OF(struct sock, sk, sk_socket);
		u64 cgroup = WORD_OF(struct sock, sk, sk_cgrp_data.cgroup);

		event->full = 1;
		event->type = WORD_OF(struct sock, sk, sk_type);
		event->protocol = WORD_OF(struct sock, sk, sk_protocol);
		event->uid = WORD_OF(struct sock, sk, sk_uid.val);
		event->cgroup = WORD_OF(struct kernfs_node, WORD_OF(struct cgroup, cgroup, kn), id);
		if (socket)
			event->inode = WORD_OF(struct socket_alloc, socket, vfs_inode.i_ino);
	}
	submit(event);
}

static __always_inline void read_tuple(struct conntrack_tuple *to, const struct nf_conntrack_tuple *from)
{
	bpf_core_read(to->source_address, 16, &from->src.u3);
	bpf_core_read(to->destination_address, 16, &from->dst.u3);
	to->source_port = be16_to_host(BPF_CORE_READ(from, src.u.all));
	to->destination_port = be16_to_host(BPF_CORE_READ(from, dst.u.all));
	to->family = BPF_CORE_READ(from, src.l3num);
	to->protocol = BPF_CORE_READ(from, dst.protonum);
}

static __always_inline void emit_conntrack(struct life *life)
{
	const struct nf_conn *connection = (void *)(life->conntrack & ~NFCT_INFO);
	const struct nf_conntrack_tuple_hash *hashes = (void *)&connection->tuplehash;
	struct conntrack_event *event;
	u32 status = life->conntrack_status;
	u32 seq = next_seq(life);

	life->conntrack_told = status;
	event = reserve(sizeof(*event));
	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	fill_header(&event->header, EVENT_CONNTRACK, life->id, seq, NO_PROBE, 0);
	event->conntrack = (u64)connection;
	event->status = status;
	event->info = life->conntrack & NFCT_INFO;
	if (bpf_core_field_exists(connection->mark))
		event->mark = BPF_CORE_READ(connection, mark);
	if (bpf_core_field_exists(connection->zone))
		event->zone = BPF_CORE_READ(connection, zone.id);
	read_tuple(&event->original, &hashes->tuple);
	hashes = (void *)((u64)hashes + bpf_core_type_size(struct nf_conntrack_tuple_hash));
	read_tuple(&event->reply, &hashes->tuple);
	submit(event);
}

__noinline u64 tell_surroundings(u64 skb, u32 tell)
{
	struct life *life = life_at(skb);

	if (!life || life->state != LIFE_ALIVE)
		return 0;
	if (tell & TELL_SOCKET && life->socket)
		emit_socket(life);
	if (tell & TELL_CONNTRACK && life->conntrack & ~NFCT_INFO && bpf_core_type_exists(struct nf_conn))
		emit_conntrack(life);
	return 0;
}

#endif
