// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * skbspan.bpf.c - entry points only. User space loads the ones that the chosen backend needs (autoload) and gives them
 * their attach type: `enter` and `leave` serve kprobe and kprobe.multi, `session` serves kprobe.session.
 */
#include "core.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "event.h"
#include "config.h"
#include "function.h"
#include "tracepoint.h"
#include "rule.h"
#include "lists.h"
#include "returns.h"

/*
 * Run once before recording: fills control.trampolines. The kernel looks its symbols up in no time, while reading
 * /proc/kallsyms takes a tenth of a second (kernels before 5.16 lack the helper; there user space reads).
 */
SEC("syscall")
int find_trampolines(void *ctx)
{
	static const char names[TRAMPOLINES][32] = {"arch_rethook_trampoline", "return_to_handler",
						    "__kretprobe_trampoline"};
	static const u8 bytes[TRAMPOLINES] = {24, 18, 23};
	u64 address;

#pragma unroll
	for (u32 i = 0; i < TRAMPOLINES; i++) {
		if (bpf_kallsyms_lookup_name(names[i], bytes[i], 0, &address) == 0)
			control.trampolines[i] = address;
	}
	return 0;
}

/* Run once a second: see collect_dead() in links.h. */
SEC("syscall")
int collect(void *ctx)
{
	collect_dead();
	return 0;
}

SEC("kprobe")
int enter(struct probe_regs *ctx)
{
	u64 cookie = cookie_of(ctx), frame = FRAME_AT_ENTER(ctx), token = on_enter(ctx, cookie, frame);

	if (!token)
		return 0;
	/* A silent clone has no exit record, but its exit must find the parent. */
	if ((cookie_exits(cookie) || watches_exit(cookie)) &&
	    !open_call(call_key(frame, cookie_probe(cookie)), token) && watches_exit(cookie))
		count(COUNT_LOST_LINKS);
	return 0;
}

SEC("kretprobe")
int leave(struct probe_regs *ctx)
{
	u64 cookie = cookie_of(ctx), frame = FRAME_AT_EXIT(ctx);

	on_exit(ctx, cookie, close_call(call_key(frame, cookie_probe(cookie))), frame);
	return 0;
}

/*
 * Functions of BPF maps, for all backends. Programs of their own: our own use of maps comes by here, too, and the kernel then
 * skips them; that is no loss, and must not be counted with that of the others.
 */
SEC("kprobe")
int enter_map(struct probe_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx), token;
	struct probe probe = {
		.id = cookie_probe(cookie),
		.role = cookie_role(cookie),
		.frame = FRAME_AT_ENTER(ctx),
	};

	if (!control.recording)
		return 0;
	token = on_map(&probe, ctx);
	if (!token)
		return 0;
	tell_details(ctx, &probe.skb, token);
	open_call(call_key(probe.frame, probe.id), token);
	return 0;
}

SEC("kretprobe")
int leave_map(struct probe_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx);
	u64 token = close_call(call_key(FRAME_AT_EXIT(ctx), cookie_probe(cookie)));

	if (!token || !control.recording)
		return 0;
	if (cookie_role(cookie) == ROLE_MAP_LOOKUP || cookie_role(cookie) == ROLE_MAP_ELEMENT)
		on_found(token, REGS_RETURN(ctx), cookie_role(cookie));
	emit_exit(token, cookie_probe(cookie), REGS_RETURN(ctx));
	return 0;
}

/* Functions that are given a list, or the place of an address, for all backends. */
SEC("kprobe")
int enter_list(struct probe_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx), frame = FRAME_AT_ENTER(ctx);

	if (!control.recording)
		return 0;
	if (cookie_role(cookie) == ROLE_LIST)
		on_list(ctx, cookie, frame);
	else
		on_place(ctx, regs_argument(ctx, cookie >> COOKIE_SKB_ARG_SHIFT & 15));
	return 0;
}

SEC("kretprobe")
int leave_list(struct probe_regs *ctx)
{
	u64 cookie = bpf_get_attach_cookie(ctx), frame = FRAME_AT_EXIT(ctx), token;

	if (!control.recording)
		return 0;
	if (cookie_role(cookie) == ROLE_LIST) {
		list_returns(REGS_RETURN(ctx), cookie, frame);
		return 0;
	}
	token = close_call(call_key(frame, cookie_probe(cookie)));
	if (token)
		emit_exit(token, cookie_probe(cookie), REGS_RETURN(ctx));
	return 0;
}

/*
 * kprobe.session runs one program at both ends and lends it 8 bytes in between. Which end it is, and where the bytes are,
 * two kernel functions tell. Their prototypes differ between kernels (the newer ones take the context), and libbpf checks
 * prototypes; so the calls stand here as raw instructions whose BTF ids user space fills in before load
 * (src/collector/session-calls.ts). Arguments that a kernel does not expect do no harm.
 */
#define SESSION_IS_RETURN 0x5e551001
#define SESSION_COOKIE 0x5e551002
#define STRINGIFY(x) #x
#define TO_STRING(x) STRINGIFY(x)
/* BPF_JMP | BPF_CALL, src_reg = BPF_PSEUDO_KFUNC_CALL */
#define CALL_KERNEL_FUNCTION(id, context, result)                                                                      \
	asm volatile("r1 = %1\n\t.byte 0x85\n\t.byte 0x20\n\t.short 0\n\t.long " TO_STRING(id) "\n\t%0 = r0"           \
		     : "=r"(result)                                                                                    \
		     : "r"(context)                                                                                    \
		     : "r0", "r1", "r2", "r3", "r4", "r5", "memory")

