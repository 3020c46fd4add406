/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * calls.h - calls that are under way, for the backends without a session cookie: the exit program finds here what the enter
 * program noted.
 *
 * A call is known by its stack frame and its probe. The frame alone is not enough: a function that ends in a jump to another one (a
 * tail call) shares its frame with it, and both return. Kernel addresses are equal in the upper 16 bits, which leaves room for
 * the probe. The two are unique among all running calls.
 *
 * To add an entry to a map, to find it and to remove it takes five hundred instructions, as many as everything else that an exit
 * does. So each key has one place in a table that is looked at first; the map is for what finds its place taken. An exit that
 * was missed leaves its entry there: then the next call in that frame takes its place, and until then others with the same
 * place are kept in the map, which costs time and nothing else.
 */
#ifndef SKBSPAN_CALLS_H
#define SKBSPAN_CALLS_H

#include "config.h"
#include "maps.h"

struct call_place {
	u64 key; /* of the call that has it; 0: it is free */
	u64 token; /* of that call; written after the key, read before the key is taken away */
	u64 others; /* entries in `calls` whose place this is, or more: 0 says that there are none */
	u64 _pad;
};

struct call_place call_places[CALL_PLACES] SEC(".data.call_places");

static __always_inline u64 call_key(u64 frame, u32 probe)
{
	return frame << 16 | (probe & 0xffff);
}

static __always_inline struct call_place *place_of(u64 key)
{
	u32 hash = key * 0x9e3779b97f4a7c15ULL >> 32;

	return &call_places[hash & (config.call_places - 1)];
}

/* False: no place for it, counted; its exit will not be matched. */
static __always_inline bool open_call(u64 key, u64 token)
{
	struct call_place *place = place_of(key);
	u64 holder = __sync_val_compare_and_swap(&place->key, 0, key);

	if (!holder || holder == key) {
		/* What an older call in this frame left in the map would be found by an exit whose enter is not noted. */
		if (place->others && !bpf_map_delete_elem(&calls, &key))
			__sync_fetch_and_add(&place->others, -1);
		place->token = token;
		return true;
	}
	/* First: so that nobody finds 0 while the entry is there. */
	__sync_fetch_and_add(&place->others, 1);
	if (!bpf_map_update_elem(&calls, &key, &token, BPF_ANY))
		return true;
	__sync_fetch_and_add(&place->others, -1);
	count(COUNT_LOST_CALLS_FULL);
	return false;
}

/* The token of the call that ends; 0: it was not noted. */
static __always_inline u64 close_call(u64 key)
{
	struct call_place *place = place_of(key);
	u64 *open, token;

	if (place->key == key) {
		token = place->token;
		__sync_lock_test_and_set(&place->key, 0);
		return token;
	}
	open = place->others ? bpf_map_lookup_elem(&calls, &key) : NULL;
	if (!open)
		return 0;
	token = *open;
	if (!bpf_map_delete_elem(&calls, &key))
		__sync_fetch_and_add(&place->others, -1);
	return token;
}

#endif
