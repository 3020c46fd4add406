/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * event.h - the ABI between the kernel side and src/event/layout.ts.
 *
 * Every record in the ring buffer is one of these structs. All begin with `struct event_header`; members stand biggest
 * first, padding is explicit, nothing is packed. src/event/layout.ts is generated from the BTF of the built object
 * (`npm run generate`), so an offset is never written twice; `npm run generate:check` fails when it is stale.
 *
 * Sequence numbers. Every record on a life, except `exit` and `detail`, takes the next number of that life, starting at 0, *before*
 * space in the ring is asked for: a gap tells user space exactly how many records of that life were lost. An exit or a
 * detail carries the number of its own enter instead. `task` and `device` records belong to no life (life 0, seq 0).
 */
#ifndef SKBSPAN_EVENT_H
#define SKBSPAN_EVENT_H

#define COMM_BYTES 16
#define IFNAME_BYTES 16
#define LINK_KIND_BYTES 16
#define RULE_NAME_BYTES 64
#define LINK_LAYER_ADDRESS_BYTES 8
#define SNAPLEN_MAX 65535
#define OFFSET_NONE 0xffff

enum event_kind {
	EVENT_ENTER = 1, /* a call begins (or a tracepoint was hit: FLAG_POINT) */
	EVENT_EXIT = 2, /* that call returned */
	EVENT_PACKET = 3, /* headers and first bytes: at first sight, and again when the flow's addresses changed */
	EVENT_LINK = 4, /* this life was made from another one, or went into it (FLAG_MERGE) */
	EVENT_FREE = 5, /* the life ended, not a drop */
	EVENT_DROP = 6, /* the life ended as a drop, with the kernel's reason */
	EVENT_TASK = 7, /* who a tid is */
	EVENT_DEVICE = 8, /* what an ifindex in a network namespace is */
	EVENT_DETAIL = 20, /* more about one call: a part that the user asked for */
	/* surroundings.h, rule.h; numbered apart, as several things grow at once */
	EVENT_SOCKET = 30, /* the life has got this socket; told when it becomes another one */
	EVENT_CONNTRACK = 31, /* the packet's connection; told again when its status changed */
	EVENT_RULE = 32, /* a rule of nftables decided to drop the packet */
};

/* event_header.flags */
enum event_flag {
	FLAG_POINT = 1, /* enter: a tracepoint, an instant that never exits */
	FLAG_ENTER_ONLY = 2, /* enter: no probe watches this call's exit */
	FLAG_FIRST = 4, /* the first record of this life that is not a link */
	FLAG_LINKED = 8, /* the life has a parent: if no link record came, it was lost */
	FLAG_LIST = 16, /* enter: the skb was found on a list argument */
	FLAG_MERGE = 32, /* link: `parent` is not what this life was made from, but what it went into */
};

/* link_event.operation */
enum link_operation {
	LINK_CLONE = 1, /* skb_clone: shares the data */
	LINK_COPY = 2, /* skb_copy_header: skb_copy, pskb_copy, skb_copy_expand, XDP's copy on write */
	LINK_SEGMENT = 3, /* skb_segment, skb_segment_list: one of the segments that the parent was cut into */
	LINK_MORPH = 4, /* skb_morph: this sk_buff got the parent's content */
	LINK_XDP = 5,
	LINK_GRO = 6, /* skb_gro_receive: merged into a packet of the same flow */
	LINK_REASSEMBLY = 7, /* inet_frag_queue_insert: merged with the fragment of its packet that came first */
	LINK_FRAGMENT = 8, /* IP fragmentation: one of the fragments that the parent was cut into */
};

/* free_event.how */
enum free_how {
	FREE_CONSUMED = 1, /* tracepoint skb:consume_skb */
	FREE_RELEASED =
		2, /* __kfree_skb or a sibling without a tracepoint: eaten by its owner (tcp), stolen head (GRO) */
	FREE_MEMORY = 3, /* only the memory's release was seen */
	FREE_REUSED = 4, /* its end was not seen: the address was born again */
	FREE_MORPHED = 5, /* skb_morph threw its content away: the sk_buff lives on as another packet */
};

