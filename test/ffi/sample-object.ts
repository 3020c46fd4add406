import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

const source = `
#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>
struct { __uint(type, BPF_MAP_TYPE_RINGBUF); __uint(max_entries, 4096); } ring SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_PERCPU_ARRAY); __uint(max_entries, 1); __type(key, __u32); __type(value, __u64); } hits SEC(".maps");
struct { __uint(type, BPF_MAP_TYPE_HASH); __uint(max_entries, 4); __type(key, __u32); __type(value, __u64); } table SEC(".maps");
const volatile __u32 marker = 1;
__u64 seen = 0;
struct sample { __u32 first; __u64 wide; struct { __u16 inner; }; __u32 low : 3, high : 5; } kept;
SEC("tp_btf/consume_skb") int on_free(__u64 *ctx)
{
	__u32 zero = 0;
	__u64 *n = bpf_map_lookup_elem(&hits, &zero);
	if (n) ++*n;
	__sync_fetch_and_add(&seen, 1);
	__u32 value[2] = { marker, 7 };
	bpf_ringbuf_output(&ring, value, sizeof value, 0);
	kept.first = 1;
	return 0;
}
SEC("tp_btf/kfree_skb") int broken(__u64 *ctx) { return *(volatile int *)(ctx + 1000); }
char LICENSE[] SEC("license") = "GPL";
`;

const architectureFolder = { x64: 'x86_64-linux-gnu', arm64: 'aarch64-linux-gnu' } as const;

/** Compiles a small BPF object into a folder that goes with the test: its path. */
export const compileSample = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-ffi-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const input = join(folder, 'sample.bpf.c');
  const output = join(folder, 'sample.bpf.o');
  writeFileSync(input, source);
  const arch = process.arch === 'arm64' ? 'arm64' : 'x64';
  execFileSync('clang', [
    ...['-g', '-O2', '-target', 'bpf', '-mcpu=v3'],
    ...['-idirafter', `/usr/include/${architectureFolder[arch]}`, '-c', input, '-o', output],
  ]);
  return output;
};

/** A reason to skip what loads programs; false: it can run. */
export const cannotLoad = (): string | false =>
  process.getuid?.() === 0 ? false : 'loading programs needs root';