SEC("kprobe")
int session(struct probe_regs *ctx)
{
	u64 cookie = cookie_of(ctx), is_return, *token;

	CALL_KERNEL_FUNCTION(SESSION_IS_RETURN, ctx, is_return);
	CALL_KERNEL_FUNCTION(SESSION_COOKIE, ctx, token);
	if (is_return & 0xff) {
		on_exit(ctx, cookie, *token, FRAME_AT_EXIT(ctx));
		return 0;
	}
	*token = on_enter(ctx, cookie, FRAME_AT_ENTER(ctx));
	/* 1: the kernel need not come back for the exit. (bench/probe-cost.ts measures enters alone.) */
#ifdef SESSION_ENTERS_ONLY
	return 1;
#else
	return *token || watches_exit(cookie) ? 0 : 1;
#endif
}

SEC("tp_btf/consume_skb")
int tp_consume_skb(u64 *ctx)
{
	on_consumed(ctx[0], 0);
	return 0;
}

/* Since 6.3 the tracepoint has a location; user space loads this one where it is. */
SEC("tp_btf/consume_skb")
int tp_consume_skb_at(u64 *ctx)
{
	on_consumed(ctx[0], ctx[1]);
	return 0;
}

SEC("tp_btf/kfree_skb")
int tp_kfree_skb(u64 *ctx)
{
	on_dropped(ctx[0], ctx[1], (u32)ctx[2]);
	return 0;
}

/* tracepoint backend only: without kprobes this is how the end of a packet that __kfree_skb freed is seen.
 * Raw, as older verifiers refuse a tp_btf argument that is a void pointer. */
SEC("raw_tp/kmem_cache_free")
int tp_kmem_cache_free(u64 *ctx)
{
	free_begins();
	on_memory_freed(ctx[1]);
	free_ends();
	return 0;
}

/* The kernel does not run a program within itself; what an interrupt frees meanwhile comes here alone. */
SEC("raw_tp/kmem_cache_free")
int tp_kmem_cache_free_nested(u64 *ctx)
{
	if (free_is_nested())
		on_memory_freed(ctx[1]);
	return 0;
}

/* nft_do_chain(pkt, priv): a packet begins to run through a base chain. */
SEC("kprobe")
int nft_chain(struct probe_regs *ctx)
{
	on_chain(regs_argument(ctx, 1), regs_argument(ctx, 2));
	return 0;
}

/* nft_immediate_eval(expr, regs, pkt) */
SEC("kprobe")
int nft_immediate(struct probe_regs *ctx)
{
	on_immediate((void *)regs_argument(ctx, 1), regs_argument(ctx, 3));
	return 0;
}

#define X(name, skb_index)                                                                                             \
	SEC("tp_btf/" #name)                                                                                           \
	int tp_##name(u64 *ctx)                                                                                        \
	{                                                                                                              \
		on_tracepoint(ctx, TRACEPOINT_##name, ctx[skb_index]);                                                 \
		return 0;                                                                                              \
	}
SKB_TRACEPOINTS(X)
#undef X

#define RESULT_fentry(ctx) 0
#define RESULT_fexit(ctx)                                                                                              \
	({                                                                                                             \
		u64 result = 0;                                                                                        \
		bpf_get_func_ret(ctx, &result);                                                                        \
		result;                                                                                                \
	})
#define X(end, function, skb, other, role)                                                                             \
	SEC(#end "/" #function)                                                                                        \
	int end##_##function(u64 *ctx)                                                                                 \
	{                                                                                                              \
		if (control.recording)                                                                                 \
			on_maker(argument_of(ctx[skb]), argument_of(ctx[other]), RESULT_##end(ctx), role);             \
		return 0;                                                                                              \
	}
RETURN_PROBES(X)
#undef X

/* What the generated layout reads from this object's BTF: a type is there in full only if a variable has or points to it. */
#define ABI(type, name) type abi_##name SEC(".data.abi")
ABI(struct enter_event *, enter);
ABI(struct exit_event *, exit);
ABI(struct link_event *, link);
ABI(struct free_event *, free);
ABI(struct drop_event *, drop);
ABI(struct packet_event *, packet);
ABI(struct task_event *, task);
ABI(struct device_event *, device);
ABI(struct detail_event *, detail);
ABI(struct detail_map *, detail_map);
ABI(enum detail, detail_part);
ABI(struct socket_event *, socket);
ABI(struct conntrack_tuple *, tuple);
ABI(struct conntrack_event *, conntrack);
ABI(struct rule_event *, rule);
ABI(enum event_kind, kind);
ABI(enum event_flag, flag);
ABI(enum link_operation, operation);
ABI(enum free_how, how);
ABI(enum probe_role, role);
ABI(enum tracepoint_id, tracepoint);
ABI(enum tracepoint_argument, argument);
ABI(enum counter, counter);
ABI(enum filter, filter);
ABI(enum filter_window, window);
ABI(enum glance, glance);
ABI(enum frame_watch, frames);

char LICENSE[] SEC("license") = "Dual BSD/GPL";
