/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * follow.h - a call on an skb, with the filters asked: on_call() of track.h, and before or after it the code that was put in for an
 * expression, which has no room on the stack beside on_call().
 */
#ifndef SKBSPAN_FOLLOW_H
#define SKBSPAN_FOLLOW_H

#include "track.h"

/*
 * What is asked before on_call(): may it begin a life, or is there one? Most of what happens on a busy host is on skbs that nobody
 * follows and no filter wants, so that is found out first; and on_call() need not ask. Arguments as of on_frame() in arrival.h: if
 * the verdict is VERDICT_ASK, `question` is to be answered, and then this is to be asked again.
 */
static __noinline __maybe_unused enum verdict first_look(const struct probe *probe, struct question *question)
{
	struct life *life = probe->unborn ? NULL : life_at(probe->skb);
	struct skb_copy skb;
	u64 head;

	if (life && !is_over_for(life, probe->role))
		return VERDICT_YES;
	if (probe->silent || tears_down(probe->role))
		return VERDICT_NO;
	if (!skb_read_packet(&skb, (void *)probe->skb, &head))
		return VERDICT_YES; /* on_call() counts it */
	return wanted(&skb, probe->skb, head, probe->sock, question);
}

static __always_inline bool is_unwanted(const struct probe *probe)
{
	struct question question = {};

	if (!HAS_FILTERS)
		return false;
	for (u32 asked = 0; asked <= config.questions; asked++) {
		enum verdict verdict = first_look(probe, &question);

		if (verdict != VERDICT_ASK)
			return verdict == VERDICT_NO;
		if (!answer(&question, &probe->skb))
			return true;
	}
	return true;
}

/* on_call(), for what is not unwanted. */
static __always_inline u64 follow_wanted(const struct probe *probe)
{
	struct after_call after = {};
	u64 token = on_call(probe, &after);

	/* Also of a call that found no space: its number is taken, so that this is missed too. */
	if (after.tell)
		tell_surroundings(probe->skb, after.tell);
	if (frees(probe->role))
		end_at(probe->skb, probe->role, probe->id);
	return token;
}

static __always_inline u64 follow(const struct probe *probe)
{
	return is_unwanted(probe) ? 0 : follow_wanted(probe);
}

#endif
