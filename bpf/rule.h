/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * rule.h - which rule of nftables dropped a packet.
 *
 * The kernel does not say: the rule is a local variable of nft_do_chain. But `drop` is an expression like any other, a value
 * (immediate) for the verdict register, and nft_immediate_eval is given its address. An expression lies inside the rule in
 * the chain's blob, a row of rules of different lengths. So: note the chain at nft_do_chain, and those that a jump or goto
 * (immediate verdicts too) leads to; at a drop, find the noted chain whose blob has that address in it, and walk the blob from
 * its start to the rule that has it.
 *
 *   blob = size u64, rule*
 *   rule = bit 0: the last, which is none; bits 1..12: bytes of its expressions; bits 13..54: handle; expressions
 *
 * One run of nft_do_chain is known by its pktinfo, which is on its caller's stack: unique among those that run at a time.
 * Not found this way: a drop by the chain's policy, by the element of a verdict map, by a queue, or by an expression that
 * drops without a verdict of its own (reject, synproxy); and a chain that was jumped to after 7 others in one run.
 */
#ifndef SKBSPAN_RULE_H
#define SKBSPAN_RULE_H

#include "track.h"
#include "regs.h"

#define NOTED_CHAINS 8
#define RULES_MAX 65536

#define NF_VERDICT_MASK 0xff
#define NF_DROP 0
#define NFT_JUMP ((u32)-3)
#define NFT_GOTO ((u32)-4)
#define NFT_REG_VERDICT 0

struct noted_chains {
	u64 chain[NOTED_CHAINS];
	u64 next; /* where the next one goes */
};

/* Key: struct nft_pktinfo of a run. Owner: these programs; overwritten by the next run there. LRU: nobody deletes. */
struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 1024);
	__type(key, u64);
	__type(value, struct noted_chains);
} chains SEC(".maps");

static const struct noted_chains no_chains;

static __always_inline struct life *followed(const struct nft_pktinfo *packet)
{
	u64 skb = (u64)BPF_CORE_READ(packet, skb);
	struct life *life = life_at(skb);

	return life && life->state == LIFE_ALIVE ? life : NULL;
}

static __always_inline void on_chain(u64 packet, u64 chain)
{
	struct noted_chains *noted;

	if (!control.recording || !followed((void *)packet))
		return;
	bpf_map_update_elem(&chains, &packet, &no_chains, BPF_ANY);
	noted = bpf_map_lookup_elem(&chains, &packet);
	if (!noted)
		return;
	noted->chain[0] = chain;
	noted->next = 1;
}

struct rule_walk {
	u64 rule; /* address of the one to look at */
	u64 end; /* of the blob */
	u64 expression;
	u64 handle;
	u64 found;
};

static long next_rule(u32 index, void *context)
{
	struct rule_walk *walk = context;
	u64 head, bytes;

	if (walk->rule >= walk->end || bpf_probe_read_kernel(&head, sizeof(head), (void *)walk->rule) || head & 1)
		return 1;
	bytes = sizeof(head) + (head >> 1 & 0xfff);
	if (walk->expression - walk->rule < bytes) {
		walk->handle = head >> 13 & ((1ULL << 42) - 1);
		walk->found = 1;
		return 1;
	}
	walk->rule += bytes;
	return 0;
}

static __always_inline bool find_rule(struct rule_walk *walk, const struct nft_rule_blob *blob, u64 expression)
{
	u64 size = BPF_CORE_READ(blob, size);

	walk->rule = (u64)&blob->data;
	walk->end = walk->rule + size;
	walk->expression = expression;
	walk->found = 0;
	if (!blob || expression - walk->rule >= size)
		return false;
	bpf_loop(RULES_MAX, next_rule, walk, 0);
	return walk->found;
}

static __always_inline void emit_rule(struct life *life, const struct nft_chain *chain, u64 handle)
{
	const struct nft_table *table = BPF_CORE_READ(chain, table);
	struct rule_event *event;
	u32 seq = next_seq(life);

	event = reserve(sizeof(*event));
	if (!event)
		return;
	__builtin_memset(event, 0, sizeof(*event));
	fill_header(&event->header, EVENT_RULE, life->id, seq, NO_PROBE, 0);
	event->handle = handle;
	event->family = BPF_CORE_READ_BITFIELD_PROBED(table, family);
	bpf_probe_read_kernel_str(event->table, sizeof(event->table), BPF_CORE_READ(table, name));
	bpf_probe_read_kernel_str(event->chain, sizeof(event->chain), BPF_CORE_READ(chain, name));
	submit(event);
}

static __always_inline void on_immediate(const struct nft_expr *expression, u64 packet)
{
	const struct nft_immediate_expr *immediate = (void *)&expression->data;
	struct noted_chains *noted;
	struct rule_walk walk = {};
	struct life *life;
	u32 code;

	if (!control.recording || BPF_CORE_READ(immediate, dreg) != NFT_REG_VERDICT)
		return;
	noted = bpf_map_lookup_elem(&chains, &packet);
	if (!noted)
		return;
	code = BPF_CORE_READ(immediate, data.verdict.code);
	if (code == NFT_JUMP || code == NFT_GOTO) {
		u64 at = noted->next;

		if (at < NOTED_CHAINS) {
			noted->chain[at] = (u64)BPF_CORE_READ(immediate, data.verdict.chain);
			noted->next = at + 1;
		}
		return;
	}
	if ((code & NF_VERDICT_MASK) != NF_DROP)
		return;
	life = followed((void *)packet);
	if (!life)
		return;
	for (u32 i = 0; i < NOTED_CHAINS; i++) {
		const struct nft_chain *chain = (void *)noted->chain[i];

		if (!chain)
			break;
		if (find_rule(&walk, BPF_CORE_READ(chain, blob_gen_0), (u64)expression) ||
		    find_rule(&walk, BPF_CORE_READ(chain, blob_gen_1), (u64)expression)) {
			emit_rule(life, chain, walk.handle);
			return;
		}
	}
}

#endif
