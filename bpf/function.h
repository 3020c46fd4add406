/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * function.h - what happens when a probed kernel function begins and returns, the same for all function backends. What is
 * to be known of the function comes in the attach cookie (event.h).
 */
#ifndef SKBSPAN_FUNCTION_H
#define SKBSPAN_FUNCTION_H

#include "regs.h"
#include "calls.h"
#include "cookie.h"
#include "frame.h"
#include "glance.h"
#include "inner.h"
#include "known.h"
#include "links.h"

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
		if (is_releasing(probe->role))
			probe->caller = regs_caller(ctx);
		token = follow_wanted(probe);
	}
	if (!is_known)
		see_skb(probe->skb, probe->id, probe->role);
	return token;
}

/*
 * Of a cookie: none of these is set for a function that the user asked for and that does nothing to the skb but to free it. That the
 * three roles of freeing are the lowest makes it one look.
 */
#define COOKIE_SPECIAL                                                                                                 \
	((0xffULL & ~(ROLE_RELEASE | ROLE_FREE | ROLE_FREE_MEMORY)) << COOKIE_ROLE_SHIFT | 1ULL << COOKIE_SILENT_SHIFT)

/* eth_type_trans() is a function as any other where no frames are watched. */
static __always_inline bool is_special(u64 cookie)
{
	return cookie & COOKIE_SPECIAL && (cookie_role(cookie) != ROLE_ARRIVAL || cookie_silent(cookie));
}

/* Returns the token of the call, 0: none. */
static __always_inline u64 on_enter(const struct probe_regs *ctx, u64 cookie, u64 frame)
{
	u64 skb = regs_argument(ctx, cookie >> COOKIE_SKB_ARG_SHIFT & 15);
	u64 sock = regs_argument(ctx, cookie >> COOKIE_SK_ARG_SHIFT & 15), caller = 0, token;
	/* Without filters nearly all packets have a life; and see_skb() may begin that of a frame yet. */
	bool unborn = HAS_FILTERS && !control.frames && !may_live(skb);
	struct probe probe;

	if (unborn && (!control.recording || passes_by(skb, cookie)))
		return 0;
	if (control.short_way && !unborn && !is_special(cookie)) {
		if (cookie & COOKIE_ROLE && is_releasing(cookie_role(cookie)))
			caller = regs_caller(ctx);
		token = on_known(skb, sock, frame, cookie, caller);
		if (token != NOT_KNOWN)
			return token;
	}
	if (!control.recording)
		return 0;
	probe = (struct probe){
		.id = cookie_probe(cookie),
		.role = cookie_role(cookie),
		.skb = skb,
		.sock = sock,
		.frame = frame,
		.flags = cookie_exits(cookie) ? 0 : FLAG_ENTER_ONLY,
		.silent = cookie_silent(cookie),
		.unborn = unborn,
	};
	if (probe.role == ROLE_INNER) {
		if (!config.inner)
			return 0;
		token = on_inner(&probe, 0);
		tell_details((void *)ctx, &probe.skb, token);
		return token;
	}
	if (probe.role == ROLE_FRAME_RETURN)
		on_frame_returned(regs_argument(ctx, 1), regs_caller(ctx));
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

#endif
