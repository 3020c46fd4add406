import koffi from 'koffi';
import { systemError } from './errno.ts';
import { addressOf, closeFd, holding, lastErrno, syscallNumbers } from './libc.ts';

/*
 * bpf(2) itself, for what libbpf 1.1 cannot do (session links, recursion misses) and for the feature probes. Offsets are
 * those of `union bpf_attr` in linux/bpf.h: stable ABI. The kernel takes a longer attr than it knows if the rest is zero.
 */
const commands = {
  mapCreate: 0,
  progLoad: 5,
  progTestRun: 10,
  objGetInfoByFd: 15,
  rawTracepointOpen: 17,
  linkCreate: 28,
} as const;

const nativeBpf: (number: number, command: number, attr: Uint8Array, size: number) => number = koffi
  .load('libc.so.6')
  .func('long syscall(long number, int cmd, _Inout_ void *attr, uint size)');

export const attachTypes = {
  rawTracepoint: 23,
  perfEvent: 41,
  kprobeMulti: 42,
  kprobeSession: 56,
} as const;

export const programTypes = { kprobe: 2, tracing: 26 } as const;

export const mapTypes = { array: 2, ringbuf: 27 } as const;

/**
 * Calls bpf(2) with the attr that `fill` writes and the addresses of `pointers` at their offsets; returns what it returns
 * (mostly a file descriptor).
 */
const bpf = (
  operation: string,
  command: keyof typeof commands,
  bytes: number,
  fill: (attr: DataView) => void,
  pointers: readonly (readonly [number, NodeJS.TypedArray])[] = [],
): number => {
  const attr = new DataView(new ArrayBuffer(bytes));
  fill(attr);
  const memory = pointers.map(([, target]) => target);
  return holding(memory, () => {
    for (const [offset, target] of pointers) attr.setBigUint64(offset, addressOf(target), true);
    const number = syscallNumbers().bpf;
    const result = nativeBpf(number, commands[command], new Uint8Array(attr.buffer), bytes);
    if (result < 0) throw systemError(operation, lastErrno());
    return result;
  });
};

export interface MultiAttachment {
  readonly programFd: number;
  /** Functions, each attachable and no name twice, or the kernel refuses them all. */
  readonly names: readonly string[];
  /** One per name, what bpf_get_attach_cookie() gives in the program; none: all 0. */
  readonly cookies: readonly bigint[];
  readonly retprobe: boolean;
  /** The program runs at entry and exit (kernel 6.10+); it must have been loaded with that attach type. */
  readonly session: boolean;
}

/** BPF_LINK_CREATE of a kprobe.multi or kprobe.session link: a file descriptor. The kernel looks the names up. */
export const createMultiLink = (attachment: MultiAttachment): number => {
  const { programFd, names, retprobe, session } = attachment;
  const text = Buffer.from(names.map((name) => `${name}\0`).join(''), 'latin1');
  return holding([text], () => {
    let at = addressOf(text);
    const pointers = BigUint64Array.from(names, (name) => {
      const pointer = at;
      at += BigInt(name.length + 1);
      return pointer;
    });
    const cookies = BigUint64Array.from(attachment.cookies);
    const kind = session ? 'kprobe-session' : 'kprobe-multi';
    return bpf(
      `attaching ${names.length} functions by ${kind}`,
      'linkCreate',
      48,
      (attr) => {
        attr.setUint32(0, programFd, true);
        attr.setUint32(8, attachTypes[session ? 'kprobeSession' : 'kprobeMulti'], true);
        attr.setUint32(16, retprobe ? 1 : 0, true);
        attr.setUint32(20, names.length, true);
      },
      cookies.length === 0
        ? [[24, pointers]]
        : [
            [24, pointers],
            [40, cookies],
          ],
    );
  });
};

/** BPF_LINK_CREATE of a program to a perf event: a file descriptor. The link keeps the event alive by itself. */
export const createPerfLink = (programFd: number, perfFd: number, cookie: bigint): number =>
  bpf('attaching a program to a perf event', 'linkCreate', 24, (attr) => {
    attr.setUint32(0, programFd, true);
    attr.setUint32(4, perfFd, true);
    attr.setUint32(8, attachTypes.perfEvent, true);
    attr.setBigUint64(16, cookie, true);
  });

