/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * core.h - the kernel types in use, only the members in use. CO-RE finds the real offsets on the running kernel, so order
 * and size here mean nothing. A member is here because a line of this folder reads it.
 */
#ifndef SKBSPAN_CORE_H
#define SKBSPAN_CORE_H

typedef unsigned char __u8;
typedef unsigned short __u16;
typedef unsigned int __u32;
typedef unsigned long long __u64;
typedef signed char __s8;
typedef short __s16;
typedef int __s32;
typedef long long __s64;
typedef __u16 __be16;
typedef __u32 __be32;
typedef __u64 __be64;
typedef __u16 __sum16;
typedef __u32 __wsum;
typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;
typedef _Bool bool;

#define true 1
#define false 0
#define NULL ((void *)0)

enum bpf_map_type {
	BPF_MAP_TYPE_HASH = 1,
	BPF_MAP_TYPE_ARRAY = 2,
	BPF_MAP_TYPE_PERCPU_ARRAY = 6,
	BPF_MAP_TYPE_LRU_HASH = 9,
	BPF_MAP_TYPE_RINGBUF = 27,
};

enum {
	BPF_ANY = 0,
	BPF_NOEXIST = 1,
};

enum {
	BPF_RB_NO_WAKEUP = 1,
};

/* skb_frag_t: struct bio_vec until 6.9, struct skb_frag since; the same layout: read as it stands. */
struct skb_fragment {
	__u64 page; /* struct page, or since 6.9 net_iov with bit 0 set */
	__u32 len;
	__u32 offset;
};

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

struct ns_common {
	const void *ops;
	unsigned int inum;
};

struct net {
	struct ns_common ns;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct net_device {
	char name[16];
	int ifindex;
	unsigned int mtu;
	unsigned short type;
	possible_net_t nd_net;
};

struct sock_common {
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
};

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
	int level;
	struct cgroup *ancestors[1]; /* since 6.1 */
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sock {
	struct sock_common __sk_common;
	struct sock_cgroup_data sk_cgrp_data;
};

struct sk_buff {
	struct sk_buff *next;
	struct net_device *dev;
	struct sock *sk;
	int skb_iif;
	unsigned int len;
	unsigned int data_len;
	unsigned int mark;
	__u32 hash;
	__u16 queue_mapping;
	__u16 vlan_tci;
	__be16 vlan_proto;
	__be16 protocol;
	__u16 inner_network_header;
	__u16 inner_mac_header;
	__u16 transport_header;
	__u16 network_header;
	__u16 mac_header;
	unsigned int tail;
	unsigned int end;
	unsigned char *head;
	unsigned char *data;
	__u8 pkt_type : 3;
	__u8 cloned : 1;
	__u8 fclone : 2;
	char cb[48];
};

struct skb_shared_info {
	__u8 nr_frags;
	unsigned short gso_size;
	unsigned short gso_segs;
	struct sk_buff *frag_list;
	struct skb_fragment frags[1];
};

struct page {
	unsigned long flags;
};

struct inet_frag_queue {
	struct sk_buff *fragments_tail;
};

enum bpf_func_id {
	BPF_FUNC_for_each_map_elem = 164,
	BPF_FUNC_loop = 181,
};

struct nsproxy {
	struct net *net_ns;
};

struct bpf_map {
	enum bpf_map_type map_type;
	__u32 key_size;
	__u32 value_size;
	__u32 id;
	char name[16];
};

struct htab_elem {
	char key[1];
};

struct css_set {
	struct cgroup *dfl_cgrp;
};

struct task_struct {
	void *stack;
	struct nsproxy *nsproxy;
	struct css_set *cgroups;
};

#pragma clang attribute pop

#endif
