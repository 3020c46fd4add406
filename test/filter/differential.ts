/** Runs translated filters in the kernel and libpcap's interpreter over the same packets, and compares. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { testRun } from '../../src/ffi/bpf-syscall.ts';
import { openBpfObject } from '../../src/ffi/libbpf.ts';
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
  /** Verdicts of one window (enum filter_window) over all packets, less their first `skip` bytes: 0, 1, or 2: too short. */
  run(window: number, skip: number): Uint8Array;
  close(): void;
}

/** Packets that the kernel will look at: cut to what the table holds. */
export const fitting = (packets: readonly Packet[]): Packet[] =>
  packets.map(({ bytes, wireLength }) => ({
    bytes: bytes.subarray(0, packetBytes - headBytes),
    wireLength,
  }));

/** Loads `code` from the compiled object at `path`. Throws VerifierError if the kernel refuses it. */
export function loadFilter(path: string, code: Code, packets: readonly Packet[]): LoadedFilter {
  const object = openBpfObject(path, { contents: injectPcapFilter(readFileSync(path), code) });
  try {
    object.load();
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
    const program = object.program('run_all').fd();
    const verdicts = object.map('.bss').data();
    return {
      run(window, skip) {
        const context = BigUint64Array.of(BigInt(packets.length), BigInt(window), BigInt(skip));
        testRun(program, context);
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
