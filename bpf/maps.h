/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* maps.h - every map with its key, its owner and who deletes. */
#ifndef SKBSPAN_MAPS_H
#define SKBSPAN_MAPS_H

#include "core.h"
#include "event.h"
#include <bpf/bpf_helpers.h>

#define RING_BYTES_DEFAULT (64 * 1024 * 1024)
#define LIVES_MAX 65536
#define CALLS_MAX 65536
#define TASKS_MAX 8192
#define DEVICES_MAX 1024

/* Records to user space. User space sets the size before load and reads in place; nobody is woken. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, RING_BYTES_DEFAULT);
} ring SEC(".maps");

enum life_state {
	LIFE_ALIVE = 0,
	LIFE_DYING = 1, /* the last reference is gone; only release functions may still run on it */
	LIFE_IGNORED = 2, /* a packet of skbspan itself: nothing is recorded of it or of its clones */
};

/* What is known of the skb that lives at an address. */
struct life {
	u64 id;
	u64 parent; /* life, 0: none */
	u64 dev; /* skb->dev at the last event, as raw bits: what netns and ifindex were read from */
	u64 head; /* skb->head at the last event */
	u64 release_caller; /* who called the last release function on it (track.h) */
	u64 addresses; /* hash of the flow's addresses at the last packet record; 0: no header was seen yet */
	u32 seq; /* next sequence number */
	u32 netns;
	u32 ifindex;
	u32 tid; /* whom the last event ran in, to look tasks up only when that changes */
	u8 state;
	u8 first; /* nothing but a link was sent so far */
	u8 _pad[6];
	/* surroundings.h: what was told last */
	u64 socket; /* address */
	u64 conntrack; /* skb->_nfct */
	u64 conntrack_status; /* at the last call */
	u64 conntrack_told; /* status as told */
};

/*
 * Key: address of the sk_buff. Owner: track.h. Deleted when the memory goes back (ROLE_FREE_MEMORY); replaced when a birth
 * or a first sight shows that the address holds a new skb.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, LIVES_MAX);
	__type(key, u64);
	__type(value, struct life);
} lives SEC(".maps");

/*
 * Open calls of the backends without a session cookie. Key: stack frame and probe of the call, unique among all running calls.
 * Value: call token (track.h). Owner: the enter program; deleted by the exit program. A stale entry (missed exit) is
 * overwritten by the next call in that frame.
 */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, CALLS_MAX);
	__type(key, u64);
	__type(value, u64);
} calls SEC(".maps");

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