/* What a probe means to tracking; bits 40..47 of the attach cookie. */
enum probe_role {
	ROLE_PLAIN = 0,
	ROLE_RELEASE = 1, /* runs while an skb is dying: starts no life, is allowed on a dying one */
	ROLE_FREE = 2, /* the last reference is gone: the life is dying from here on */
	ROLE_FREE_MEMORY = 3, /* the sk_buff itself goes back: the address is forgotten */
	/* From here on: makers, that relate an skb to others (links.h). Where the skb is the second argument, OTHER is the first. */
	ROLE_CLONE = 4, /* skb_clone: its return value is a child of its argument */
	ROLE_COPY = 5, /* skb_copy_header(OTHER new, old) */
	ROLE_ALLOC = 6, /* returns a new sk_buff: whatever life the address had has ended */
	ROLE_FRAME_RETURN = 16, /* xdp_return_frame(frame): an XDP frame is no more */
	ROLE_FRAGMENT = 7, /* ip_frag_next: its return value is a fragment of its argument */
	ROLE_FRAGMENT_LIST = 8, /* ip_do_fragment: may send what hangs on its argument as fragments */
	ROLE_SEGMENT = 9, /* skb_segment: returns a list of segments of its argument */
	ROLE_MORPH = 10, /* skb_morph(OTHER target, source) */
	ROLE_REASSEMBLE = 11, /* inet_frag_queue_insert(OTHER queue, fragment) */
	ROLE_MERGE = 12, /* skb_gro_receive(OTHER into, skb): merged if it returns 0 */
	ROLE_DEFER = 13, /* skb_attempt_defer_free: what is alive when it returns is freed later, elsewhere */
	ROLE_ARRIVAL = 14, /* eth_type_trans: every skb that is built from a frame comes by (frame.h) */
	ROLE_INNER = 32, /* takes no skb: belongs to the packet in whose call it runs (inner.h) */
	ROLE_MAP_LOOKUP = 33, /* the same, (map, key), returns the address of the value */
	ROLE_MAP_UPDATE = 34, /* the same, (map, key, value) */
	ROLE_MAP_DELETE = 35, /* the same, (map, key) */
	ROLE_MAP_ELEMENT = 36, /* the same, (map, key), returns the address of a struct htab_elem: key, then value */
	ROLE_LIST = 40, /* its argument is a struct list_head of sk_buffs (lists.h) */
	ROLE_PLACE = 41, /* its argument is the address of a pointer to an sk_buff */
};

/*
 * The attach cookie: what user space tells the programs about one probe.
 *   bits  0..31  probe id (index into the probe table of this run)
 *   bits 32..35  which argument is the skb, 1..5 (0: none)
 *   bits 36..39  which argument is a struct sock, 1..5 (0: none)
 *   bits 40..47  enum probe_role
 *   bit  48      an exit is watched for this probe
 *   bit  49      only for tracking: the user did not ask for this function, so no call is recorded and no life begun
 */
#define COOKIE_SKB_ARG_SHIFT 32
#define COOKIE_SK_ARG_SHIFT 36
#define COOKIE_ROLE_SHIFT 40
#define COOKIE_EXIT_SHIFT 48
#define COOKIE_SILENT_SHIFT 49

/* Probe ids of tracepoints: this bit and enum tracepoint_id. */
#define PROBE_TRACEPOINT 0x80000000
/* Probe ids of tc and XDP programs: this bit and the program's place in the list of this run. */
#define PROBE_PROGRAM 0x40000000

