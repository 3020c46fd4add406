/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * known.h - the short way for most calls: those on a packet that is followed already, and of which nothing has changed since its
 * last call but its device. What is left to do is to see that, and to write one record.
 *
 * Whatever else is new about the packet (a life begins, its socket, connection, task or name is another one) is left
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
	return *(const u32 *)bytes_at(connection + bpf_core_field_offset(struct nf_conn, status)) ==
	       life->conntrack_told;
}

/* The packet is at another device. A global function, as on_known(). */
__noinline u32 relocate(u64 address, u64 socket)
{
	struct life *life = life_at(address);
	const struct sk_buff *skb;

	if (!SKB_DIRECT || !life)
		return 0;
	skb = SEEN_AS(struct sk_buff, address);
	locate(life, (u64)skb->dev, skb->sk ? skb->sk : (void *)socket);
	return 0;
}

/*
 * Has the packet certainly the name that it had? What is_renamed() in packet.h says, but that this looks at no more than what is compared: a
 * header that is none, or not there yet, has some other name, and is left to that.
 */
static __always_inline bool same_name(const struct life *life, u64 from, u16 protocol)
{
	const u8 *bytes = bytes_at(from);
	u64 rest;
	u8 transport;

	if (protocol != be16_to_host(ETH_P_IP))
		return !has_other_name(life, name_at(from, OFFSET_NONE, protocol));
	if (*(const u64 *)(bytes + 12) != life->addresses)
		return false;
	transport = bytes[9];
	rest = name_of(0, protocol, transport, 0).rest;
	if (has_ports(transport))
		rest |= (bytes[0] & 15) == 5 ? *(const u32 *)(bytes + 20)
					     : *(const u32 *)bytes_at(from + (bytes[0] & 15) * 4);
	return rest == life->named;
}

/*
 * A call on an skb, of a function that has no role, or is part of freeing: only then the packet may be dying. There is a
 * `caller` if the role is_releasing(). Returns the call token, 0: not followed, or the record was lost; NOT_KNOWN. A global function:
 * the verifier looks at it by itself, once, and not at on_call() again for each way out of here.
 */
__noinline u64 on_known(u64 address, u64 socket, u64 frame, u64 cookie, u64 caller)
{
	const struct sk_buff *skb;
	struct enter_event *event;
	struct life *life;
	u64 owner, head, task, token;
	u32 seq, network;
	u16 protocol;
	u8 flags = cookie_exits(cookie) ? 0 : FLAG_ENTER_ONLY;

	if (!SKB_DIRECT)
		return NOT_KNOWN;
	life = life_at(address);
	skb = SEEN_AS(struct sk_buff, address);
	if (!life) {
		bool is_of_none = skb->head && !skb->dev && !skb->sk && !socket;

		/* No life will begin either: it is being freed, or nothing tells yet that it is of a network. */
		return tears_down(cookie_role(cookie)) || is_of_none ? 0 : NOT_KNOWN;
	}
	if (life->first || !life->netns)
		return NOT_KNOWN;
	if (life->state != LIFE_ALIVE && (life->state != LIFE_DYING || !tears_down(cookie_role(cookie))))
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
	/* Neither 0 nor OFFSET_NONE. */
	if (life->state == LIFE_ALIVE && network - 1 < OFFSET_NONE - 1 && !same_name(life, head + network, protocol))
		return NOT_KNOWN;

	if ((u64)skb->dev != life->dev)
		relocate(address, socket);
	life->head = head;
	if (caller)
		note_caller(life, caller, frame);
	if (life->parent)
		flags |= FLAG_LINKED;
	seq = next_seq(life);
	token = 0;
	event = reserve(sizeof(*event));
	if (event) {
		fill_header_of(&event->header, EVENT_ENTER, life->id, seq, cookie_probe(cookie), flags, task);
		event->skb = address;
		event->frame = frame;
		/* With ifindex, which is behind it in both. */
		*(u64 *)&event->netns = *(const u64 *)&life->netns;
		event->len = skb->len;
		event->mark = skb->mark;
		/* With _pad0 and details, which are 0. */
		*(u64 *)&event->protocol = be16_to_host(protocol);
		submit(event);
		token = call_token(life, seq);
	}
	/* So that clang does not keep the role for this. */
	asm volatile("" : "+r"(cookie));
	if (cookie & COOKIE_ROLE && frees(cookie_role(cookie)))
		end_by(cookie_role(cookie), life, address, cookie_probe(cookie));
	return token;
}

#endif
