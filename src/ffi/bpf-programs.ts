import { constants } from 'node:os';
import { attachTypes, bpf, bpfAsync, programTypes, withFd } from './bpf-syscall.ts';
import { SystemError } from './errno.ts';
import { addressOf, closeFd, holding } from './libc.ts';
import { type BpfLink, linkOf } from './links.ts';
import { tellingLine } from './verifier-log.ts';

/*
 * Other people's BPF programs: listing them, reading what they are, and running ours before and after them. Offsets are those
 * of `union bpf_attr`, `struct bpf_prog_info` and `struct bpf_btf_info` in linux/bpf.h: stable ABI.
 */

/** What the kernel tells of a loaded program. */
export interface LoadedProgram {
  readonly id: number;
  /** enum bpf_prog_type. */
  readonly type: number;
  /** At most 15 bytes of it. */
  readonly name: string;
  readonly isJited: boolean;
  /** 0: it was loaded without type information. */
  readonly btfId: number;
  /** BTF id of its main function; 0: unknown. */
  readonly mainFunction: number;
}

/** undefined instead of "no such program". */
const ifThere = <T>(ask: () => T): T | undefined => {
  try {
    return ask();
  } catch (error) {
    if (error instanceof SystemError && error.errno === constants.errno.ENOENT) return undefined;
    throw error;
  }
};

/** The smallest id above `after` of a loaded program; undefined: there is none. */
export const nextProgramId = (after: number): number | undefined =>
  ifThere(() => {
    const attr = new DataView(new ArrayBuffer(12));
    attr.setUint32(0, after, true);
    bpf('listing the BPF programs', 'progGetNextId', attr);
    return attr.getUint32(4, true);
  });

/** A file descriptor of a loaded program, which the caller closes; undefined: it is gone. */
export const openProgram = (id: number): number | undefined =>
  ifThere(() => {
    const attr = new DataView(new ArrayBuffer(12));
    attr.setUint32(0, id, true);
    return bpf(`opening BPF program ${id}`, 'progGetFdById', attr);
  });

const readInfo = (operation: string, fd: number, info: Uint8Array): void => {
  const attr = new DataView(new ArrayBuffer(16));
  attr.setUint32(0, fd, true);
  attr.setUint32(4, info.length, true);
  bpf(operation, 'objGetInfoByFd', attr, [[8, info]]);
};

const programInfoBytes = 232;
const functionInfoBytes = 8;

/** Reads what a program is. */
export const programInfo = (fd: number): LoadedProgram => {
  const bytes = new Uint8Array(programInfoBytes);
  const info = new DataView(bytes.buffer);
  const mainFunction = new Uint32Array(functionInfoBytes / 4); // instruction, type id
  holding([mainFunction], () => {
    info.setUint32(132, functionInfoBytes, true);
    info.setBigUint64(136, addressOf(mainFunction), true);
    info.setUint32(144, 1, true);
    readInfo('reading a BPF program', fd, bytes);
  });
  const name = Buffer.from(bytes.subarray(64, 80));
  return {
    type: info.getUint32(0, true),
    id: info.getUint32(4, true),
    isJited: info.getUint32(16, true) > 0,
    name: name.toString('latin1', 0, Math.max(0, name.indexOf(0))),
    btfId: info.getUint32(128, true),
    mainFunction: mainFunction[1] ?? 0,
  };
};

/** The raw BTF with this id. */
export const readBtf = (id: number): Uint8Array => {
  const attr = new DataView(new ArrayBuffer(12));
  attr.setUint32(0, id, true);
  const open = (): number => bpf(`opening BTF ${id}`, 'btfGetFdById', attr);
  return withFd(open, (fd) => {
    const info = new Uint8Array(16);
    const view = new DataView(info.buffer);
    const read = (): void => {
      readInfo(`reading BTF ${id}`, fd, info);
    };
    read();
    const btf = new Uint8Array(view.getUint32(8, true));
    holding([btf], () => {
      view.setBigUint64(0, addressOf(btf), true);
      read();
    });
    return btf;
  });
};

