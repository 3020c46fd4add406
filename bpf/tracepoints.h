/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * tracepoints.h - every kernel tracepoint that carries an skb and is a milestone on a packet's way: X(name, index of the skb
 * argument). Each becomes a program `tp_<name>` and a member TRACEPOINT_<name> of enum tracepoint_id, which the generated
 * layout exports to user space. Which exist, and at which argument the skb stands, is checked against the running kernel's
 * BTF (`btf_trace_<name>`) before load. skb:kfree_skb and skb:consume_skb are not here: they are always watched.
 */
#ifndef SKBSPAN_TRACEPOINTS_H
#define SKBSPAN_TRACEPOINTS_H

#define SKB_TRACEPOINTS(X)                                                                                             \
	X(net_dev_queue, 0)                                                                                            \
	X(net_dev_start_xmit, 0)                                                                                       \
	X(net_dev_xmit, 0)                                                                                             \
	X(netif_rx_entry, 0)                                                                                           \
	X(netif_rx, 0)                                                                                                 \
	X(netif_receive_skb_entry, 0)                                                                                  \
	X(netif_receive_skb_list_entry, 0)                                                                             \
	X(napi_gro_receive_entry, 0)                                                                                   \
	X(napi_gro_frags_entry, 0)                                                                                     \
	X(netif_receive_skb, 0)                                                                                        \
	X(qdisc_enqueue, 2)                                                                                            \
	X(qdisc_dequeue, 3)                                                                                            \
	X(icmp_send, 0)                                                                                                \
	X(sock_rcvqueue_full, 1)                                                                                       \
	X(udp_fail_queue_rcv_skb, 2)                                                                                   \
	X(skb_copy_datagram_iovec, 0)                                                                                  \
	X(tcp_retransmit_skb, 1)                                                                                       \
	X(tcp_send_reset, 1)                                                                                           \
	X(tcp_probe, 1)                                                                                                \
	X(tcp_bad_csum, 0)                                                                                             \
	X(tcp_hash_bad_header, 1)                                                                                      \
	X(tcp_hash_md5_required, 1)                                                                                    \
	X(tcp_hash_md5_unexpected, 1)                                                                                  \
	X(tcp_hash_md5_mismatch, 1)                                                                                    \
	X(tcp_hash_ao_required, 1)                                                                                     \
	X(tcp_ao_handshake_failure, 1)

enum tracepoint_id {
	TRACEPOINT_none = 0,
#define X(name, skb_index) TRACEPOINT_##name,
	SKB_TRACEPOINTS(X)
#undef X
};

/* At which argument each one's skb stands; a kernel that differs does not get the program. */
enum tracepoint_argument {
#define X(name, skb_index) ARGUMENT_##name = skb_index,
	SKB_TRACEPOINTS(X)
#undef X
};

#endif
