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
#include "links.h"

/*
 * kprobe.multi finds the cookie of a function by bisection over all functions of the link: three hundred instructions, more than
 * are run for a packet that a cheap filter does not want. So cookies are remembered by the function's address, of which the
 * lower 32 bits differ between all functions: 14 of them choose the place, and the 18 others stand in the bits that a cookie
 * leaves free. An entry is written as a whole, over the one that was there. With a probe id of 2^28 and more: not kept.
 */
#define REMEMBERED 16384
#define REMEMBERED_TAG 0xfffc0000f0000000ULL
u64 remembered[REMEMBERED] SEC(".data.remembered");

static __always_inline u64 cookie_of(void *ctx)
{
	u64 address, tag, cookie;
	u32 place;

	if (!config.remembers)
		return bpf_get_attach_cookie(ctx);
	address = bpf_get_func_ip(ctx);
	place = address >> 4 & (REMEMBERED - 1);
	tag = (address >> 18 & 0x3fff) << 50 | (address & 15) << 28;
	cookie = remembered[place];
	if (cookie && (cookie & REMEMBERED_TAG) == tag)
		return cookie & ~REMEMBERED_TAG;
	cookie = bpf_get_attach_cookie(ctx);
	if (!(cookie & REMEMBERED_TAG))
		remembered[place] = cookie | tag;
	return cookie;
}

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

/*
 * The exit matters even without a token. To be asked after on_enter(), not before: the verifier would walk all of it for either answer.
 */
static __always_inline bool watches_exit(u64 cookie)
{
	asm volatile("" : "+r"(cookie));
	return makes_at_exit(cookie_role(cookie));
}

/* As follow_frames(). What only a packet that is followed needs is found out when that is known. */
static __always_inline u64 on_skb(const struct probe_regs *ctx, struct probe *probe)
{
	u32 is_known = (probe->role & 0xff) + 1; /* any number but 0, so that both ways are one to the verifier */
	u64 token = 0;

	if (control.frames)
		is_known = see_skb(probe->skb, probe->id, probe->role);
	if (!is_unwanted(probe)) {
		if (probe->role == ROLE_RELEASE || probe->role == ROLE_FREE)
			probe->caller = regs_caller(ctx);
		probe->ours = runs_ourselves(probe->frame);
		token = follow_wanted(probe);
	}
	if (!is_known)
		see_skb(probe->skb, probe->id, probe->role);
	return token;
}

/* Returns the token of the call, 0: none. */
static __always_inline u64 on_enter(const struct probe_regs *ctx, u64 cookie, u64 frame)
{
	struct probe probe = {
		.id = cookie_probe(cookie),
		.role = cookie_role(cookie),
		.frame = frame,
		.flags = cookie_exits(cookie) ? 0 : FLAG_ENTER_ONLY,
		.silent = cookie_silent(cookie),
	};
	u64 token;

	if (!control.recording)
		return 0;
	if (probe.role == ROLE_INNER) {
		if (!config.inner)
			return 0;
		token = on_inner(&probe, 0);
		tell_details((void *)ctx, &probe.skb, token);
		return token;
	}
	if (probe.role == ROLE_FRAME_RETURN)
		on_frame_returned(regs_argument(ctx, 1), regs_caller(ctx));
	probe.skb = regs_argument(ctx, cookie >> COOKIE_SKB_ARG_SHIFT & 15);
	probe.sock = regs_argument(ctx, cookie >> COOKIE_SK_ARG_SHIFT & 15);
	if (!probe.skb)
		return 0;
	token = on_skb(ctx, &probe);
	if (makes_at_enter(probe.role))
		relate(probe.role, regs_argument(ctx, 1), probe.skb, token, probe.id);
	if (probe.role == ROLE_COPY)
		see_copy(regs_argument(ctx, 1));
	if (config.inner && token && token != IGNORED_TOKEN && !probe.silent)
		begin_running(&probe, token);
	/* A call without a sequence number was not recorded. */
	if (!probe.silent && token & 0xffff)
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
	if (makes_at_exit(role))
		relate_result(role, result, token, probe);
	if (token & 0xffff && token != IGNORED_TOKEN)
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

/* False: no place for it, counted; its exit will not be matched. */
static __always_inline bool open_call(u64 frame, u64 cookie, u64 token)
{
	u64 key = call_key(frame, cookie);

	if (!bpf_map_update_elem(&calls, &key, &token, BPF_ANY))
		return true;
	count(COUNT_LOST_CALLS_FULL);
	return false;
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
