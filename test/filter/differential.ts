/** Runs translated filters in the kernel and libpcap's interpreter over the same packets, and compares. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { testRun } from '../../src/ffi/bpf-syscall.ts';
import { openBpfObject, type BpfObject } from '../../src/ffi/libbpf.ts';
import type { Code } from '../../src/filter/assembler.ts';
import { injectPcapFilter } from '../../src/filter/pcap-filter.ts';
import type { Packet } from './packets.ts';

const architectures = {
  x64: { include: 'x86_64-linux-gnu', target: 'x86' },
  arm64: { include: 'aarch64-linux-gnu', target: 'arm64' },
} as const;

/** Where kernels under test find the object that the host compiled. */
export const differentialObject = new URL('../../build/differential.bpf.o', import.meta.url)
  .pathname;

/** Compiles differential.bpf.c to `output`. */
export const compileDifferential = (output: string): void => {
  compileBpf(new URL('differential.bpf.c', import.meta.url), output);
};

/** Compiles a BPF program of the tests. */
export function compileBpf(program: URL, output: string): void {
  const { include, target } = architectures[process.arch === 'arm64' ? 'arm64' : 'x64'];
  const source = program.pathname;
  const flags = ['-g', '-O2', '-Wall', '-Werror', '-target', 'bpf', '-mcpu=v3'];
  const folders = ['-idirafter', `/usr/include/${include}`];
  execFileSync('clang', [
    ...[...flags, `-D__TARGET_ARCH_${target}`, ...folders],
    ...['-c', source, '-o', output],
  ]);
  execFileSync('llvm-strip', ['-g', output]);
}

// struct packet: linear u32, length u32, bytes
const packetBytes = 2048;
const headBytes = 8;

/** A filter that was loaded into the kernel together with the packets. */
export interface LoadedFilter {
  /**
   * Verdicts of one window (enum filter_window) over all packets, less their first `skip` bytes: 0, 1, or 3: too short. `glance`: as
   * bpf/glance.h asks, then also 2: unknown.
   */
  run(window: number, skip: number, glance?: boolean): Uint8Array;
  close(): void;
}

/** Packets that the kernel will look at: cut to what the table holds. */
export const fitting = (packets: readonly Packet[]): Packet[] =>
  packets.map(({ bytes, wireLength }) => ({
    bytes: bytes.subarray(0, packetBytes - headBytes),
    wireLength,
  }));

/** Fills the map `packets` of a loaded object. */
export function putPackets(object: BpfObject, packets: readonly Packet[]): void {
  const table = object.map('packets');
  const key = new Uint32Array(1);
  packets.forEach(({ bytes, wireLength }, index) => {
    const value = new Uint8Array(packetBytes);
    const view = new DataView(value.buffer);
    view.setUint32(0, bytes.length, true);
    view.setUint32(4, wireLength, true);
    value.set(bytes, headBytes);
    key[0] = index;
    table.update(new Uint8Array(key.buffer), value);
  });
}

/** SKB_NOT_TOLD in bpf/pieces.h. */
const notTold = 1;

/** Loads `code` from the compiled object at `path`. Throws VerifierError if the kernel refuses it. */
export function loadFilter(path: string, code: Code, packets: readonly Packet[]): LoadedFilter {
  const object = openBpfObject(path, { contents: injectPcapFilter(readFileSync(path), code) });
  try {
    object.load();
    putPackets(object, packets);
    const program = object.program('run_all').fd();
    const verdicts = object.map('.bss').data();
    return {
      run(window, skip, glance = false) {
        const skb = glance ? notTold : 0;
        testRun(program, BigUint64Array.from([packets.length, window, skip, skb].map(BigInt)));
        return verdicts.slice(0, packets.length);
      },
      close: () => {
        object.close();
      },
    };
  } catch (error) {
    object.close();
    throw error;
  }
}
