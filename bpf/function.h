/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * function.h - what happens when a probed kernel function begins and returns, the same for all function backends. What is
 * to be known of the function comes in the attach cookie (event.h).
 */
#ifndef SKBSPAN_FUNCTION_H
#define SKBSPAN_FUNCTION_H

#include "regs.h"
#include "frame.h"
#include "inner.h"

static __always_inline u32 cookie_probe(u64 cookie)
{
	return (u32)cookie;
}

static __always_inline u32 cookie_role(u64 cookie)
{
	return cookie >> COOKIE_ROLE_SHIFT & 0xff;
}

static __always_inline bool cookie_silent(u64 cookie)
{
	return cookie >> COOKIE_SILENT_SHIFT & 1;
}

static __always_inline bool cookie_exits(u64 cookie)
{
	return cookie >> COOKIE_EXIT_SHIFT & 1;
}

/* skb_copy_header(new, old): the one place all copies come through. The link comes first: the call counts as the copy's. */
static __always_inline void on_copy(u64 new, u64 old, u32 probe)
{
	struct life *parent = bpf_map_lookup_elem(&lives, &old);

	address_reborn(new);
	if (parent && parent->state != LIFE_DYING)
		begin_child(new, parent->state == LIFE_IGNORED ? IGNORED_TOKEN : call_token(parent, 0), false, probe,
			    LINK_COPY);
	see_copy(new);
}

/* Returns the token of the call, 0: none. *watch_exit: the exit matters even without one. */
static __always_inline u64 on_enter(const struct probe_regs *ctx, u64 cookie, u64 frame, bool *watch_exit)
{
	struct probe probe = {
		.id = cookie_probe(cookie),
		.role = cookie_role(cookie),
		.frame = frame,
		.flags = cookie_exits(cookie) ? 0 : FLAG_ENTER_ONLY,
		.silent = cookie_silent(cookie),
	};
	u64 token;

	*watch_exit = probe.role == ROLE_CLONE || probe.role == ROLE_ALLOC;
	if (!control.recording)
		return 0;
	if (probe.role == ROLE_INNER) {
		if (!config.inner)
			return 0;
		token = on_inner(&probe, 0);
		tell_details((void *)ctx, &probe.skb, token);
		return token;
	}
	if (probe.role == ROLE_COPY)
		on_copy(regs_argument(ctx, 1), regs_argument(ctx, 2), probe.id);
	if (probe.role == ROLE_FRAME_RETURN)
		on_frame_returned(regs_argument(ctx, 1), regs_caller(ctx));
	probe.skb = regs_argument(ctx, cookie >> COOKIE_SKB_ARG_SHIFT & 15);
	probe.sock = regs_argument(ctx, cookie >> COOKIE_SK_ARG_SHIFT & 15);
	if (!probe.skb)
		return 0;
	if (probe.role == ROLE_RELEASE || probe.role == ROLE_FREE)
		probe.caller = regs_caller(ctx);
	token = follow_frames(&probe);
	if (config.inner && token && token != IGNORED_TOKEN && !probe.silent)
		begin_running(&probe, token);
	if (!probe.silent)
		tell_details((void *)ctx, &probe.skb, token);
	return token;
}

/* `frame`: the stack pointer when the function began. Apart, for what it needs of the stack is not to be added to on_call's. */
static __noinline int on_exit(const struct probe_regs *ctx, u64 cookie, u64 token, u64 frame)
{
	u32 role = cookie_role(cookie), probe = cookie_probe(cookie);
	u64 result = REGS_RETURN(ctx);

	if (!control.recording)
		return 0;
	if (config.inner && token && token != IGNORED_TOKEN)
		end_running(frame);
	if ((role == ROLE_CLONE || role == ROLE_ALLOC) && result) {
		address_reborn(result);
		if (role == ROLE_CLONE && token)
			begin_child(result, token, !cookie_silent(cookie), probe, LINK_CLONE);
	}
	if (token && token != IGNORED_TOKEN && !cookie_silent(cookie))
		emit_exit(token, probe, result);
	return 0;
}

/*
 * Open calls are kept by their stack frame where the kernel has no session cookie. The frame alone is not enough: a function
 * that ends in a jump to another one (a tail call) shares its frame with it, and both return. Kernel addresses are equal in
 * the upper 16 bits, which leaves room for the probe.
 */
static __always_inline u64 call_key(u64 frame, u64 cookie)
{
	return frame << 16 | (cookie_probe(cookie) & 0xffff);
}

static __always_inline void open_call(u64 frame, u64 cookie, u64 token)
{
	u64 key = call_key(frame, cookie);

	if (bpf_map_update_elem(&calls, &key, &token, BPF_ANY))
		count(COUNT_LOST_CALLS_FULL);
}

static __always_inline u64 close_call(u64 frame, u64 cookie)
{
	u64 key = call_key(frame, cookie), *open = bpf_map_lookup_elem(&calls, &key), token = 0;

	if (open) {
		token = *open;
		bpf_map_delete_elem(&calls, &key);
	}
	return token;
}

#endif