/** A program to run before or after the one that `targetFd` is. */
export interface TracingProgram {
  readonly name: string;
  readonly instructions: Uint8Array;
  readonly end: 'enter' | 'leave';
  readonly targetFd: number;
  /** BTF id of the target's function. */
  readonly targetFunction: number;
}

const logBytes = 64 * 1024;

/** Why the kernel refuses to load it, in one line; undefined if it does not say. */
const refusal = (attr: DataView, pointers: Parameters<typeof bpf>[3]): string | undefined => {
  const log = Buffer.alloc(logBytes);
  attr.setUint32(24, 1, true);
  attr.setUint32(28, logBytes, true);
  try {
    withFd(
      () => bpf('loading', 'progLoad', attr, [...(pointers ?? []), [32, log]]),
      () => undefined,
    );
    return undefined;
  } catch {
    return tellingLine(log.toString('latin1', 0, Math.max(0, log.indexOf(0))));
  }
};

/**
 * Loads a program on a thread of koffi's pool: its file descriptor, which the caller closes. Throws SystemError with the verifier's reason
 * if the target cannot be traced.
 */
export const loadTracingProgram = async (program: TracingProgram): Promise<number> => {
  const { name, instructions, end, targetFd, targetFunction } = program;
  const attr = new DataView(new ArrayBuffer(120));
  attr.setUint32(0, programTypes.tracing, true);
  attr.setUint32(4, instructions.length / 8, true);
  Buffer.from(name.slice(0, 15), 'latin1').forEach((byte, at) => {
    attr.setUint8(48 + at, byte);
  });
  attr.setUint32(68, attachTypes[end === 'enter' ? 'traceFentry' : 'traceFexit'], true);
  attr.setUint32(108, targetFunction, true);
  attr.setUint32(112, targetFd, true);
  const pointers = [
    [8, instructions],
    [16, Buffer.from('Dual BSD/GPL\0')],
  ] as const;
  try {
    return await bpfAsync('the kernel allows no program around it', 'progLoad', attr, pointers);
  } catch (error) {
    const reason = refusal(attr, pointers);
    if (reason === undefined || !(error instanceof SystemError)) throw error;
    throw new SystemError(reason, error.errno);
  }
};

/** Attaches a loaded fentry or fexit program to its target, on another thread. Kernel 6.0+: `cookie` is what it is told. */
export const attachTracingProgram = async (
  programFd: number,
  { name, end }: Pick<TracingProgram, 'name' | 'end'>,
  cookie: bigint,
): Promise<BpfLink> => {
  const attr = new DataView(new ArrayBuffer(32));
  attr.setUint32(0, programFd, true);
  attr.setUint32(8, attachTypes[end === 'enter' ? 'traceFentry' : 'traceFexit'], true);
  attr.setBigUint64(24, cookie, true);
  return linkOf(`link ${name}`, await bpfAsync(`attaching ${name}`, 'linkCreate', attr));
};

/** Whether the target can be traced at all, found out with a program that does nothing. Throws as loadTracingProgram does. */
export const tryTracing = async (
  target: Pick<TracingProgram, 'targetFd' | 'targetFunction'>,
): Promise<void> => {
  const doNothing = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0); // r0 = 0; exit
  const program = { ...target, name: 'trial', instructions: doNothing, end: 'enter' } as const;
  closeFd(await loadTracingProgram(program));
};

/** Attaches a loaded program of type iterator. */
export const createIteratorLink = (programFd: number): BpfLink => {
  const attr = new DataView(new ArrayBuffer(32));
  attr.setUint32(0, programFd, true);
  attr.setUint32(8, attachTypes.traceIter, true);
  return linkOf('link iterator', bpf('attaching an iterator', 'linkCreate', attr));
};

/** A run of an iterator: a file to read, which the caller closes. */
export const openIterator = (linkFd: number): number => {
  const attr = new DataView(new ArrayBuffer(8));
  attr.setUint32(0, linkFd, true);
  return bpf('running an iterator', 'iterCreate', attr);
};
