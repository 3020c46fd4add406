/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* cookie.h - what user space tells of a probe in its attach cookie (event.h), and how it is come by. */
#ifndef SKBSPAN_COOKIE_H
#define SKBSPAN_COOKIE_H

#include "config.h"
#include "event.h"
#include <bpf/bpf_helpers.h>

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
	/* Without its tag, if that is the right one. */
	cookie = remembered[place] ^ tag;
	if (!(cookie & REMEMBERED_TAG) && cookie)
		return cookie;
	cookie = bpf_get_attach_cookie(ctx);
	if (!(cookie & REMEMBERED_TAG))
		remembered[place] = cookie | tag;
	return cookie;
}

static __always_inline u32 cookie_probe(u64 cookie)
{
	return (u32)cookie;
}

#define COOKIE_ROLE (0xffULL << COOKIE_ROLE_SHIFT)

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

#endif
