/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* emit.h - putting records into the ring: reserve, count what finds no space, fill, submit without a wake-up. */
#ifndef SKBSPAN_EMIT_H
#define SKBSPAN_EMIT_H

#include "config.h"
#include "maps.h"
#include "skb.h"

#define NO_PROBE 0xffffffff

/* NULL: no space, counted. Nothing may stand between this and the caller's check: older verifiers lose track of it. */
static __always_inline void *reserve(u64 bytes)
{
	void *record = bpf_ringbuf_reserve(&ring, bytes, 0);

	if (!record) {
		count(COUNT_LOST_RING_FULL);
		return NULL;
	}
	return record;
}

static __always_inline void submit(void *record)
{
	bpf_ringbuf_submit(record, BPF_RB_NO_WAKEUP);
}

/* `task`: what bpf_get_current_pid_tgid() says. */
static __always_inline void fill_header_of(struct event_header *header, u8 kind, u64 life, u32 seq, u32 probe, u8 flags,
					   u64 task)
{
	header->tid = (u32)task;
	header->time_ns = bpf_ktime_get_ns();
	header->life = life;
	header->seq = seq;
	header->probe = probe;
	header->cpu = bpf_get_smp_processor_id();
	header->kind = kind;
	header->flags = flags;
}

static __always_inline void fill_header(struct event_header *header, u8 kind, u64 life, u32 seq, u32 probe, u8 flags)
{
	fill_header_of(header, kind, life, seq, probe, flags, bpf_get_current_pid_tgid());
}

/* The next sequence number. Taken before space is asked for, so that a lost record leaves a gap. */
static __always_inline u32 next_seq(struct life *life)
{
	return __sync_fetch_and_add(&life->seq, 1);
}

/* `token` is that of the call that did it; of one that is not recorded it has no sequence number. */
static __always_inline void emit_link(struct life *life, u64 skb, u64 parent, u64 token, u32 probe, u8 operation,
				      u8 flags)
{
	struct link_event *event;
	u32 seq = next_seq(life);

	event = reserve(sizeof(*event));
	if (!event)
		return;
	fill_header(&event->header, EVENT_LINK, life->id, seq, probe, flags);
	event->parent = parent;
	event->skb = skb;
	event->parent_seq = token & 0xffff ? (u32)(token & 0xffff) : 0xffffffff;
	event->operation = operation;
	__builtin_memset(event->_pad, 0, sizeof(event->_pad));
	submit(event);
}

/* `id` and `seq`: of the life, whose entry may be gone by now. */
static __always_inline void emit_free_of(u64 id, u32 seq, u64 skb, u64 location, u32 probe, u8 how)
{
	struct free_event *event = reserve(sizeof(*event));

	if (!event)
		return;
	fill_header(&event->header, EVENT_FREE, id, seq, probe, 0);
	event->location = location;
	event->skb = skb;
	event->how = how;
	__builtin_memset(event->_pad, 0, sizeof(event->_pad));
	submit(event);
}

static __always_inline void emit_free(struct life *life, u64 skb, u64 location, u32 probe, u8 how)
{
	u32 seq = next_seq(life);

	emit_free_of(life->id, seq, skb, location, probe, how);
}

static __always_inline void emit_drop(struct life *life, u64 skb, u64 location, u32 reason)
{
	struct drop_event *event;
	u32 seq = next_seq(life);

	event = reserve(sizeof(*event));
	if (!event)
		return;
	fill_header(&event->header, EVENT_DROP, life->id, seq, NO_PROBE, 0);
	event->location = location;
	event->skb = skb;
	event->reason = reason;
	event->verdict = 0;
	submit(event);
}

static __always_inline void emit_exit(u64 token, u32 probe, u64 return_value)
{
	struct exit_event *event = reserve(sizeof(*event));

	if (!event)
		return;
	fill_header(&event->header, EVENT_EXIT, token >> 16, token & 0xffff, probe, 0);
	event->return_value = return_value;
	submit(event);
}

/* Tells who the current task is, once per task and program name. */
static __always_inline void tell_task(struct life *life, u64 pid_tgid)
{
	struct task_struct *task;
	struct task_event *event;
	u64 comm[COMM_BYTES / 8] = {}, *told, hash;
	u32 tid = (u32)pid_tgid;

	if (tid == 0 || tid == life->tid)
		return;
	life->tid = tid;
	bpf_get_current_comm(comm, sizeof(comm));
	hash = comm[0] ^ (comm[1] << 1) ^ pid_tgid;
	told = bpf_map_lookup_elem(&tasks, &tid);
	if (told && *told == hash)
		return;
	event = reserve(sizeof(*event));
	if (!event) {
		count(COUNT_LOST_CONTEXT);
		return;
	}
	fill_header(&event->header, EVENT_TASK, 0, 0, NO_PROBE, 0);
	task = (void *)bpf_get_current_task();
	event->cgroup = BPF_CORE_READ(task, cgroups, dfl_cgrp, kn, id);
	event->tgid = pid_tgid >> 32;
	event->_pad = 0;
	__builtin_memcpy(event->comm, comm, sizeof(comm));
	submit(event);
	bpf_map_update_elem(&tasks, &tid, &hash, BPF_ANY);
}

#define DEVICE_TOLD_FOR_NS 1000000000ULL

/* Tells name, MTU and type of the life's device, at most once a second. */
static __always_inline void tell_device(const struct net_device *dev, u32 netns, u32 ifindex)
{
	u64 key = (u64)netns << 32 | ifindex, now = bpf_ktime_get_ns(), *told;
	struct device_event *event;

	told = bpf_map_lookup_elem(&devices, &key);
	if (told && now - *told < DEVICE_TOLD_FOR_NS)
		return;
	event = reserve(sizeof(*event));
	if (!event) {
		count(COUNT_LOST_CONTEXT);
		return;
	}
	fill_header(&event->header, EVENT_DEVICE, 0, 0, NO_PROBE, 0);
	event->netns = netns;
	event->ifindex = ifindex;
	event->mtu = BPF_CORE_READ(dev, mtu);
	event->type = BPF_CORE_READ(dev, type);
	event->_pad = 0;
	bpf_core_read(event->name, sizeof(event->name), &dev->name);
	__builtin_memset(event->link_kind, 0, sizeof(event->link_kind));
	bpf_probe_read_kernel_str(event->link_kind, sizeof(event->link_kind), BPF_CORE_READ(dev, rtnl_link_ops, kind));
	submit(event);
	bpf_map_update_elem(&devices, &key, &now, BPF_ANY);
}

#endif
