/*
 * A kprobe as a perf event. Written on perf_event_open(2) and not on bpf_program__attach_kprobe_opts, because
 *  - it can attach by address, so functions that share a name can all be traced;
 *  - the link holds the event, so its descriptor is closed at once and a probe costs one file descriptor, not two;
 *  - the slow part, arming the probe, is one system call that can run on another thread. errno is lost there (it belongs to
 *    that thread), so a refusal is asked again on this thread, where the number can be read. Refusals are rare and quick.
 */
import koffi, { type KoffiFunc } from 'koffi';
import { readFileSync } from 'node:fs';
import { SkbspanError } from '../errors.ts';
import { systemError } from './errno.ts';
import { addressOf, holding, lastErrno, syscallNumbers } from './libc.ts';

type PerfEventOpen = (
  number: number,
  attr: Uint8Array,
  pid: number,
  cpu: number,
  group: number,
  flags: number,
) => number;

const nativePerfEventOpen: KoffiFunc<PerfEventOpen> = koffi
  .load('libc.so.6')
  .func('long syscall(long number, void *attr, int pid, int cpu, int group, ulong flags)');

/** Where to put a probe: by name (unique in the kernel or its module), or by the address of the entry. */
export interface KprobeTarget {
  readonly func: string;
  readonly module?: string | undefined;
  /** Wins over the name, which is then only for messages. */
  readonly address?: bigint | undefined;
  readonly retprobe: boolean;
}

const FD_CLOEXEC = 8; // PERF_FLAG_FD_CLOEXEC
const attrBytes = 128;

interface PerfKprobeType {
  readonly type: number;
  readonly retprobeBit: number;
}

let perfType: PerfKprobeType | undefined;

/** The number of the kernel's kprobe "PMU". Throws SKBSPAN_UNSUPPORTED if this kernel was built without kprobes. */
const kprobePerfType = (): PerfKprobeType => {
  if (perfType !== undefined) return perfType;
  const folder = '/sys/bus/event_source/devices/kprobe';
  try {
    perfType = {
      type: Number(readFileSync(`${folder}/type`, 'utf8')),
      retprobeBit: Number(/\d+/.exec(readFileSync(`${folder}/format/retprobe`, 'utf8'))?.[0] ?? 0),
    };
    return perfType;
  } catch (cause) {
    throw new SkbspanError('SKBSPAN_UNSUPPORTED', 'this kernel has no kprobes', {
      advice: `It needs CONFIG_KPROBES and CONFIG_KPROBE_EVENTS (${folder} is missing): use --backend tracepoint.`,
      cause,
    });
  }
};

export const targetName = (target: KprobeTarget): string =>
  `${target.retprobe ? 'kretprobe' : 'kprobe'} ${target.module === undefined ? '' : `${target.module}:`}${target.func}`;

/** The arguments of the call; `name` must be kept alive until it has returned. */
const prepare = (target: KprobeTarget) => {
  const { type, retprobeBit } = kprobePerfType();
  const symbol = target.module === undefined ? target.func : `${target.module}:${target.func}`;
  const name = Buffer.from(`${symbol}\0`);
  const attr = new DataView(new ArrayBuffer(attrBytes));
  attr.setUint32(0, type, true);
  attr.setUint32(4, attrBytes, true);
  attr.setBigUint64(8, target.retprobe ? 1n << BigInt(retprobeBit) : 0n, true);
  // config1: kprobe_func; config2: probe_offset, or kprobe_addr if there is no name.
  if (target.address === undefined) attr.setBigUint64(56, addressOf(name), true);
  else attr.setBigUint64(64, target.address, true);
  return { name, attr: new Uint8Array(attr.buffer) };
};

const number = () => syscallNumbers().perfEventOpen;
const anyProcess = -1;
const firstCpu = 0; // the event lives there; the program runs on every CPU

/** Arms a probe: the perf event's file descriptor. */
export const openKprobeEvent = (target: KprobeTarget): number => {
  const { name, attr } = prepare(target);
  return holding([name], () => {
    const fd = nativePerfEventOpen(number(), attr, anyProcess, firstCpu, -1, FD_CLOEXEC);
    if (fd < 0) throw systemError(targetName(target), lastErrno());
    return fd;
  });
};

/** The same on a thread of koffi's pool. */
export const openKprobeEventAsync = (target: KprobeTarget): Promise<number> => {
  const { name, attr } = prepare(target);
  return new Promise((resolve, reject) => {
    const done = (error: unknown, fd: number) => {
      try {
        if (error instanceof Error) throw error;
        if (name.length === 0) return; // never; the closure holds the name (and attr) until here
        resolve(fd >= 0 ? fd : openKprobeEvent(target));
      } catch (failure) {
        reject(failure instanceof Error ? failure : new Error(String(failure)));
      }
    };
    nativePerfEventOpen.async(number(), attr, anyProcess, firstCpu, -1, FD_CLOEXEC, done);
  });
};
