/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * inner.h - functions that take no skb. Such a call belongs to the packet on whose behalf it runs: that of the innermost call
 * around it on the same kernel stack.
 *
 * So each stack has a short list of the calls on it that are still open, one for each change of life, and the frame of each, that
 * is, the address of its return address. Stacks grow down: when a function begins at some frame, every call with a frame below
 * it has returned, whether that was seen or not. A call with a frame above is still running if its exit is watched, and else if
 * its return address still stands there: whoever calls next from the same place overwrites it.
 *
 * A stack is told by the task it belongs to. Interrupts have a stack per CPU. Accepted to be wrong: a kernel with stacks larger
 * than config.thread_bytes (KASAN) takes the upper half of a task's for that of interrupts.
 */
#ifndef SKBSPAN_INNER_H
#define SKBSPAN_INNER_H

#include "detail.h"
#include "regs.h"

static const struct running nothing_running;

static __always_inline u64 stack_of(u64 frame)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 stack = (u64)BPF_CORE_READ(task, stack);

	return frame - stack < config.thread_bytes ? stack : 1 + bpf_get_smp_processor_id();
}

static __always_inline bool has_returned(const struct running_call *call, u64 frame)
{
	u64 caller = 0;

	if (call->frame < frame)
		return true;
	if (!call->caller)
		return false;
	return bpf_probe_read_kernel(&caller, sizeof(caller), (void *)call->frame) || caller != call->caller;
}

/* The innermost call that still runs; calls with a frame below `frame` have returned. */
static __always_inline struct running_call *innermost(struct running *stack, u64 frame)
{
	for (u32 i = 0; i < RUNNING_LEVELS; i++) {
		struct running_call *call = &stack->levels[(stack->depth - 1) & (RUNNING_LEVELS - 1)];

		if (!stack->depth)
			return NULL;
		if (!has_returned(call, frame))
			return call;
		stack->depth--;
	}
	return NULL;
}

/* A call on an skb began. */
static __noinline int begin_running(const struct probe *probe, u64 token)
{
	u64 key = stack_of(probe->frame);
	struct running *stack = bpf_map_lookup_elem(&running, &key);
	struct running_call *call;

	if (!stack) {
		bpf_map_update_elem(&running, &key, &nothing_running, BPF_ANY);
		stack = bpf_map_lookup_elem(&running, &key);
		if (!stack)
			return 0;
	}
	/* A frame is used by one call at a time. */
	call = innermost(stack, probe->frame + 1);
	if (call && call->life == token >> 16)
		return 0;
	if (stack->depth >= RUNNING_LEVELS)
		return 0;
	call = &stack->levels[stack->depth & (RUNNING_LEVELS - 1)];
	call->frame = probe->frame;
	call->caller = 0;
	if (probe->flags & FLAG_ENTER_ONLY)
		bpf_probe_read_kernel(&call->caller, sizeof(call->caller), (void *)probe->frame);
	call->skb = probe->skb;
	call->life = token >> 16;
	stack->depth++;
	return 0;
}

/* A call whose exit is watched returned. */
static __noinline int end_running(u64 frame)
{
	u64 key = stack_of(frame);
	struct running *stack = bpf_map_lookup_elem(&running, &key);

	if (stack)
		innermost(stack, frame + 1);
	return 0;
}

/* A function without an skb began. Returns the token of the call, 0: it runs for no packet; sets probe->skb. */
static __noinline u64 on_inner(struct probe *probe, u32 more)
{
	u64 key = stack_of(probe->frame), address;
	struct running *stack = bpf_map_lookup_elem(&running, &key);
	const struct sk_buff *skb;
	struct running_call *call;
	struct enter_event *event;
	struct life *life;
	u32 seq;
	u8 flags = probe->flags;

	call = stack ? innermost(stack, probe->frame) : NULL;
	if (!call)
		return 0;
	address = call->skb;
	life = life_at(address);
	if (!life || life->id != call->life || (life->state != LIFE_ALIVE && life->state != LIFE_DYING))
		return 0;
	probe->skb = address;
	tell_task(life, bpf_get_current_pid_tgid());
	if (life->parent)
		flags |= FLAG_LINKED;
	seq = next_seq(life);
	event = reserve(sizeof(*event));
	if (!event)
		return 0;
	skb = (void *)address;
	fill_header(&event->header, EVENT_ENTER, life->id, seq, probe->id, flags);
	event->skb = address;
	event->frame = probe->frame;
	event->netns = life->netns;
	event->ifindex = life->ifindex;
	event->len = BPF_CORE_READ(skb, len);
	event->mark = BPF_CORE_READ(skb, mark);
	event->protocol = be16_to_host(BPF_CORE_READ(skb, protocol));
	event->_pad0 = 0;
	event->details = config.details | more;
	submit(event);
	return call_token(life, seq);
}

/* Which map, and its key. */
static __always_inline void emit_map(const struct bpf_map *map, u64 key, u64 token)
{
	struct detail_event *event = reserve(sizeof(*event) + sizeof(struct detail_map) + MAP_BYTES_MAX);
	struct detail_map *told;
	u64 bytes;

	if (!event)
		return;
	told = (struct detail_map *)event->data;
	bytes = BPF_CORE_READ(map, key_size);
	told->id = BPF_CORE_READ(map, id);
	told->type = BPF_CORE_READ(map, map_type);
	told->key_bytes = bytes;
	told->value_bytes = BPF_CORE_READ(map, value_size);
	bpf_core_read(told->name, sizeof(told->name), &map->name);
	bytes = at_most(bytes, MAP_BYTES_MAX);
	if (bpf_probe_read_kernel(told + 1, bytes, (void *)key))
		bytes = 0;
	fill_detail(event, token, DETAIL_MAP, sizeof(*told) + bytes);
	submit(event);
}

static __always_inline bool is_own(const struct bpf_map *map)
{
	u32 id = BPF_CORE_READ(map, id);

	for (u32 i = 0; i < OWN_MAPS; i++) {
		if (control.own_maps[i] == id)
			return true;
	}
	return false;
}

/* A function of a BPF map began: (map, key), and the value if it is an update. Returns the token of the call. */
static __noinline u64 on_map(struct probe *probe, const struct probe_regs *ctx)
{
	const struct bpf_map *map = (void *)regs_argument(ctx, 1);
	u64 token, address = (u64)map;

	if (is_own(map))
		return 0;
	token = on_inner(probe, DETAIL_MAP | (probe->role == ROLE_MAP_UPDATE ? DETAIL_VALUE : 0));
	if (!token)
		return 0;
	emit_map(map, regs_argument(ctx, 2), token);
	if (probe->role == ROLE_MAP_UPDATE)
		emit_memory(token, DETAIL_VALUE, regs_argument(ctx, 3), BPF_CORE_READ(map, value_size), MAP_BYTES_MAX);
	if (probe->role == ROLE_MAP_LOOKUP || probe->role == ROLE_MAP_ELEMENT)
		bpf_map_update_elem(&lookups, &token, &address, BPF_ANY);
	return token;
}

/* A lookup returned. */
static __noinline int on_found(u64 token, u64 value, u32 role)
{
	u64 *address = bpf_map_lookup_elem(&lookups, &token);
	const struct bpf_map *map;

	if (!address || !value)
		return 0;
	map = (void *)*address;
	if (role == ROLE_MAP_ELEMENT)
		value += bpf_core_field_offset(struct htab_elem, key) + ((BPF_CORE_READ(map, key_size) + 7) & ~7);
	emit_memory(token, DETAIL_VALUE, value, BPF_CORE_READ(map, value_size), MAP_BYTES_MAX);
	return 0;
}

#endif
