/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * regs.h - arguments, return value and stack frame of a probed kernel function, per architecture.
 *
 * FRAME_AT_ENTER is the stack pointer when the function begins, FRAME_AT_EXIT brings the stack pointer that an exit probe
 * sees to the same value. On x86 the call pushed a return address, which `ret` has popped again when the exit probe runs.
 */
#ifndef SKBSPAN_REGS_H
#define SKBSPAN_REGS_H

#include "core.h"
#include "skb.h"
#include <bpf/bpf_helpers.h>

#if defined(__TARGET_ARCH_x86)

/* The layout of struct pt_regs is the kernel's user ABI on both architectures; ctx is read directly, without CO-RE. */
struct probe_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

#define ARGUMENT_1 di
#define ARGUMENT_2 si
#define ARGUMENT_3 dx
#define ARGUMENT_4 cx
#define ARGUMENT_5 r8
#define REGS_RETURN(ctx) ((ctx)->ax)
#define FRAME_AT_ENTER(ctx) ((ctx)->sp)
#define FRAME_AT_EXIT(ctx) ((ctx)->sp - sizeof(u64))

/* Where the function will return to: its caller, if nobody watches its exit yet. */
static __always_inline u64 regs_caller(const struct probe_regs *ctx)
{
	return SKB_DIRECT ? *(const u64 *)bytes_at(ctx->sp) : word_at(ctx->sp, 0);
}

#elif defined(__TARGET_ARCH_arm64)

struct probe_regs {
	u64 regs[31];
	u64 sp, pc, pstate;
};

#define ARGUMENT_1 regs[0]
#define ARGUMENT_2 regs[1]
#define ARGUMENT_3 regs[2]
#define ARGUMENT_4 regs[3]
#define ARGUMENT_5 regs[4]
#define REGS_RETURN(ctx) ((ctx)->regs[0])
#define FRAME_AT_ENTER(ctx) ((ctx)->sp)
#define FRAME_AT_EXIT(ctx) ((ctx)->sp)

static __always_inline u64 regs_caller(const struct probe_regs *ctx)
{
	return ctx->regs[30];
}

#else
#error "unsupported architecture: x86 and arm64 are"
#endif

/*
 * Argument 1..5, 0 for any other position. The loads are written out: clang makes of a switch over loads a load at a variable
 * offset, and the verifier refuses a context pointer that was moved by a variable.
 */
#define LOAD_ARGUMENT(ctx, which)                                                                                      \
	({                                                                                                             \
		u64 value;                                                                                             \
		asm volatile("%0 = *(u64 *)(%1 + %2)"                                                                  \
			     : "=r"(value)                                                                             \
			     : "r"(ctx), "i"(__builtin_offsetof(struct probe_regs, which)));                           \
		value;                                                                                                 \
	})

static __always_inline u64 regs_argument(const struct probe_regs *ctx, u32 position)
{
	/* In this order, not in that of a search which clang makes of it: these two are the most frequent. */
	if (!position)
		return 0;
	asm volatile("" : "+r"(position));
	if (position == 1)
		return LOAD_ARGUMENT(ctx, ARGUMENT_1);
	asm volatile("" : "+r"(position));
	if (position == 2)
		return LOAD_ARGUMENT(ctx, ARGUMENT_2);
	if (position == 3)
		return LOAD_ARGUMENT(ctx, ARGUMENT_3);
	if (position == 4)
		return LOAD_ARGUMENT(ctx, ARGUMENT_4);
	return position == 5 ? LOAD_ARGUMENT(ctx, ARGUMENT_5) : 0;
}

#endif
