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
#include <bpf/bpf_helpers.h>

#if defined(__TARGET_ARCH_x86)

/* The layout of struct pt_regs is the kernel's user ABI on both architectures; ctx is read directly, without CO-RE. */
struct probe_regs {
	unsigned long r15, r14, r13, r12, bp, bx, r11, r10, r9, r8, ax, cx, dx, si, di, orig_ax, ip, cs, flags, sp, ss;
};

static __always_inline void regs_arguments(const struct probe_regs *ctx, u64 arguments[5])
{
	arguments[0] = ctx->di;
	arguments[1] = ctx->si;
	arguments[2] = ctx->dx;
	arguments[3] = ctx->cx;
	arguments[4] = ctx->r8;
}

#define REGS_RETURN(ctx) ((ctx)->ax)
#define FRAME_AT_ENTER(ctx) ((ctx)->sp)
#define FRAME_AT_EXIT(ctx) ((ctx)->sp - sizeof(u64))

/* Where the function will return to: its caller, if nobody watches its exit yet. */
static __always_inline u64 regs_caller(const struct probe_regs *ctx)
{
	u64 caller = 0;

	bpf_probe_read_kernel(&caller, sizeof(caller), (void *)ctx->sp);
	return caller;
}

#elif defined(__TARGET_ARCH_arm64)

struct probe_regs {
	u64 regs[31];
	u64 sp, pc, pstate;
};

static __always_inline void regs_arguments(const struct probe_regs *ctx, u64 arguments[5])
{
	arguments[0] = ctx->regs[0];
	arguments[1] = ctx->regs[1];
	arguments[2] = ctx->regs[2];
	arguments[3] = ctx->regs[3];
	arguments[4] = ctx->regs[4];
}

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
 * Argument 1..5, 0 for any other position. All five are read at fixed offsets first: the verifier refuses a context pointer
 * that was moved by a variable, which is what clang makes of a switch over loads.
 */
static __always_inline u64 regs_argument(const struct probe_regs *ctx, u32 position)
{
	u64 arguments[5];

	if (!position)
		return 0;
	regs_arguments(ctx, arguments);
	for (u32 i = 0; i < 5; i++)
		asm volatile("" : "+r"(arguments[i]));
	return position == 1   ? arguments[0]
	       : position == 2 ? arguments[1]
	       : position == 3 ? arguments[2]
	       : position == 4 ? arguments[3]
	       : position == 5 ? arguments[4]
			       : 0;
}

#endif
