/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * core.h - the kernel types in use, only the members in use. CO-RE finds the real offsets on the running kernel, so order
 * and size here mean nothing. A member is here because a line of this folder reads it.
 */
#ifndef SKBSPAN_CORE_H
#define SKBSPAN_CORE_H

/* Of functions that not every object with this header calls. */
#define __maybe_unused __attribute__((unused))

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

/*
 * Does nothing, but the verifier knows nothing of a number (of 64 bits) after it: where it would walk all that follows for each way that
 * leads here, and they differ in what it knows of that number alone, it does so once.
 */
#define FORGET(number) asm volatile("%0 = le64 %0" : "+r"(number))

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

struct rtnl_link_ops {
	const char *kind;
};

struct net_device {
	const struct rtnl_link_ops *rtnl_link_ops;
	char name[16];
	int ifindex;
	unsigned int mtu;
	unsigned short type;
	possible_net_t nd_net;
};

struct in6_addr {
	__u8 bytes[16];
};

struct sock_common {
	unsigned short skc_family;
	unsigned char skc_state;
	possible_net_t skc_net;
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	struct in6_addr skc_v6_daddr;
	struct in6_addr skc_v6_rcv_saddr;
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

struct inode {
	unsigned long i_ino;
};

struct socket;

struct socket_alloc {
	struct inode vfs_inode;
};

typedef struct {
	unsigned int val;
} kuid_t;

struct sock {
	struct sock_common __sk_common;
	struct socket *sk_socket;
	kuid_t sk_uid;
	__u16 sk_type;
	__u16 sk_protocol;
	struct sock_cgroup_data sk_cgrp_data;
};

struct list_head {
	struct list_head *next;
};

struct sk_buff {
	struct sk_buff *next;
	struct list_head list;
	struct net_device *dev;
	struct sock *sk;
	unsigned long _nfct;
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

/* Connection tracking and nf_tables: in modules, mostly. Their programs and branches are not there without. */
union nf_inet_addr {
	__u32 all[4];
};

union nf_conntrack_man_proto {
	__be16 all;
};

struct nf_conntrack_man {
	union nf_inet_addr u3;
	union nf_conntrack_man_proto u;
	__u16 l3num;
};

struct nf_conntrack_tuple {
	struct nf_conntrack_man src;
	struct {
		union nf_inet_addr u3;
		union {
			__be16 all;
		} u;
		__u8 protonum;
	} dst;
};

struct nf_conntrack_tuple_hash {
	struct nf_conntrack_tuple tuple;
};

struct nf_conntrack_zone {
	__u16 id;
};

struct nf_conn {
	struct nf_conntrack_zone zone;
	struct nf_conntrack_tuple_hash tuplehash[2];
	unsigned long status;
	__u32 mark;
};

struct nft_pktinfo {
	struct sk_buff *skb;
};

struct nft_table {
	char *name;
	__u16 family : 6;
};

struct nft_rule_blob {
	unsigned long size;
	unsigned char data[1];
};

struct nft_chain {
	struct nft_rule_blob *blob_gen_0;
	struct nft_rule_blob *blob_gen_1;
	struct nft_table *table;
	char *name;
};

struct nft_verdict {
	__u32 code;
	struct nft_chain *chain;
};

struct nft_data {
	struct nft_verdict verdict;
};

struct nft_immediate_expr {
	struct nft_data data;
	__u8 dreg;
};

struct nft_expr {
	unsigned char data[1];
};

struct skb_shared_info {
	__u8 nr_frags;
	unsigned short gso_size;
	unsigned short gso_segs;
	struct sk_buff *frag_list;
	unsigned int xdp_frags_size;
	struct skb_fragment frags[1];
};

struct page {
	unsigned long flags;
};

struct xdp_rxq_info {
	struct net_device *dev;
	u32 queue_index;
};

struct xdp_buff {
	void *data;
	void *data_end;
	void *data_hard_start;
	struct xdp_rxq_info *rxq;
	u32 frame_sz;
	u32 flags;
};

struct bpf_prog_aux {
	struct {
		__s64 counter;
	} refcnt;
	__u32 id;
};

struct bpf_prog {
	struct bpf_prog_aux *aux;
};

struct seq_file;

struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__bpf_prog {
	struct bpf_iter_meta *meta;
	struct bpf_prog *prog;
};

struct xdp_frame {
	void *data;
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
