/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* maps.h - every map with its key, its owner and who deletes. */
#ifndef SKBSPAN_MAPS_H
#define SKBSPAN_MAPS_H

#include "core.h"
#include "config.h"
#include "event.h"
#include <bpf/bpf_helpers.h>

#define RING_BYTES_DEFAULT (64 * 1024 * 1024)
#define CALLS_MAX 65536
#define TASKS_MAX 8192
#define REFUSED_MAX 65536
#define MERGING_MAX 4096
#define FIRST_FRAGMENTS_MAX 4096
#define DEVICES_MAX 1024

/* Records to user space. User space sets the size before load and reads in place; nobody is woken. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES_DEFAULT);
} ring SEC(".maps");

enum life_state {
	/* These three are over. */
	LIFE_NONE = 0, /* the place is free; or who set this, and nobody else, may leave it or begin a life in it */
	LIFE_DYING = 1, /* the last reference is gone; only release functions may still run on it */
	LIFE_GONE = 2, /* left to another CPU to free, at some time: as if dying, and with no more calls */
	LIFE_ALIVE = 3,
	LIFE_IGNORED = 4, /* a packet of skbspan itself: nothing is recorded of it or of its clones */
};

#define PHASE_STATE 0xffU
#define PHASE_ID_SHIFT 16

/* What is known of the skb that lives at an address. Its first three members are of the place in the table: lives.h. */
struct life {
	u64 skb; /* address; 0: the place is free */
	u32 others; /* lives that are displaced from here, or more: 0 says that there are none */
	u32 place; /* of a spare one: its number; 0: this is a home */
	u64 id;
	u64 parent; /* life, 0: none */
	u64 dev; /* skb->dev at the last event, as raw bits: what netns and ifindex were read from */
	u64 head; /* skb->head at the last event */
	u64 release_caller; /* who called the last release function on it (track.h) */
	/* struct flow_name (packet.h) at the last packet record */
	u64 addresses;
	u64 named; /* 0: no header was seen yet */
	union {
		struct {
			u32 seq; /* next sequence number */
			union {
				u8 state; /* enum life_state */
				u32 phase; /* the state, and in the upper half of the id that much: so nobody takes a life for an older one */
			};
		};
		u64 progress; /* all of that, for who may have to end a life that another CPU is ending */
	};
	u32 netns;
	u32 ifindex;
	u32 tid; /* whom the last event ran in, to look tasks up only when that changes */
	u8 first; /* nothing but a link was sent so far */
	u8 aged; /* rounds of collect() that found it dying */
	u8 received; /* tracepoint backend: it has arrived and was not sent on since */
	u8 _pad;
	u32 arrived_at; /* tracepoint backend: where data began in the buffer when a driver handed it over */
	u32 release_frame; /* of the function that release_caller called: low half */
	/* surroundings.h: what was told last */
	u64 socket; /* address */
	u64 conntrack; /* skb->_nfct */
	u32 conntrack_status; /* at the last call */
	u32 conntrack_told; /* status as told */
};

/*
 * The places (lives.h): an array of struct life that is one value, which user space makes and reuses here, so that it is called by its
 * name. Owner: track.h. A place is left when the memory goes back (ROLE_FREE_MEMORY); taken by the next life when a birth or a first
 * sight shows that the address holds a new skb; collected when its life was dying for a second or two.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1);
	__uint(key_size, sizeof(u32));
	__uint(value_size, sizeof(struct life));
} lives SEC(".maps");

/* Lives that found their home taken. Key: address of the sk_buff. Value: a spare place. Owner: lives.h; deleted when the place is left. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LIFE_SPARES);
	__type(key, u64);
	__type(value, u32);
} displaced SEC(".maps");

/* Spare places that were left: a queue (lives.h). Key: its place in the queue. Value: a spare place, 0: none. Owner: lives.h. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, LIFE_SPARES);
	__type(key, u32);
	__type(value, u32);
} spares SEC(".maps");

/*
 * Which places were taken, a bit each, so that collect_dead() in links.h need not look at all of them. Key: the place's number / 64.
 * Owner: lives.h; a bit is taken away when its place is found free.
 */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ((1 << LIFE_HOMES_BITS) + LIFE_SPARES) / 64);
	__type(key, u32);
	__type(value, u64);
} taken SEC(".maps");

/*
 * Packets that found no place in `lives`: so that each is counted once, and not followed from the middle of its way on. Key:
 * address of the sk_buff; value: it has arrived (tracepoint.h). Owner: track.h. Deleted with the packet. LRU: a packet that is
 * pushed out may be counted again.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, REFUSED_MAX);
	__type(key, u64);
	__type(value, u8);
} refused SEC(".maps");

/* A merge, or the deferring of a free, that is being tried. Key: life that goes into another one, or away. Owner: links.h; deleted when the call returns. */
struct merging {
	u64 skb; /* address */
	u64 into; /* address */
};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, MERGING_MAX);
	__type(key, u64);
	__type(value, struct merging);
} merging SEC(".maps");

/* The fragment that came first to a queue of reassembly. Key: address of the queue. Owner: links.h; LRU: nobody deletes. */
struct first_fragment {
	u64 skb; /* address */
	u64 life;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, FIRST_FRAGMENTS_MAX);
	__type(key, u64);
	__type(value, struct first_fragment);
} first_fragments SEC(".maps");

/*
 * Open calls of the backends without a session cookie that found their place taken. Key: stack frame and probe of the call.
 * Value: call token (track.h). Owner: calls.h.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, u64);
	__type(value, u64);
} calls SEC(".maps");

/* How many runs of tp_kmem_cache_free are under way on this CPU: 0 or 1. Owner: tracepoint.h. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, u64);
} freeing SEC(".maps");

#define RUNNING_LEVELS 4 /* a power of two */

/* A call on an skb that has not returned, and around which there is none on the same life on its stack. */
struct running_call {
	u64 frame;
	u64 caller; /* what stands in that frame while the call runs; 0: its exit is watched, which is surer */
	u64 skb;
	u64 life;
};

struct running {
	struct running_call levels[RUNNING_LEVELS]; /* outermost first */
	u32 depth;
	u32 _pad;
};

/*
 * What runs on a kernel stack, if functions without an skb are watched. Key: the task's stack; below 2^32: that of interrupts on
 * one CPU, which is its number and 1. Owner: inner.h. LRU: nobody deletes.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TASKS_MAX);
	__type(key, u64);
	__type(value, struct running);
} running SEC(".maps");

/* Lookups in BPF maps that have not returned. Key: call token. Value: the struct bpf_map. LRU: nobody deletes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEVICES_MAX);
	__type(key, u64);
	__type(value, u64);
} lookups SEC(".maps");

/* Tasks already told to user space. Key: tid. Value: hash of comm, so that an exec is told again. LRU: nobody deletes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, TASKS_MAX);
	__type(key, u32);
	__type(value, u64);
} tasks SEC(".maps");

/* Devices already told. Key: netns << 32 | ifindex. Value: when, ns; told again after a second (renames). LRU: nobody deletes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, DEVICES_MAX);
	__type(key, u64);
	__type(value, u64);
} devices SEC(".maps");

/* Key: enum counter. Owner: every program. Never deleted or reset. */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, COUNTER_SLOTS);
	__type(key, u32);
	__type(value, u64);
} counters SEC(".maps");

static __always_inline void count(u32 which)
{
	u64 *slot = bpf_map_lookup_elem(&counters, &which);

	/* Atomic: an interrupt on this CPU may count too. */
	if (slot)
		__sync_fetch_and_add(slot, 1);
}

#endif
