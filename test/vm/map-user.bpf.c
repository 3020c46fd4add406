// SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause)
/* A BPF program as others have them: updates, looks up and deletes in a hash map whenever a packet is queued to a device. */
#include "../../bpf/core.h"
#include <bpf/bpf_helpers.h>

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16);
	__type(key, u32);
	__type(value, u64);
} seen_by_test SEC(".maps");

SEC("tp_btf/net_dev_queue")
int note_packet(u64 *ctx)
{
	u32 key = 0x01020304;
	u64 value = 0x1122334455667788, *found;

	bpf_map_update_elem(&seen_by_test, &key, &value, BPF_ANY);
	found = bpf_map_lookup_elem(&seen_by_test, &key);
	if (found)
		*found = 0;
	bpf_map_delete_elem(&seen_by_test, &key);
	return 0;
}

char LICENSE[] SEC("license") = "Dual BSD/GPL";
