/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * track.h - which skb is which: lives, their births, deaths and links.
 *
 * The address of an sk_buff says nothing: the slab and the NAPI cache hand it out again within microseconds. So the map
 * `lives` (lives.h) holds, per address, the life that is there now, and three things guard it:
 *
 * 1. Birth. When a function that allocates an skb returns (ROLE_ALLOC, ROLE_CLONE), whatever life the address had is over.
 *    The new skb gets a life of its own at its first sight as a packet (or at once, if it comes from a life: links.h).
 * 2. Dying. At the last reference (tracepoints kfree_skb and consume_skb, __kfree_skb and its siblings) the life is marked
 *    dying and user space is told; where freeing is left to another CPU, at once (deferred() in links.h). From then on only
 *    functions that tear an skb down (ROLE_RELEASE and up) are calls of this life. Any other function that sees the address
 *    is looking at a new packet, whether its birth was seen or not.
 * 3. Memory. When the sk_buff itself goes back (ROLE_FREE_MEMORY) the place is left. Several free paths never come there
 *    (NAPI cache, bulk free, stolen heads): their lives stay, dying, until the address is used again, or collect_dead() in
 *    links.h finds them the second time. That is why 2 does not depend on 3.
 *
 * A packet that finds no place in `lives` is refused for good, until its address is born again: so each is counted once, and
 * no path begins in the middle of a packet's way because a place got free meanwhile.
 *
 * Where neither death nor birth can be seen (tracepoint backend: __kfree_skb has no tracepoint), `skb_is_new` in
 * tracepoint.h judges by the place the packet is at.
 *
 * A call token is `life << 16 | (seq & 0xffff)`: what an exit needs to find its call, in the 8 bytes a session cookie has. The
 * first record of a life is never a call, so a zero for seq says that the call was not recorded.
 */
#ifndef SKBSPAN_TRACK_H
#define SKBSPAN_TRACK_H

#include "caller.h"
#include "lives.h"
#include "packet.h"
#include "surroundings.h"

#define HAS_FILTERS (config.filters || config.netns)

struct probe {
	u32 id;
	u32 role;
	u64 skb; /* address */
	u64 sock; /* 0: none known */
	u64 frame; /* 0: a tracepoint */
	u64 caller; /* of a release function; else 0 */
	u8 flags; /* for the enter record */
	u8 silent; /* only for tracking: no call is recorded, no life begun */
	u8 unborn; /* there are filters, and may_live() was asked and said no */
};

/* What detail records follow a call; none in programs.bpf.o, which tells no details. */
#ifndef CALL_DETAILS
#define CALL_DETAILS config.details
#endif

/* Token of any call on an ignored life; no life has the id 2^48 - 1. */
#define IGNORED_TOKEN (~0ULL)

static __always_inline u64 call_token(const struct life *life, u32 seq)
{
	return life->id << 16 | (seq & 0xffff);
}

/* Packets were refused in this run: only then is there something to look up. */
u64 refusals;

/* No place for this packet: it is not followed from here on either. */
static __always_inline void refuse(u64 skb)
{
	u8 received = 0;

	refusals = 1;
	bpf_map_update_elem(&refused, &skb, &received, BPF_ANY);
}

static __always_inline void forget_refusal(u64 skb)
{
	if (refusals)
		bpf_map_delete_elem(&refused, &skb);
}

/* The address holds a new skb: what lived there has ended, seen or not. A global function, as those of links.h. */
__noinline int address_reborn(u64 skb)
{
	struct life *life = life_at(skb);

	forget_refusal(skb);
	if (!life)
		return 0;
	if (life->state == LIFE_ALIVE) {
		count(COUNT_REUSED);
		emit_free(life, skb, 0, NO_PROBE, FREE_REUSED);
	}
	forget(skb, life);
	return 0;
}

/* `parent`: a life, 0: none. NULL: no place; counted, once for the packet. */
static __always_inline struct life *begin_life(u64 skb, u64 parent, u32 state)
{
	struct life *life = life_at(skb);
	u32 bit = lived_bit(skb);
	u32 place = 0;

	__sync_fetch_and_or(&lived[bit / 64], 1ULL << bit % 64);
	if (!life) {
		place = take_place(skb);
		life = life_in(place);
	} else if (!claim_dead(life, skb)) {
		place = BUSY_PLACE;
	}
	if (!life || place == BUSY_PLACE) {
		count(parent ? COUNT_LOST_LINKS : place == BUSY_PLACE ? COUNT_LOST_LIVES_BUSY : COUNT_LOST_LIVES_FULL);
		refuse(skb);
		return NULL;
	}
	/* With it the state, which stays LIFE_NONE until all else is right. */
	__builtin_memset(&life->id, 0, sizeof(*life) - __builtin_offsetof(struct life, id));
	life->first = 1;
	if (state != LIFE_IGNORED) {
		life->id = mint_life();
		life->parent = parent;
		count(COUNT_LIVES);
	}
	*(volatile u32 *)&life->phase = state | (u32)life->id << PHASE_ID_SHIFT;
	return life;
}