struct event_header {
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u64 life; /* below 2^48, from 1; 0: no life */
	__u32 seq;
	__u32 probe; /* probe id; 0xffffffff: no probe of the table (an skb tracepoint that is always watched) */
	__u32 tid; /* the task that the CPU ran, softirq or not; 0: idle */
	__u16 cpu;
	__u8 kind; /* enum event_kind */
	__u8 flags; /* enum event_flag */
};

struct enter_event {
	struct event_header header;
	__u64 skb; /* address; of a packet that is an XDP frame: of its first byte */
	__u64 frame; /* address of the return address on the stack; 0: unknown. Smaller is deeper on one stack */
	__u32 netns; /* inode number; 0: unknown */
	__u32 ifindex; /* 0: the skb has no device here */
	__u32 len;
	__u32 mark;
	__u16 protocol; /* ethertype, host order; 0: unset */
	__u16 _pad0;
	__u32 details; /* enum detail: the detail records that follow; one that is missing was lost */
};

struct exit_event {
	struct event_header header; /* seq: low 16 bits of the enter's */
	__u64 return_value;
};

struct link_event {
	struct event_header header; /* life: the child */
	__u64 parent; /* life; FLAG_MERGE: what this one went into */
	__u64 skb; /* this life's address */
	/* Low 16 bits of the seq of the call that did it: an enter on the parent, FLAG_MERGE: on this life; 0xffffffff: unknown. */
	__u32 parent_seq;
	__u8 operation; /* enum link_operation */
	__u8 _pad[3];
};

struct free_event {
	struct event_header header;
	__u64 location; /* caller's address; 0: unknown */
	__u64 skb;
	__u8 how; /* enum free_how */
	__u8 _pad[7];
};

struct drop_event {
	struct event_header header;
	__u64 location;
	__u64 skb;
	/* enum skb_drop_reason, subsystem in the upper 16 bits; 0xffffffff: this kernel tells none; 0xfffffffe: the verdict of
	 * the XDP program that header.probe names */
	__u32 reason;
	__u32 verdict; /* enum xdp_action, if that was the reason */
};

/*
 * Offsets are from the start of `data`, OFFSET_NONE where a header is not set or lies outside of it. data begins at the MAC
 * header if there is one, else at the network header, else at skb->data.
 */
struct packet_event {
	struct event_header header;
	__u64 skb;
	__u64 head; /* skb->head */
	__u64 parent; /* life, 0: none */
	__u64 socket; /* skb->sk or the sock argument; 0: none */
	__u32 len; /* bytes of the whole packet counted from the start of data */
	__u32 caplen; /* bytes of data that are valid; may be 0 */
	__u32 netns;
	__u32 ifindex;
	__u32 mark;
	__u32 hash;
	__u16 mac_offset;
	__u16 network_offset;
	__u16 transport_offset;
	__u16 protocol; /* ethertype, host order */
	__u16 vlan_tci; /* host order; valid if vlan_proto != 0 */
	__u16 vlan_proto; /* ethertype, host order; 0: no VLAN tag in the metadata */
	__u16 queue_mapping;
	__u16 gso_size;
	__u16 gso_segs;
	__u8 pkt_type; /* PACKET_HOST.. PACKET_OUTGOING */
	__u8 cloned;
	__u32 data_len; /* bytes in frags; len - data_len is linear */
	__u8 data[]; /* snaplen bytes reserved, caplen valid */
};

struct task_event {
	struct event_header header; /* tid: whom this is about */
	__u64 cgroup;
	__u32 tgid;
	__u32 _pad;
	char comm[COMM_BYTES];
};

struct device_event {
	struct event_header header;
	__u32 netns;
	__u32 ifindex;
	__u32 mtu;
	__u16 type; /* ARPHRD_* */
	__u16 _pad;
	char name[IFNAME_BYTES];
	char link_kind[LINK_KIND_BYTES]; /* rtnl_link_ops.kind; empty: hardware or loopback */
};

