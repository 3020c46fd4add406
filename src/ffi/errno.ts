import { constants } from 'node:os';
import { getSystemErrorMap } from 'node:util';
import { SkbspanError } from '../errors.ts';

/** The kernel's own numbers that leak through bpf(2) and perf_event_open(2) and that no libc names. */
const kernelOnly: readonly (readonly [number, string, string])[] = [
  [512, 'ERESTARTSYS', 'interrupted by a signal'],
  [524, 'ENOTSUPP', 'operation is not supported by this kernel'],
];

const names = new Map<number, string>([
  ...Object.entries(constants.errno).map(([name, number]) => [number, name] as const),
  // Aliases: the usual spelling last, so that it wins.
  [constants.errno.EAGAIN, 'EAGAIN'],
  [constants.errno.EOPNOTSUPP, 'EOPNOTSUPP'],
  ...kernelOnly.map(([number, name]) => [number, name] as const),
]);

const messages = new Map<number, string>([
  ...[...getSystemErrorMap()].map(([number, [, message]]) => [-number, message] as const),
  ...kernelOnly.map(([number, , message]) => [number, message] as const),
  [constants.errno.EOPNOTSUPP, 'operation not supported'], // libuv's own words are about sockets
]);

/** `ENOENT` for 2; `errno 4711` for a number nobody knows. Takes the kernel's negative form too. */
export const errnoName = (errno: number): string =>
  names.get(Math.abs(errno)) ?? `errno ${Math.abs(errno)}`;

const describe = (errno: number): string => {
  const message = messages.get(Math.abs(errno));
  return message === undefined ? errnoName(errno) : `${errnoName(errno)} (${message})`;
};

/** A failed system call: an SkbspanError that still knows the number, for callers that tell one failure from another. */
export class SystemError extends SkbspanError {
  readonly errno: number;

  constructor(operation: string, errno: number, advice?: string) {
    const denied = errno === constants.errno.EPERM || errno === constants.errno.EACCES;
    super(denied ? 'SKBSPAN_PERMISSION' : 'SKBSPAN_SYSCALL', `${operation}: ${describe(errno)}`, {
      ...(advice === undefined ? {} : { advice }),
    });
    this.name = 'SystemError';
    this.errno = errno;
  }
}

const advice = {
  EPERM:
    'Run as root, or with CAP_BPF, CAP_PERFMON and CAP_SYS_RESOURCE (CAP_SYS_ADMIN on kernels before 5.8); a kernel in lockdown refuses tracing even to root.',
  EMFILE:
    'Too many open files: raise the limit (ulimit -n), or trace fewer functions with --filter-func.',
  ENOMEM:
    'Not enough memory, or RLIMIT_MEMLOCK is too low: use a smaller --ring-mb or raise the limit (ulimit -l).',
  EADDRNOTAVAIL: 'The function is not traceable here, or its name is not unique.',
} as const;

/** A SystemError with the advice that fits the number, unless the caller knows better. */
export const systemError = (operation: string, errno: number, ownAdvice?: string): SystemError => {
  const { EPERM, EACCES, EMFILE, ENFILE, ENOMEM, EADDRNOTAVAIL } = constants.errno;
  const byNumber = new Map<number, string>([
    [EPERM, advice.EPERM],
    [EACCES, advice.EPERM],
    [EMFILE, advice.EMFILE],
    [ENFILE, advice.EMFILE],
    [ENOMEM, advice.ENOMEM],
    [EADDRNOTAVAIL, advice.EADDRNOTAVAIL],
  ]);
  return new SystemError(operation, errno, ownAdvice ?? byNumber.get(errno));
};
