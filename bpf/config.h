/* SPDX-License-Identifier: (GPL-2.0-only OR BSD-2-Clause) */
/*
 * config.h - what user space decides before load (`const volatile`: the verifier removes dead branches), and what it
 * sets while they run. Every option is off or at its default here.
 */
#ifndef SKBSPAN_CONFIG_H
#define SKBSPAN_CONFIG_H

#include "core.h"
#include <bpf/bpf_helpers.h>

#define TRAMPOLINES 3

struct config {
	u32 netns; /* follow only packets first seen in this network namespace (inode number); 0: all */
	u32 snaplen; /* bytes of a packet to keep, 0..SNAPLEN_MAX */
	u32 ignored_tgid; /* ignore what this process sends (skbspan itself: its export must not feed the trace); 0: nobody */
	u32 _pad;
};

struct control {
	/*
	 * Where a function whose exit is watched seems to return to (the kernel's trampolines for kretprobe, rethook and the
	 * function graph), 0: none. A tracepoint's location there says nothing: see release_caller in track.h. Not in `config`:
	 * reading the kernel's symbols takes as long as loading the programs, and so happens meanwhile.
	 */
	u64 trampolines[TRAMPOLINES];
	u32 recording; /* 1: record. Starts at 0, so that nothing is recorded of a half-attached set; 0 again stops at once */
	u32 _pad;
};

/* Each alone in its section, so that user space finds it at offset 0 of the map with that name. */
const volatile struct config config SEC(".rodata.config") = {.snaplen = 128};
volatile struct control control SEC(".data.control");

#endif