struct socket_event {
	struct event_header header;
	__u64 socket; /* address */
	__u64 cgroup; /* id; 0: unknown */
	__u64 inode; /* 0: no process holds it */
	__u8 local_address[16]; /* the first 4 bytes if the family is AF_INET */
	__u8 remote_address[16];
	__u32 netns;
	__u32 uid;
	__u16 local_port; /* host order */
	__u16 remote_port;
	__u16 family;
	__u16 type; /* SOCK_*; 0: unknown */
	__u16 protocol;
	__u8 state; /* TCP_* of tcp_states.h */
	__u8 full; /* 0: a stand-in for a socket (SYN_RECV, TIME_WAIT), which has no type, protocol, uid, inode and cgroup */
	__u32 _pad;
};

struct conntrack_tuple {
	__u8 source_address[16];
	__u8 destination_address[16];
	__u16 source_port; /* host order; of ICMP: the id */
	__u16 destination_port;
	__u16 family;
	__u8 protocol;
	__u8 _pad;
};

struct conntrack_event {
	struct event_header header;
	__u64 conntrack; /* address */
	__u32 status; /* IPS_* bits */
	__u32 mark;
	struct conntrack_tuple original;
	struct conntrack_tuple reply;
	__u16 zone;
	__u8 info; /* enum ip_conntrack_info: the low bits of skb->_nfct */
	__u8 _pad[5];
};

struct rule_event {
	struct event_header header;
	__u64 handle;
	__u32 family; /* NFPROTO_* */
	__u32 _pad;
	char table[RULE_NAME_BYTES];
	char chain[RULE_NAME_BYTES];
};

/* Parts of a call's details. */
enum detail {
	DETAIL_STACK = 1, /* u64 return addresses, innermost first, the probed function itself before them */
	DETAIL_TUNNEL = 2, /* the packet in a tunnel, from its IP header on */
	DETAIL_VALUES = 4, /* u64: which could be read, by bits; then u64 each */
	DETAIL_CB = 8, /* skb->cb */
	DETAIL_SKB = 16, /* struct sk_buff as it stands */
	DETAIL_SHARED = 32, /* struct skb_shared_info as it stands */
	DETAIL_MAP = 64, /* struct detail_map, then the key */
	DETAIL_VALUE = 128, /* the value in a map; of a lookup only when it returns one, and not announced */
};

#define DETAIL_VALUES_MAX 4
#define MAP_BYTES_MAX 256 /* of a key or a value */

/* One part. Like an exit it carries the low 16 bits of its enter's seq, and takes no number of its own. */
struct detail_event {
	struct event_header header;
	__u32 part; /* enum detail */
	__u32 bytes; /* of data that are valid; 0: there is nothing, or it could not be read */
	__u8 data[];
};

struct detail_map {
	__u32 id;
	__u32 type; /* enum bpf_map_type */
	__u32 key_bytes; /* the whole size, of which at most MAP_BYTES_MAX follow */
	__u32 value_bytes;
	char name[16];
};

/* Keys of the `counters` map: per CPU u64, added up by user space; never reset. */
enum counter {
	COUNT_LIVES, /* lives begun */
	COUNT_LOST_RING_FULL, /* records that found no space in the ring */
	COUNT_LOST_LIVES_FULL, /* packets not followed: the lives map was full */
	COUNT_LOST_LIVES_BUSY, /* packets not followed: the lives map's bucket was locked by this very CPU */
	COUNT_LOST_CALLS_FULL, /* exits that will not be matched: the calls map was full or busy */
	COUNT_LOST_LINKS, /* clones, copies and parts of packets that could not be followed or joined */
	COUNT_LOST_CONTEXT, /* task and device records that were not sent */
	COUNT_REUSED, /* lives whose end was not seen before the address was born again */
	COUNT_UNREADABLE, /* skb arguments that could not be read */
	COUNT_LOST_MEMBERS, /* calls on members of a list that has more than config.list_members */
	COUNTER_SLOTS,
};

#endif
