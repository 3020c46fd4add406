// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* One step on the table of lives (bpf/lives.h) at a time, for test/host/lives.test.ts. */
#include "../../bpf/core.h"
#include <bpf/bpf_helpers.h>
#include "../../bpf/event.h"
#include "../../bpf/config.h"
#include "../../bpf/follow.h"
#include "../../bpf/links.h"

enum step {
	STEP_FIND,
	STEP_BEGIN,
	STEP_DIE,
	STEP_FORGET,
	STEP_COLLECT,
	STEP_TAKEN,
	STEP_DISPLACED, /* how many ever were */
};

static __always_inline u64 number_of(const struct life *life)
{
	return life ? life->id : 0;
}

/* Arguments: enum step, address. Returns the id of the life that is or was there, 0: none. */
SEC("raw_tp/sys_enter")
int step(u64 *ctx)
{
	u64 step = ctx[0], skb = ctx[1], id;
	struct life *life;

	if (step == STEP_TAKEN)
		return life_counts.taken;
	if (step == STEP_DISPLACED)
		return life_counts.spares + life_counts.reused;
	if (step == STEP_COLLECT) {
		collect_dead();
		return 0;
	}
	if (step == STEP_BEGIN)
		return number_of(begin_life(skb, 0, LIFE_ALIVE));
	life = life_at(skb);
	id = number_of(life);
	if (life && step == STEP_DIE)
		begins_to_die(life);
	if (life && step == STEP_FORGET)
		forget(skb, life);
	return id;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
