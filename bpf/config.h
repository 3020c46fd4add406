/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * config.h - what user space decides before load (`const volatile`: the verifier removes dead branches), and what it
 * sets while they run. Every option is off or at its default here.
 */
#ifndef SKBSPAN_CONFIG_H
#define SKBSPAN_CONFIG_H

#include "core.h"
#include <bpf/bpf_helpers.h>

#define TRAMPOLINES 3
#define OWN_MAPS 32
#define CALL_PLACES (1 << 14)
#define LIVES_MAX 65536
#define LIFE_HOMES_BITS 17 /* twice as many as lives */
#define LIFE_SPARES (LIVES_MAX / 4)
#define LIST_MEMBERS_MAX 64 /* what drivers and NAPI hand over at once */

/* What a packet must be for a new life to begin, besides its namespace: all that are asked for. */
enum filter {
	FILTER_PCAP = 1, /* pcap_filter() of the packet */
	FILTER_TUNNEL_LINK = 2, /* of the packet in a tunnel, from its MAC header on */
	FILTER_TUNNEL_NETWORK = 4, /* from its network header on */
	FILTER_MARK = 8, /* (skb->mark & mark_mask) == mark */
	FILTER_IFNAME = 16, /* on a device of that name */
	FILTER_PROCESS = 32, /* sent by that process */
	FILTER_CGROUP = 64, /* its socket belongs to that cgroup or one below */
	FILTER_EXPRESSION = 128, /* skb_filter() of the skb */
	FILTER_SAMPLE = 256, /* one of sample_rate packets, by their content */
	FILTER_TRANSMIT = 512, /* made on this host */
	FILTER_RECEIVE = 1024, /* came in by a device */
};

/* What is known of the pcap filter, for glance.h. */
enum glance {
	GLANCE_POSSIBLE = 1, /* its answer does not depend on a packet's length */
	GLANCE_EITHER = 2, /* and there is code for WINDOW_EITHER */
};

struct config {
	u64 cgroup; /* id */
	u32 netns; /* follow only packets first seen in this network namespace (inode number); 0: all */
	u32 snaplen; /* bytes of a packet to keep, 0..SNAPLEN_MAX */
	u32 ignored_tgid; /* ignore what this process sends (skbspan itself: its export must not feed the trace); 0: nobody */
	u32 filters; /* enum filter */
	u32 mark;
	u32 mark_mask;
	u32 tgid;
	u32 cgroup_level; /* of the cgroup, root: 0 */
	u32 sample_rate;
	u32 questions; /* how many of the filters are code that is put in; the verifier walks first_look() once more for each */
	char ifname[16]; /* the rest zero */
	/* What to tell of each call besides (detail.h). */
	u32 details; /* enum detail, MAP and VALUE not among them */
	u32 stack_bytes; /* a multiple of 8 */
	u32 values; /* how many expressions, at most DETAIL_VALUES_MAX */
	u32 skb_bytes; /* size of struct sk_buff */
	u32 shared_bytes; /* and of struct skb_shared_info */
	u32 inner; /* 1: functions without an skb are watched (inner.h) */
	u32 thread_bytes; /* size of a task's kernel stack */
	u32 list_members; /* of a list, whose calls are told; at most LIST_MEMBERS_MAX */
	u32 remembers; /* 1: the kernel searches for an attach cookie, see cookie_of() in function.h */
	u32 glance; /* enum glance */
	u32 call_places; /* how many places of calls.h are used; a power of two */
	u32 lives; /* how many there may be at once */
	u32 life_homes; /* of the map `lives`: 1 << (64 - life_shift), at least twice as many */
	u32 life_shift;
	u32 life_places; /* homes, and behind them the spare ones */
	u32 life_spares; /* of them: a fourth of the lives, for when all are there a fifth of them is displaced */
};

/* Whether XDP programs are watched, so that packets may be frames before and after they are skbs (frame.h). */
enum frame_watch {
	FRAMES_NONE = 0,
	FRAMES_WATCHED = 1,
	FRAMES_COPIED = 2, /* and who copies an skb for XDP is not: a copy is known by its content */
};

struct control {
	/*
	 * Where a function whose exit is watched seems to return to (the kernel's trampolines for kretprobe, rethook and the
	 * function graph), 0: none. A tracepoint's location there says nothing: see release_caller in track.h. Not in `config`:
	 * reading the kernel's symbols takes as long as loading the programs, and so happens meanwhile.
	 */
	u64 trampolines[TRAMPOLINES];
	/* How the address of a page is found from its struct page; only a filter that looks into fragments asks. */
	u64 page_offset; /* where the map of all memory begins */
	u64 vmemmap; /* where its struct pages begin */
	/* Ids of our own maps, whose use is not told; the rest 0. */
	u32 own_maps[OWN_MAPS];
	u32 page_bytes; /* 0: unknown, fragments cannot be read */
	u32 frames; /* enum frame_watch */
	u32 recording; /* 1: record. Starts at 0, so that nothing is recorded of a half-attached set; 0 again stops at once */
	/*
	 * 1: besides, nothing is on that the short way (known.h) leaves out: no frames, no details, no functions without an skb. So one
	 * look tells all of that.
	 */
	u32 short_way;
};

/* Each alone in its section, so that user space finds it at offset 0 of the map with that name. */
const volatile struct config config SEC(".rodata.config") = {
	.snaplen = 128,
	.list_members = LIST_MEMBERS_MAX,
	.call_places = CALL_PLACES,
	.lives = LIVES_MAX,
	.life_homes = 1U << LIFE_HOMES_BITS,
	.life_shift = 64 - LIFE_HOMES_BITS,
	.life_spares = LIFE_SPARES,
	.life_places = (1U << LIFE_HOMES_BITS) + LIFE_SPARES,
};
volatile struct control control SEC(".data.control");

#endif
