import {
  createMultiLink,
  createPerfLink,
  type MultiAttachment,
  openRawTracepoint,
} from './bpf-syscall.ts';
import { createHandle } from './handles.ts';
import { closeFd, closeFdAsync } from './libc.ts';
import {
  type KprobeTarget,
  openKprobeEvent,
  openKprobeEventAsync,
  targetName,
} from './perf-event.ts';

/** An attachment. It ends when closed, or when the process dies. */
export interface BpfLink {
  readonly name: string;
  readonly closed: boolean;
  /** The file descriptor that it is, until closed. */
  readonly fd: number;
  /** Detaches; idempotent. */
  close(): void;
  /** Detaches on another thread; counts as closed from the call on. */
  closeAsync(): Promise<void>;
}

/** What can be attached: a loaded BpfProgram. */
export interface Attachable {
  readonly name: string;
  fd(): number;
}

/** A link from its file descriptor. */
export const linkOf = (name: string, fd: number): BpfLink => {
  let elsewhere: Promise<void> | undefined;
  let asynchronous = false;
  const handle = createHandle(name, () => {
    if (asynchronous) elsewhere = closeFdAsync(fd);
    else closeFd(fd);
  });
  return {
    name,
    fd,
    get closed() {
      return handle.closed;
    },
    close: () => {
      handle.close();
    },
    async closeAsync() {
      asynchronous = true;
      handle.close();
      await elsewhere;
    },
  };
};

export interface KprobeAttachment extends KprobeTarget {
  /** What bpf_get_attach_cookie() gives in the program. */
  readonly cookie: bigint;
}

const linkPerfEvent = (program: Attachable, attachment: KprobeAttachment, event: number) => {
  try {
    const link = createPerfLink(program.fd(), event, attachment.cookie);
    return linkOf(`link ${targetName(attachment)}`, link);
  } finally {
    closeFd(event);
  }
};

/** Attaches by a kprobe of its own. Throws SystemError; ENOENT, EADDRNOTAVAIL, EINVAL, EBUSY mean "not this function". */
export const attachKprobe = (program: Attachable, attachment: KprobeAttachment): BpfLink =>
  linkPerfEvent(program, attachment, openKprobeEvent(attachment));

/** attachKprobe with the slow part on another thread: run many at once. */
export const attachKprobeAsync = async (
  program: Attachable,
  attachment: KprobeAttachment,
): Promise<BpfLink> => linkPerfEvent(program, attachment, await openKprobeEventAsync(attachment));

export interface KprobeMultiAttachment {
  /** By name, which the kernel looks up, quicker than kallsyms can be read; or by address, which is quicker still. */
  readonly functions: MultiAttachment['functions'];
  readonly cookies: readonly bigint[];
  readonly retprobe: boolean;
  readonly session?: boolean;
}

/** Attaches to many functions by one system call: all or none. */
export const attachKprobeMulti = (
  program: Attachable,
  attachment: KprobeMultiAttachment,
): BpfLink => {
  const { functions, cookies, retprobe, session = false } = attachment;
  const fd = createMultiLink({ programFd: program.fd(), functions, cookies, retprobe, session });
  return linkOf(`link ${program.name} on ${functions.length} functions`, fd);
};

const rawTracepoint = /^raw_tp\/(\w+)$/;

/** Attaches a tp_btf or raw_tp program to the tracepoint named in its section. */
export const attachTracing = (program: Attachable & { readonly sectionName: string }): BpfLink => {
  const name = rawTracepoint.exec(program.sectionName)?.[1];
  return linkOf(`link ${program.name}`, openRawTracepoint(program.fd(), name));
};