/** Attaches a program to a tracepoint: a file descriptor. `name` only for a raw_tp one; a tp_btf program knows its own. */
export const openRawTracepoint = (programFd: number, name?: string): number =>
  bpf(
    `attaching a program to ${name === undefined ? 'its tracepoint' : `tracepoint ${name}`}`,
    'rawTracepointOpen',
    16,
    (attr) => {
      attr.setUint32(8, programFd, true);
    },
    name === undefined ? [] : [[0, Buffer.from(`${name}\0`)]],
  );

/** `recursion_misses` of struct bpf_prog_info: runs refused because the program already ran on that CPU. */
export const recursionMisses = (programFd: number): bigint => {
  const info = new BigUint64Array(27); // struct bpf_prog_info up to and with recursion_misses
  const fill = (attr: DataView) => {
    attr.setUint32(0, programFd, true);
    attr.setUint32(4, info.byteLength, true);
  };
  bpf('reading program statistics', 'objGetInfoByFd', 16, fill, [[8, info]]);
  return info[26] ?? 0n;
};

/** Id of a map in this kernel. */
export const mapId = (mapFd: number): number => {
  const info = new Uint32Array(2); // struct bpf_map_info: type, id
  const fill = (attr: DataView) => {
    attr.setUint32(0, mapFd, true);
    attr.setUint32(4, info.byteLength, true);
  };
  bpf('reading a map', 'objGetInfoByFd', 16, fill, [[8, info]]);
  return info[1] ?? 0;
};

export interface RawProgram {
  readonly type: keyof typeof programTypes;
  /** Eight bytes each. */
  readonly instructions: Uint8Array;
  readonly attachType?: keyof typeof attachTypes;
  /** BTF id of what a tracing program attaches to. */
  readonly attachBtfId?: number;
}

/** Loads a tiny program without libbpf, for the feature probes: a file descriptor, the caller closes it. */
export const loadRawProgram = (program: RawProgram): number => {
  const license = Buffer.from('GPL\0');
  const fill = (attr: DataView) => {
    attr.setUint32(0, programTypes[program.type], true);
    attr.setUint32(4, program.instructions.length / 8, true);
    if (program.attachType !== undefined) attr.setUint32(68, attachTypes[program.attachType], true);
    attr.setUint32(108, program.attachBtfId ?? 0, true);
  };
  return bpf('loading a test program', 'progLoad', 112, fill, [
    [8, program.instructions],
    [16, license],
  ]);
};

/** Runs a program of type syscall once, without a context. */
export const runSyscallProgram = (programFd: number): void => {
  bpf('running a program', 'progTestRun', 80, (attr) => {
    attr.setUint32(0, programFd, true);
  });
};

/**
 * Runs a raw_tp program once, on this CPU, with `context` as its arguments: what it returns. Such programs may not attach
 * anywhere to be run so.
 */
export const testRun = (programFd: number, context: BigUint64Array): number => {
  const attr = new DataView(new ArrayBuffer(80));
  attr.setUint32(0, programFd, true);
  attr.setUint32(40, context.byteLength, true);
  return holding([context], () => {
    attr.setBigUint64(48, addressOf(context), true);
    const bytes = new Uint8Array(attr.buffer);
    if (nativeBpf(syscallNumbers().bpf, commands.progTestRun, bytes, attr.byteLength) < 0)
      throw systemError('running a program', lastErrno());
    return attr.getUint32(4, true);
  });
};

/** Creates a map without libbpf: a file descriptor, the caller closes it. */
export const createRawMap = (
  type: keyof typeof mapTypes,
  keyBytes: number,
  valueBytes: number,
  maxEntries: number,
): number =>
  bpf(`creating a ${type} map`, 'mapCreate', 48, (attr) => {
    attr.setUint32(0, mapTypes[type], true);
    attr.setUint32(4, keyBytes, true);
    attr.setUint32(8, valueBytes, true);
    attr.setUint32(12, maxEntries, true);
  });

/** Closes what `create` made after `use` had it, whatever happens. */
export const withFd = <T>(create: () => number, use: (fd: number) => T): T => {
  const fd = create();
  try {
    return use(fd);
  } finally {
    closeFd(fd);
  }
};