/*
 * Where the skb is, read anew only when skb->dev changed. Without a device the socket tells the namespace; where neither
 * does, the last known one stays.
 */
static __always_inline void locate(struct life *life, u64 raw, const struct sock *sk)
{
	const struct net_device *dev = (void *)raw;
	u32 netns;

	if (life->dev == raw && life->netns)
		return;
	life->dev = raw;
	netns = device_netns(dev);
	if (netns) {
		life->netns = netns;
		life->ifindex = WORD_OF(struct net_device, dev, ifindex);
	} else {
		life->ifindex = 0;
		if (family_has_packets(sock_family(sk))) {
			netns = netns_inode(BPF_CORE_READ(sk, __sk_common.skc_net.net));
			if (netns)
				life->netns = netns;
		}
	}
	if (life->ifindex)
		tell_device(dev, life->netns, life->ifindex);
}

/* Of a network, and of the one that is asked for? Needs a device or a socket of a network family: see skb.h. */
static __always_inline bool in_network(const struct skb_copy *skb, const struct sock *sk)
{
	u32 netns = device_netns((void *)skb->dev);

	if (!netns) {
		if (!family_has_packets(sock_family(sk)))
			return false;
		if (config.netns)
			netns = netns_inode(BPF_CORE_READ(sk, __sk_common.skc_net.net));
	}
	return !config.netns || netns == config.netns;
}

/* A packet that is to be followed? Arguments as of filters_match(). */
static __always_inline enum verdict wanted(struct skb_copy *skb, u64 address, u64 head, u64 sock,
					   struct question *question)
{
	enum verdict verdict = filters_match(skb, address, head, sock, question);

	if (verdict != VERDICT_YES)
		return verdict;
	return in_network(skb, (void *)(skb->sk ? skb->sk : sock)) ? VERDICT_YES : VERDICT_NO;
}

#define STACK_BYTES 16384

/* Is it skbspan itself that runs, and not a softirq that interrupted it? That one has a stack of its own. */
static __always_inline bool runs_ourselves(u64 frame)
{
	const struct task_struct *current;

	if (!config.ignored_tgid || bpf_get_current_pid_tgid() >> 32 != config.ignored_tgid)
		return false;
	current = (void *)bpf_get_current_task();
	/* A tracepoint does not tell its stack. */
	return !frame || frame - (u64)BPF_CORE_READ(current, stack) <= STACK_BYTES;
}

/*
 * A packet that skbspan itself sends. The socket is what tells: a packet that arrives while skbspan happens to run on the CPU
 * has none at its first sight.
 */
static __always_inline bool ignored(const struct probe *probe, const struct sock *sk)
{
	return runs_ourselves(probe->frame) && family_has_packets(sock_family(sk));
}

/* The last reference is gone. True: for whoever asks first, and is to tell it; another CPU may be about to (deferred() in links.h). */
static __always_inline bool begins_to_die(struct life *life)
{
	u32 phase = life->phase;

	return (phase & PHASE_STATE) == LIFE_ALIVE && change_state(life, phase, LIFE_DYING);
}

static __always_inline void die(struct life *life, u64 skb, u64 location, u32 probe, u8 how)
{
	if (begins_to_die(life))
		emit_free(life, skb, location, probe, how);
}

/* Roles whose functions may run on a dying skb, and begin no life. */
static __always_inline bool tears_down(u32 role)
{
	return (role >= ROLE_RELEASE && role < ROLE_CLONE) || role == ROLE_DEFER;
}

/* May a tracepoint of freeing say that it was called by one of this role? See note_caller(). */
static __always_inline bool is_releasing(u32 role)
{
	return role == ROLE_RELEASE || role == ROLE_FREE;
}

/* Is what a function of this role does here no longer of this life? */
static __always_inline bool is_over_for(const struct life *life, u32 role)
{
	return life->state == LIFE_DYING ? !tears_down(role) : is_over(life);
}

