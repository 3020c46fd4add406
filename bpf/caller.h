/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * caller.h - who let go of a packet.
 *
 * The tracepoints of freeing say who called the free function by the address it returns to. While its exit is watched, that
 * is a trampoline. So whoever calls a release function is noted when it begins, and is the answer then. Several of them may
 * share a frame (each ends in a jump to the next): then the first one's caller stays. 0 if it was not seen (a jump out of
 * another watched function); what was noted in another frame is of another call, long over.
 */
#ifndef SKBSPAN_CALLER_H
#define SKBSPAN_CALLER_H

#include "config.h"
#include "maps.h"

#define TRAMPOLINE_BYTES 256

static __always_inline bool is_trampoline(u64 address)
{
	for (u32 i = 0; i < TRAMPOLINES; i++) {
		u64 trampoline = control.trampolines[i];

		if (trampoline && address - trampoline < TRAMPOLINE_BYTES)
			return true;
	}
	return false;
}

static __always_inline void note_caller(struct life *life, u64 caller, u64 frame)
{
	bool is_hidden = is_trampoline(caller);

	if (is_hidden && life->release_frame == (u32)frame)
		return;
	life->release_caller = is_hidden ? 0 : caller;
	life->release_frame = (u32)frame;
}

static __always_inline u64 real_location(const struct life *life, u64 location)
{
	return is_trampoline(location) ? life->release_caller : location;
}

#endif
