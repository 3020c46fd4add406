/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * skb.h - reading an sk_buff.
 *
 * A probe looks at ten and more members of the skb at every call. Since 6.2 a program may read them where they are:
 * bpf_rdonly_cast() tells the verifier what stands at an address, and a load that fails there gives 0. That is several times
 * cheaper than a probe read, which is a call of a function that copies. Who does so is compiled apart (SKB_DIRECT): an object for
 * all kernels would ask at every member what is settled when it is loaded, and the verifier take each other way out again.
 *
 * Older kernels: one copy and then plain loads at CO-RE offsets is several times cheaper than a probe read each. What is
 * copied is the window from `_nfct` to `data`, in which every kernel of the matrix has all the members in use but dev and sk
 * (the whole struct would not fit the stack).
 *
 * skb->dev is not always a device: it shares its place with the rb-tree node of TCP's queues and with UDP's dev_scratch.
 * A pointer is believed only if it leads to a network namespace, which is known by its `ns.ops`.
 */
#ifndef SKBSPAN_SKB_H
#define SKBSPAN_SKB_H

#include "config.h"
#include "core.h"
#include "event.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#define SKB_WINDOW_BYTES 128 /* 112..128 are in use on 6.1 to 7.2 */
/* A kernel without connection tracking has no _nfct, which else stands right before len. */
#define SKB_HAS_NFCT bpf_core_field_exists(struct sk_buff, _nfct)
#define SKB_WINDOW_START                                                                                               \
	(SKB_HAS_NFCT ? bpf_core_field_offset(struct sk_buff, _nfct) : bpf_core_field_offset(struct sk_buff, len))

#define AF_UNSPEC 0
#define AF_UNIX 1
#define AF_NETLINK 16

#define ETH_P_IP 0x0800
#define ETH_P_IPV6 0x86dd
#define ETH_P_ARP 0x0806

extern void *bpf_rdonly_cast(const void *object, u32 type) __ksym __weak;

/* 1: the kernel has that function (scripts/build-bpf.sh). Not in programs.bpf.o, where a copy may be an XDP frame: no skb to read from. */
#ifndef SKB_DIRECT
#define SKB_DIRECT 0
#endif

/* A pointer to read through, if SKB_DIRECT. The address need not be valid: then it reads as 0. */
#define SEEN_AS(type, address) ((type *)bpf_rdonly_cast((void *)(address), bpf_core_type_id_kernel(type)))

/*
 * The first 48 bytes at any address, to be read at will, if SKB_DIRECT. Members must be read as what they are, but skb->cb is
 * bytes for whoever owns the skb, which the verifier allows any access to. So the address is taken for that of a cb.
 */
static __always_inline const void *bytes_at(u64 address)
{
	u64 offset = bpf_core_field_offset(struct sk_buff, cb);

	return (void *)SEEN_AS(struct sk_buff, address - offset) + offset;
}

/*
 * An address read through such a pointer, as a number. Since 6.17 the verifier takes it for a pointer to what it points to, with
 * which little can be calculated; the difference of two pointers is a number, and one of them is 0 here.
 */
static __always_inline u64 number_from(u64 address)
{
	u64 number = (u64)SEEN_AS(struct sk_buff, address) - (u64)SEEN_AS(struct sk_buff, 0);

	/* Or clang may add what is added to it to one of the pointers. */
	asm volatile("" : "+r"(number));
	return number;
}

/* An argument of a tp_btf, fentry or fexit program is a typed pointer: this is its number. */
static __always_inline u64 argument_of(u64 argument)
{
	u64 number = 0;

	bpf_probe_read_kernel(&number, sizeof(number), &argument);
	return number;
}

struct skb_copy {
	u64 dev;
	u64 sk;
	union {
		const struct sk_buff *original; /* if SKB_DIRECT */
		u8 window[SKB_WINDOW_BYTES] __attribute__((aligned(8)));
	};
};

/*
 * A window that misses a member is refused by the verifier: an access outside of the stack object. The empty asm makes clang
 * finish the difference first: the verifier allows adding a known number to a stack pointer, not subtracting from one.
 */
#define SKB_FIELD(copy, type, member)                                                                                  \
	({                                                                                                             \
		type value;                                                                                            \
		if (SKB_DIRECT && sizeof(type) == sizeof(u64)) {                                                       \
			value = (type)number_from((u64)(copy)->original->member);                                      \
		} else if (SKB_DIRECT) {                                                                               \
			value = (type)(copy)->original->member;                                                        \
		} else {                                                                                               \
			u64 at = bpf_core_field_offset(struct sk_buff, member) - SKB_WINDOW_START;                     \
			asm volatile("" : "+r"(at));                                                                   \
			value = *(type *)((copy)->window + at);                                                        \
		}                                                                                                      \
		value;                                                                                                 \
	})

