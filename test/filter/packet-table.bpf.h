/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/* The packets that programs of the tests look at; putPackets() in differential.ts fills the map. */
#ifndef SKBSPAN_PACKET_TABLE_H
#define SKBSPAN_PACKET_TABLE_H

#define PACKETS_MAX 4096
#define PACKET_BYTES 2040

struct packet {
	u32 linear;
	u32 length;
	u8 bytes[PACKET_BYTES];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, PACKETS_MAX);
	__type(key, u32);
	__type(value, struct packet);
} packets SEC(".maps");

#endif
