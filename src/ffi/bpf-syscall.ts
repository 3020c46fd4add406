import koffi, { type KoffiFunc } from 'koffi';
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
  progGetNextId: 11,
  progGetFdById: 13,
  objGetInfoByFd: 15,
  rawTracepointOpen: 17,
  btfLoad: 18,
  btfGetFdById: 19,
  linkCreate: 28,
  iterCreate: 33,
} as const;

type NativeBpf = (number: number, command: number, attr: Uint8Array, size: number) => number;

const nativeBpf: KoffiFunc<NativeBpf> = koffi
  .load('libc.so.6')
  .func('long syscall(long number, int cmd, _Inout_ void *attr, uint size)');

export const attachTypes = {
  rawTracepoint: 23,
  traceFentry: 24,
  traceFexit: 25,
  traceIter: 28,
  perfEvent: 41,
  kprobeMulti: 42,
  kprobeSession: 56,
} as const;

export const programTypes = { kprobe: 2, tracing: 26 } as const;

export const mapTypes = { array: 2, ringbuf: 27 } as const;

type Pointers = readonly (readonly [number, NodeJS.TypedArray])[];

const putPointers = (attr: DataView, pointers: Pointers): Uint8Array => {
  for (const [offset, target] of pointers) attr.setBigUint64(offset, addressOf(target), true);
  return new Uint8Array(attr.buffer);
};

/**
 * Calls bpf(2) with `attr`, into which the addresses of `pointers` are put at their offsets; returns what it returns (mostly a
 * file descriptor). What the kernel writes into the attr is there afterwards. Throws SystemError.
 */
export const bpf = (
  operation: string,
  command: keyof typeof commands,
  attr: DataView,
  pointers: Pointers = [],
): number => {
  const memory = pointers.map(([, target]) => target);
  return holding(memory, () => {
    const bytes = putPointers(attr, pointers);
    const number = syscallNumbers().bpf;
    const result = nativeBpf(number, commands[command], bytes, bytes.length);
    if (result < 0) throw systemError(operation, lastErrno());
    return result;
  });
};

/**
 * The same on a thread of koffi's pool. errno is lost there, so a call that fails is made again here, where the number can be
 * read: what fails does so quickly.
 */
export const bpfAsync = (
  operation: string,
  command: keyof typeof commands,
  attr: DataView,
  pointers: Pointers = [],
): Promise<number> => {
  const bytes = putPointers(attr, pointers);
  return new Promise((resolve, reject) => {
    const done = (error: unknown, result: number): void => {
      try {
        if (error instanceof Error) throw error;
        // This closure holds `pointers` until here.
        resolve(result >= 0 ? result : bpf(operation, command, attr, pointers));
      } catch (failure) {
        reject(failure instanceof Error ? failure : new Error(String(failure)));
      }
    };
    nativeBpf.async(syscallNumbers().bpf, commands[command], bytes, bytes.length, done);
  });
};

/** bpf() with an attr of so many bytes, which `fill` fills. */
const call = (
  operation: string,
  command: keyof typeof commands,
  bytes: number,
  fill: (attr: DataView) => void,
  pointers: Pointers = [],
): number => {
  const attr = new DataView(new ArrayBuffer(bytes));
  fill(attr);
  return bpf(operation, command, attr, pointers);
};

export interface MultiAttachment {
  readonly programFd: number;
  /** By name, which the kernel looks up, or by address. Each attachable and none twice, or the kernel refuses them all. */
  readonly functions: readonly string[] | BigUint64Array<ArrayBuffer>;
  /** One per function, what bpf_get_attach_cookie() gives in the program; none: all 0. */
  readonly cookies: readonly bigint[];
  readonly retprobe: boolean;
  /** The program runs at entry and exit (kernel 6.10+); it must have been loaded with that attach type. */
  readonly session: boolean;
}

/** Where in the attr the kernel wants names, and addresses. */
const multiNames = 24;
const multiAddresses = 32;

const linkMulti = (attachment: MultiAttachment, functions: readonly [number, BigUint64Array]) => {
  const { programFd, retprobe, session } = attachment;
  const count = attachment.functions.length;
  const cookies = BigUint64Array.from(attachment.cookies);
  const pointers = cookies.length === 0 ? [functions] : [functions, [40, cookies] as const];
  return call(
    `attaching ${count} functions by ${session ? 'kprobe-session' : 'kprobe-multi'}`,
    'linkCreate',
    48,
    (attr) => {
      attr.setUint32(0, programFd, true);
      attr.setUint32(8, attachTypes[session ? 'kprobeSession' : 'kprobeMulti'], true);
      attr.setUint32(16, retprobe ? 1 : 0, true);
      attr.setUint32(20, count, true);
    },
    pointers,
  );
};

/** BPF_LINK_CREATE of a kprobe.multi or kprobe.session link: a file descriptor. */
export const createMultiLink = (attachment: MultiAttachment): number => {
  const { functions } = attachment;
  if (functions instanceof BigUint64Array)
    return linkMulti(attachment, [multiAddresses, functions]);
  const text = Buffer.from(functions.map((name) => `${name}\0`).join(''), 'latin1');
  return holding([text], () => {
    let at = addressOf(text);
    const pointers = BigUint64Array.from(functions, (name) => {
      const pointer = at;
      at += BigInt(name.length + 1);
      return pointer;
    });
    return linkMulti(attachment, [multiNames, pointers]);
  });
};

/** BPF_LINK_CREATE of a program to a perf event: a file descriptor. The link keeps the event alive by itself. */
export const createPerfLink = (programFd: number, perfFd: number, cookie: bigint): number =>
  call('attaching a program to a perf event', 'linkCreate', 24, (attr) => {
    attr.setUint32(0, programFd, true);
    attr.setUint32(4, perfFd, true);
    attr.setUint32(8, attachTypes.perfEvent, true);
    attr.setBigUint64(16, cookie, true);
  });

/** Attaches a program to a tracepoint: a file descriptor. `name` only for a raw_tp one; a tp_btf program knows its own. */
export const openRawTracepoint = (programFd: number, name?: string): number =>
  call(
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
  call('reading program statistics', 'objGetInfoByFd', 16, fill, [[8, info]]);
  return info[26] ?? 0n;
};

/** Id of a map in this kernel. */
export const mapId = (mapFd: number): number => {
  const info = new Uint32Array(2); // struct bpf_map_info: type, id
  const fill = (attr: DataView) => {
    attr.setUint32(0, mapFd, true);
    attr.setUint32(4, info.byteLength, true);
  };
  call('reading a map', 'objGetInfoByFd', 16, fill, [[8, info]]);
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
  return call('loading a test program', 'progLoad', 112, fill, [
    [8, program.instructions],
    [16, license],
  ]);
};

/** Runs a program of type syscall once, without a context. */
export const runSyscallProgram = (programFd: number): void => {
  call('running a program', 'progTestRun', 80, (attr) => {
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

/** Creates a map without libbpf: a file descriptor, the caller closes it. `name`: up to 15 characters, for bpftool and the like. */
export const createRawMap = (
  type: keyof typeof mapTypes,
  keyBytes: number,
  valueBytes: number,
  maxEntries: number,
  name = '',
): number =>
  call(`creating a ${type} map`, 'mapCreate', 48, (attr) => {
    attr.setUint32(0, mapTypes[type], true);
    attr.setUint32(4, keyBytes, true);
    attr.setUint32(8, valueBytes, true);
    attr.setUint32(12, maxEntries, true);
    for (let at = 0; at < name.length; at++) attr.setUint8(28 + at, name.charCodeAt(at));
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
