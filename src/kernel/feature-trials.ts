/*
 * Trials on the running kernel: each does the thing itself, as small as it can be done, and takes it back at once. Version
 * numbers say little (distributions backport and leave out), configuration files may be missing; a trial cannot be wrong.
 */
import { constants } from 'node:os';
import { SkbspanError } from '../errors.ts';
import {
  createMultiLink,
  createPerfLink,
  createRawMap,
  loadRawProgram,
  openRawTracepoint,
  withFd,
} from '../ffi/bpf-syscall.ts';
import { SystemError } from '../ffi/errno.ts';
import { pageBytes } from '../ffi/libc.ts';
import { openKprobeEvent } from '../ffi/perf-event.ts';
import { kinds } from './btf.ts';
import { functionId } from './btf-functions.ts';
import { loadKernelBtf } from './btf-source.ts';
import { findType } from './btf-types.ts';

export interface Finding {
  readonly state: 'yes' | 'no' | 'unknown';
  /** What was found, or why not. */
  readonly detail: string;
}

/** Functions to try on: the first is the kernel's own test target, which nothing calls. */
const targets = ['bpf_fentry_test1', 'ip_rcv'];

/** `return 0;` */
const returnZero = Uint8Array.of(0xb7, 0, 0, 0, 0, 0, 0, 0, 0x95, 0, 0, 0, 0, 0, 0, 0);

/** Runs a trial; a refusal for lack of rights says nothing about the kernel. */
const tryOut = (detail: string, trial: () => void): Finding => {
  try {
    trial();
    return { state: 'yes', detail };
  } catch (error) {
    if (!(error instanceof SkbspanError)) throw error;
    const denied = error.code === 'SKBSPAN_PERMISSION';
    return { state: denied ? 'unknown' : 'no', detail: error.message };
  }
};

/** Tries the targets in turn while a kernel does not have them. */
const onTarget = (trial: (symbol: string) => void): void => {
  const { ENOENT, ESRCH, EADDRNOTAVAIL } = constants.errno;
  const absent = new Set<number>([ENOENT, ESRCH, EADDRNOTAVAIL]);
  for (const [i, symbol] of targets.entries()) {
    try {
      trial(symbol);
      return;
    } catch (error) {
      const last = i === targets.length - 1;
      if (last || !(error instanceof SystemError) || !absent.has(error.errno)) throw error;
    }
  }
};

const tryLink = (link: () => number): void => {
  withFd(link, () => undefined);
};

export const tryRingBuffer = (): Finding =>
  tryOut('a ring buffer can be made', () => {
    withFd(
      () => createRawMap('ringbuf', 0, 0, pageBytes()),
      () => undefined,
    );
  });

export const tryKprobe = (): Finding =>
  tryOut('a kprobe can be armed', () => {
    onTarget((func) => {
      withFd(
        () => openKprobeEvent({ func, retprobe: false }),
        () => undefined,
      );
    });
  });

export const tryCookie = (): Finding =>
  tryOut('a kprobe takes a cookie', () => {
    const load = () => loadRawProgram({ type: 'kprobe', instructions: returnZero });
    withFd(load, (program) => {
      onTarget((func) => {
        withFd(
          () => openKprobeEvent({ func, retprobe: false }),
          (event) => {
            tryLink(() => createPerfLink(program, event, 1n));
          },
        );
      });
    });
  });

/** What a refused multi link means; undefined: the error says it best itself. */
const refusedLink = (error: unknown, session: boolean): string | undefined => {
  if (!(error instanceof SystemError)) return undefined;
  if (error.errno === constants.errno.EOPNOTSUPP)
    return 'this kernel was built without CONFIG_FPROBE';
  if (error.errno === constants.errno.EINVAL)
    return `this kernel is older than ${session ? '6.10' : '5.18'}`;
  return undefined;
};

export const tryMulti = (session: boolean): Finding =>
  tryOut('a link to a function can be made', () => {
    const attachType = session ? 'kprobeSession' : 'kprobeMulti';
    const load = () => loadRawProgram({ type: 'kprobe', instructions: returnZero, attachType });
    withFd(load, (program) => {
      try {
        onTarget((symbol) => {
          tryLink(() =>
            createMultiLink({
              programFd: program,
              functions: [symbol],
              cookies: [],
              retprobe: false,
              session,
            }),
          );
        });
      } catch (error) {
        const meaning = refusedLink(error, session);
        if (meaning === undefined) throw error;
        throw new SkbspanError('SKBSPAN_UNSUPPORTED', meaning, { cause: error });
      }
    });
  });

/** `u64 result = 0; bpf_get_func_ret(ctx, &result); return 0;` */
const readResult = Uint8Array.of(
  ...[0x7a, 0x0a, 0xf8, 0xff, 0, 0, 0, 0],
  ...[0xbf, 0xa2, 0, 0, 0, 0, 0, 0],
  ...[0x07, 0x02, 0, 0, 0xf8, 0xff, 0xff, 0xff],
  ...[0x85, 0, 0, 0, 184, 0, 0, 0],
  ...returnZero,
);

const loadAround = (symbol: string, end: 'fentry' | 'fexit'): number => {
  const attachBtfId = functionId(loadKernelBtf(), symbol)?.id;
  if (attachBtfId === undefined)
    throw new SkbspanError('SKBSPAN_UNSUPPORTED', `BTF does not know ${symbol}`);
  const leaves = end === 'fexit';
  return loadRawProgram({
    type: 'tracing',
    instructions: leaves ? readResult : returnZero,
    attachType: leaves ? 'traceFexit' : 'traceFentry',
    attachBtfId,
  });
};

/** Whether a program for this end of a function of vmlinux can be loaded. */
export const canWatchFunction = (symbol: string, end: 'fentry' | 'fexit'): boolean => {
  try {
    withFd(
      () => loadAround(symbol, end),
      () => true,
    );
    return true;
  } catch (error) {
    if (!(error instanceof SkbspanError)) throw error;
    return false;
  }
};

export const tryTrampoline = (): Finding =>
  tryOut('a program runs when a function returns', () => {
    onTarget((symbol) => {
      withFd(
        () => loadAround(symbol, 'fexit'),
        (program) => {
          tryLink(() => openRawTracepoint(program));
        },
      );
    });
  });

export const tryTracepoint = (): Finding =>
  tryOut('a program attaches to skb:kfree_skb', () => {
    const attachBtfId = findType(loadKernelBtf(), 'btf_trace_kfree_skb', kinds.typedef);
    if (attachBtfId === undefined)
      throw new SkbspanError('SKBSPAN_UNSUPPORTED', 'BTF does not know the tracepoint kfree_skb');
    const load = () =>
      loadRawProgram({
        type: 'tracing',
        instructions: returnZero,
        attachType: 'rawTracepoint',
        attachBtfId,
      });
    withFd(load, (program) => {
      tryLink(() => openRawTracepoint(program));
    });
  });