#define be16_to_host(x) __builtin_bswap16(x)

/* The packet itself, without its device and its socket. Sets *head to skb->head. False: not readable, so no skb. */
static __always_inline bool skb_read_packet(struct skb_copy *copy, const void *skb, u64 *head)
{
	u32 first = SKB_WINDOW_START;
	u32 size = bpf_core_field_offset(struct sk_buff, data) + sizeof(void *) - first;
	u8 byte;

	if (SKB_DIRECT) {
		copy->original = SEEN_AS(struct sk_buff, skb);
		*head = SKB_FIELD(copy, u64, head);
		/* An skb without a buffer, or no skb at all? */
		return *head || !bpf_probe_read_kernel(&byte, sizeof(byte), skb);
	}
	if (size > SKB_WINDOW_BYTES)
		size = SKB_WINDOW_BYTES;
	if (bpf_probe_read_kernel(copy->window, size, skb + first))
		return false;
	*head = SKB_FIELD(copy, u64, head);
	return true;
}

/* And these: in one read where they are neighbours, as they always were. */
static __always_inline void skb_read_owners(struct skb_copy *copy, const void *skb)
{
	const struct sk_buff *original = skb;

	if (SKB_DIRECT) {
		copy->dev = (u64)copy->original->dev;
		copy->sk = (u64)copy->original->sk;
	} else if (bpf_core_field_offset(struct sk_buff, sk) ==
		   bpf_core_field_offset(struct sk_buff, dev) + sizeof(u64)) {
		bpf_core_read(copy, 2 * sizeof(u64), &original->dev);
	} else {
		copy->dev = (u64)BPF_CORE_READ(original, dev);
		copy->sk = (u64)BPF_CORE_READ(original, sk);
	}
}

/* All of it. */
static __always_inline bool skb_read(struct skb_copy *copy, const void *skb, u64 *head)
{
	if (!skb_read_packet(copy, skb, head))
		return false;
	skb_read_owners(copy, skb);
	return true;
}

/* The eight bytes at an offset from any address; 0: unreadable. What is shorter is their lower part. */
static __always_inline u64 word_at(u64 address, u64 offset)
{
	u64 word = 0;

	if (SKB_DIRECT)
		return *(const u64 *)bytes_at(number_from(address) + offset);
	bpf_probe_read_kernel(&word, sizeof(word), (void *)(address + offset));
	return word;
}

#define WORD_OF(type, address, member) word_at((u64)(address), bpf_core_field_offset(type, member))

/* A bit field, as WORD_OF(): its bytes' first is the lowest (both architectures are little endian). */
#define BITS_OF(type, address, member)                                                                                 \
	({                                                                                                             \
		const type *at = (void *)(address);                                                                    \
		u64 word = word_at((u64)at, __CORE_RELO(at, member, BYTE_OFFSET));                                     \
		word << __CORE_RELO(at, member, LSHIFT_U64) >> __CORE_RELO(at, member, RSHIFT_U64);                    \
	})

/* What every real network namespace has in ns.ops; 0 if the task is exiting (no nsproxy). */
static __always_inline u64 netns_operations(void)
{
	u64 namespaces = WORD_OF(struct task_struct, bpf_get_current_task(), nsproxy);

	return WORD_OF(struct net, WORD_OF(struct nsproxy, namespaces, net_ns), ns.ops);
}

/* Inode of the namespace `net`, 0 if that is no namespace. */
static __always_inline u32 netns_inode(const struct net *net)
{
	u64 operations;
	u32 inode;

	if (!net)
		return 0;
	operations = netns_operations();
	if (operations && WORD_OF(struct net, net, ns.ops) != operations)
		return 0;
	inode = WORD_OF(struct net, net, ns.inum);
	/* Namespace inodes are made from 0xeffffff8 on (include/linux/proc_ns.h): the check that is left for idle tasks. */
	return inode >= 0xeffffff8 ? inode : 0;
}

/* The namespace of a device pointer, 0 if it is no device. */
static __always_inline u32 device_netns(const struct net_device *dev)
{
	return dev ? netns_inode((void *)WORD_OF(struct net_device, dev, nd_net.net)) : 0;
}

static __always_inline u16 sock_family(const struct sock *sk)
{
	return sk ? WORD_OF(struct sock, sk, __sk_common.skc_family) : AF_UNSPEC;
}

/* Sockets that carry packets of a network; netlink and unix sockets use skbs for messages that never are one. */
static __always_inline bool family_has_packets(u16 family)
{
	return family != AF_UNSPEC && family != AF_UNIX && family != AF_NETLINK && family < 64;
}

#endif
