// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/*
 * programs.bpf.c - tc and XDP programs as calls on a packet, with their verdicts.
 *
 * A kernel that can JIT can run a program before (fentry) and after (fexit) another BPF program. Such a program is loaded for one
 * target; so these here are templates: user space loads them for the first target, and copies of what libbpf made of them
 * for every other one (src/collector/program-tracer.ts). Ring, lives and the rest are the maps of skbspan.bpf.o.
 *
 * The context of both ends stands at the same place on the stack: that is how an exit finds its call, and where the call is on
 * the stack.
 */
/*
 * A copy of a template has no type information, which a callback (bpf_loop) needs and a call of a kernel function (SKB_DIRECT). An XDP frame has no fragments that a filter
 * could look into, and a packet whose headers lie in fragments was asked before a tc program sees it.
 */
#define FILTER_LINEAR_ONLY
#define CALL_DETAILS 0
#define SKB_DIRECT 0
#include "core.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include "event.h"
#include "config.h"
#include "frame.h"
#include "verdict.h"

#define PROGRAM_CALLS_MAX 4096

/*
 * Key: where the program's context is on the stack, and the probe. Owner: the program of the entry; deleted by that of the exit. LRU,
 * for a missed exit.
 */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, PROGRAM_CALLS_MAX);
	__type(key, u64);
	__type(value, struct program_call);
} program_calls SEC(".maps");

/* A context pointer may not be calculated with: this is its number. */
static __always_inline u64 number_of(void *pointer)
{
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &pointer);
	return number;
}

static __always_inline u64 key_of(u64 place, u32 probe)
{
	return place << 16 | (probe & 0xffff);
}

static __always_inline void open_program(u64 place, u32 probe, struct program_call *call)
{
	u64 key = key_of(place, probe);

	if (bpf_map_update_elem(&program_calls, &key, call, BPF_ANY))
		count(COUNT_LOST_CALLS_FULL);
}

/* False: it was not followed. */
static __always_inline bool close_program(u64 place, u32 probe, struct program_call *call)
{
	u64 key = key_of(place, probe);
	struct program_call *open = bpf_map_lookup_elem(&program_calls, &key);

	if (!open)
		return false;
	*call = *open;
	bpf_map_delete_elem(&program_calls, &key);
	return true;
}

SEC("fentry")
int tc_enter(u64 *ctx)
{
	u64 skb = number_of((void *)ctx[0]), place = number_of(ctx);
	struct program_call call = {};
	struct probe probe = {
		.id = bpf_get_attach_cookie(ctx),
		.role = ROLE_PLAIN,
		.skb = skb,
		.frame = place,
	};

	if (!control.recording)
		return 0;
	call.token = follow_frames(&probe);
	if (call.token)
		open_program(place, probe.id, &call);
	return 0;
}

SEC("fexit")
int tc_leave(u64 *ctx)
{
	u64 place = number_of(ctx), verdict = 0;
	u32 probe = bpf_get_attach_cookie(ctx);
	struct program_call call;

	if (!control.recording || !close_program(place, probe, &call))
		return 0;
	bpf_get_func_ret(ctx, &verdict);
	emit_exit(call.token, probe, verdict);
	return 0;
}

SEC("fentry")
int xdp_enter(u64 *ctx)
{
	const struct xdp_buff *xdp = (void *)ctx[0];
	u64 place = number_of(ctx);
	u32 id = bpf_get_attach_cookie(ctx);
	struct program_call call = {};
	struct frame *frame;

	if (!control.recording)
		return 0;
	call.skb = skb_of_buffer((u64)BPF_CORE_READ(xdp, data_hard_start));
	if (call.skb) {
		struct probe probe = {.id = id, .role = ROLE_PLAIN, .skb = call.skb, .frame = place};

		call.token = follow(&probe);
	} else {
		struct arrival arrival = {
			.data = (u64)BPF_CORE_READ(xdp, data),
			.place = place,
			.probe = id,
			.dev = BPF_CORE_READ(xdp, rxq, dev),
		};

		call.data = arrival.data;
		arrival.linear = (u64)BPF_CORE_READ(xdp, data_end) - arrival.data;
		arrival.len = frame_length(xdp, arrival.linear);
		frame = bpf_map_lookup_elem(&frames, &arrival.data);
		if (frame)
			arrival.content = content_hash(arrival.data, arrival.linear);
		if (control.frames == FRAMES_COPIED && (!frame || !same_packet(frame, arrival.content, arrival.len)))
			find_original(&arrival);
		call.token = follow_frame(&arrival);
	}
	if (call.token)
		open_program(place, id, &call);
	return 0;
}

/*
 * A redirect failed; the arguments are device, program, target, error, ... The tracepoints are found by name when attached: 7.2 no
 * longer has the second one.
 */
SEC("raw_tp/xdp_redirect_err")
int redirect_failed(u64 *ctx)
{
	return on_redirect_error(ctx[0], ctx[3]);
}

SEC("raw_tp/xdp_redirect_map_err")
int redirect_map_failed(u64 *ctx)
{
	return on_redirect_error(ctx[0], ctx[3]);
}

SEC("fexit")
int xdp_leave(u64 *ctx)
{
	const struct xdp_buff *xdp = (void *)ctx[0];
	u64 place = number_of(ctx), verdict = 0;
	u32 probe = bpf_get_attach_cookie(ctx);
	struct program_call call;

	forget_redirected();
	if (!control.recording || !close_program(place, probe, &call))
		return 0;
	bpf_get_func_ret(ctx, &verdict);
	verdict = (u32)verdict;
	emit_exit(call.token, probe, verdict);
	on_verdict(&call, xdp, probe, verdict);
	return 0;
}

/* What `holders` tells of a loaded program. */
struct holders {
	u32 id;
	u32 _pad;
	u64 references;
};

/* An iterator over all loaded programs: what we alone hold is let go (src/collector/program-holders.ts). */
SEC("iter/bpf_prog")
int holders(struct bpf_iter__bpf_prog *ctx)
{
	struct bpf_prog *program = ctx->prog;
	struct holders told = {};

	if (!program)
		return 0;
	told.id = BPF_CORE_READ(program, aux, id);
	told.references = BPF_CORE_READ(program, aux, refcnt.counter) - 1; /* the iterator's own */
	bpf_seq_write(ctx->meta->seq, &told, sizeof(told));
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
