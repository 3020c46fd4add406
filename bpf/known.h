/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * known.h - the short way for most calls: those on a packet that is followed already, and of which nothing has changed since its
 * last call. What is left to do is to see that, and to write one record.
 *
 * Whatever is new about the packet (a life begins or ends, its device, socket, connection, task or name is another one) is left
 * to on_call() in track.h, which says the same of such a packet as this, and takes twice as long. So nothing is changed here
 * before it is certain that nothing is new.
 */
#ifndef SKBSPAN_KNOWN_H
#define SKBSPAN_KNOWN_H

#include "cookie.h"
#include "follow.h"

/* on_known() has done nothing: on_call() is to be asked. No token, for there is no life 0. */
#define NOT_KNOWN 1ULL

/* Is nothing to be told of the packet's connection? See news() in surroundings.h. */
static __always_inline bool same_connection(const struct life *life, u64 conntrack)
{
	u64 connection = conntrack & ~NFCT_INFO;

	if (conntrack != life->conntrack)
		return false;
	if (!connection || !bpf_core_type_exists(struct nf_conn))
		return true;
	/* At any place: the type may be one of a module. */
	return *(const u64 *)bytes_at(connection + bpf_core_field_offset(struct nf_conn, status)) ==
	       life->conntrack_told;
}

/*
 * A call on an skb that may_live(), of a function that has no role, or is part of freeing: only then there is a `caller`, and
 * the packet may be dying. Returns the call token, 0: the record was lost; NOT_KNOWN. A global function: the verifier looks at it by itself, once,
 * and not at on_call() again for each way out of here.
 */
__noinline u64 on_known(u64 address, u64 socket, u64 frame, u64 cookie, u64 caller)
{
	const struct sk_buff *skb;
	struct enter_event *event;
	struct life *life;
	u64 owner, head, task;
	u32 seq, network, tail;
	u16 protocol;
	u8 flags = cookie_exits(cookie) ? 0 : FLAG_ENTER_ONLY;

	if (!SKB_DIRECT)
		return NOT_KNOWN;
	life = bpf_map_lookup_elem(&lives, &address);
	if (!life || life->state > (caller ? LIFE_DYING : LIFE_ALIVE) || life->first || !life->netns)
		return NOT_KNOWN;
	skb = SEEN_AS(struct sk_buff, address);
	if ((u64)skb->dev != life->dev)
		return NOT_KNOWN;
	owner = (u64)skb->sk;
	if (!owner)
		owner = socket;
	if (owner && owner != life->socket)
		return NOT_KNOWN;
	if (SKB_HAS_NFCT && !same_connection(life, skb->_nfct))
		return NOT_KNOWN;
	task = bpf_get_current_pid_tgid();
	if ((u32)task && (u32)task != life->tid)
		return NOT_KNOWN;
	/* As a number: see number_from(). */
	head = *(const u64 *)bytes_at(address + bpf_core_field_offset(struct sk_buff, head));
	if (!head)
		return NOT_KNOWN;
	protocol = skb->protocol;
	network = skb->network_header;
	tail = skb->tail;
	if (life->state == LIFE_ALIVE && network && network != OFFSET_NONE && network < tail &&
	    has_other_name(life, name_at(READING_DIRECT, head + network, tail - network, protocol)))
		return NOT_KNOWN;

	life->head = head;
	if (caller)
		note_caller(life, caller, frame);
	if (life->parent)
		flags |= FLAG_LINKED;
	seq = next_seq(life);
	event = reserve(sizeof(*event));
	if (!event)
		return 0;
	fill_header_of(&event->header, EVENT_ENTER, life->id, seq, cookie_probe(cookie), flags, task);
	event->skb = address;
	event->frame = frame;
	event->netns = life->netns;
	event->ifindex = life->ifindex;
	event->len = skb->len;
	event->mark = skb->mark;
	event->protocol = be16_to_host(protocol);
	event->_pad0 = 0;
	event->details = 0;
	submit(event);
	return call_token(life, seq);
}

#endif
