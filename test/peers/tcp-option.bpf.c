// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
// Puts OpenTelemetry's TCP option into what the connections of a cgroup send, as eBPF instrumentation of applications does: the ids
// of the application's span, and in the longer form the trace flags.
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#define KIND 25
#define SHORT_BYTES 26
#define LONG_BYTES 27

struct option {
	__u8 kind;
	__u8 length;
	__u8 trace_id[16];
	__u8 span_id[8];
	__u8 flags;
} __attribute__((packed));

static __always_inline int put(struct bpf_sock_ops *ops, __u32 bytes)
{
	struct option option = {
		.kind = KIND,
		.length = bytes,
		.trace_id = {0x4b, 0xf9, 0x2f, 0x35, 0x77, 0xb3, 0x4d, 0xa6, 0xa3, 0xce, 0x92, 0x9d, 0x0e, 0x0e, 0x47, 0x36},
		.span_id = {0x00, 0xf0, 0x67, 0xaa, 0x0b, 0xa9, 0x02, 0xb7},
		.flags = 1,
	};

	switch (ops->op) {
	case BPF_SOCK_OPS_ACTIVE_ESTABLISHED_CB:
		bpf_sock_ops_cb_flags_set(ops, ops->bpf_sock_ops_cb_flags | BPF_SOCK_OPS_WRITE_HDR_OPT_CB_FLAG);
		break;
	case BPF_SOCK_OPS_HDR_OPT_LEN_CB:
		bpf_reserve_hdr_opt(ops, bytes, 0);
		break;
	case BPF_SOCK_OPS_WRITE_HDR_OPT_CB:
		bpf_store_hdr_opt(ops, &option, bytes, 0);
		break;
	}
	return 1;
}

SEC("sockops")
int put_short(struct bpf_sock_ops *ops)
{
	return put(ops, SHORT_BYTES);
}

SEC("sockops")
int put_long(struct bpf_sock_ops *ops)
{
	return put(ops, LONG_BYTES);
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