/* What a function of freeing does to the life, once its call is recorded. */
static __always_inline void end_by(u32 role, struct life *life, u64 skb, u32 probe)
{
	die(life, skb, 0, probe, role == ROLE_FREE ? FREE_RELEASED : FREE_MEMORY);
	if (role == ROLE_FREE_MEMORY)
		forget(skb, life);
}

static __always_inline bool frees(u32 role)
{
	return role == ROLE_FREE || role == ROLE_FREE_MEMORY;
}

/* The same to whatever life is at the address. A global function, as those of links.h. */
__noinline int end_at(u64 skb, u32 role, u32 probe)
{
	struct life *life = life_at(skb);

	if (life && !is_over_for(life, role))
		end_by(role, life, skb, probe);
	return 0;
}

/*
 * What on_call() leaves to be done once the call is recorded. The padding stands before it on purpose: of a number that is at a multiple of
 * eight bytes on the stack the verifier knows which one it is, and would walk the rest of on_call() once for each.
 */
struct after_call {
	u32 _pad;
	u32 tell; /* TELL_* of surroundings.h */
};

/*
 * One call on an skb. Returns the call token, 0 if nothing was recorded: not followed, or lost (then an exit would have no
 * call to end). Makers get a token for every life that is followed; without a sequence number if there is no record. A packet
 * that no life is on must be a wanted one, if there are filters: is_unwanted() of follow.h.
 */
static __noinline u64 on_call(const struct probe *probe, struct after_call *after)
{
	struct skb_copy skb;
	const struct sock *sk;
	struct enter_event *event;
	struct life *life;
	u64 address = probe->skb, token = 0, head, task, sock;
	u32 seq;
	u8 flags = probe->flags;

	life = life_at(address);
	if (life && life->state == LIFE_IGNORED)
		return probe->role >= ROLE_CLONE ? IGNORED_TOKEN : 0;
	if (life && is_over_for(life, probe->role))
		life = NULL;
	if (life && probe->caller)
		note_caller(life, probe->caller, probe->frame);
	if (probe->silent)
		return life && probe->role >= ROLE_CLONE ? call_token(life, 0) : 0;
	if (!life && tears_down(probe->role))
		return 0;
	if (!skb_read(&skb, (void *)address, &head)) {
		count(COUNT_UNREADABLE);
		return 0;
	}
	sock = skb.sk ? (u64)skb.sk : probe->sock;
	FORGET(sock);
	sk = (void *)sock;
	if (!life) {
		if (refusals && bpf_map_lookup_elem(&refused, &address))
			return 0;
		if (!HAS_FILTERS && !in_network(&skb, sk))
			return 0;
		life = begin_life(address, 0, ignored(probe, sk) ? LIFE_IGNORED : LIFE_ALIVE);
		if (!life)
			return 0;
		if (life->state == LIFE_IGNORED)
			return probe->role >= ROLE_CLONE ? IGNORED_TOKEN : 0;
	}
	life->head = head;
	after->tell = news(life, (u64)sk, SKB_HAS_NFCT ? SKB_FIELD(&skb, u64, _nfct) : 0);
	locate(life, skb.dev, sk);
	task = bpf_get_current_pid_tgid();
	tell_task(life, task);
	if (life->parent)
		flags |= FLAG_LINKED;
	if (life->first)
		flags |= FLAG_FIRST;
	if (life->state == LIFE_ALIVE) {
		bool is_new = is_renamed(life, &skb, head);

		if (life->first || is_new) {
			emit_packet(life, address, &skb, (u64)sk, probe->id, flags);
			flags &= ~FLAG_FIRST;
		}
	}
	life->first = 0;

	seq = next_seq(life);
	/* A maker that finds no space in the ring must find its parent all the same. */
	if (probe->role >= ROLE_CLONE)
		token = call_token(life, 0);
	event = reserve(sizeof(*event));
	if (event) {
		fill_header_of(&event->header, EVENT_ENTER, life->id, seq, probe->id, flags, task);
		event->skb = address;
		event->frame = probe->frame;
		event->netns = life->netns;
		event->ifindex = life->ifindex;
		event->len = SKB_FIELD(&skb, u32, len);
		event->mark = SKB_FIELD(&skb, u32, mark);
		event->protocol = be16_to_host(SKB_FIELD(&skb, u16, protocol));
		event->_pad0 = 0;
		event->details = CALL_DETAILS;
		submit(event);
		token = call_token(life, seq);
	}
	return token;
}

#endif
