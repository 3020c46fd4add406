import koffi from 'koffi';
import { SkbspanError } from '../errors.ts';
import { systemError } from './errno.ts';

/*
 * libc as typed functions. Pointers are bigints (koffi 3); memory that C reads or writes is a Uint8Array passed as `void *`.
 * The syscalls are declared with fixed arguments and not as variadic: koffi calls variadic functions on the calling thread
 * only, and on x86-64 and arm64 integers travel the same way in both.
 */
const libc = koffi.load('libc.so.6');

const architectures: Record<string, { readonly bpf: number; readonly perfEventOpen: number }> = {
  x64: { bpf: 321, perfEventOpen: 298 },
  arm64: { bpf: 280, perfEventOpen: 241 },
};

/** Numbers of the system calls that libc has no function for. Throws SKBSPAN_UNSUPPORTED on an unknown architecture. */
export const syscallNumbers = (): { readonly bpf: number; readonly perfEventOpen: number } => {
  const numbers = architectures[process.arch];
  if (numbers === undefined)
    throw new SkbspanError('SKBSPAN_UNSUPPORTED', `architecture ${process.arch} is not supported`, {
      advice: 'skbspan runs on x86-64 and arm64.',
    });
  return numbers;
};

const nativeFopen: (path: string, mode: string) => bigint | null = libc.func(
  'void *fopen(const char *path, const char *mode)',
);
const nativeFread = libc.func('size_t fread(_Out_ void *to, size_t size, size_t n, void *stream)');
const nativeFclose: (stream: bigint) => number = libc.func('int fclose(void *stream)');
const nativeClose = libc.func('int close(int fd)');
const nativeMmap: (
  address: null,
  length: number,
  protection: number,
  flags: number,
  fd: number,
  offset: number,
) => bigint | null = libc.func(
  'void *mmap(void *addr, size_t length, int prot, int flags, int fd, int64_t offset)',
);
const nativeMunmap: (address: bigint, length: number) => number = libc.func(
  'int munmap(void *addr, size_t length)',
);
const nativeSysconf: (name: number) => number = libc.func('long sysconf(int name)');
const nativeGetrlimit: (resource: number, limit: BigUint64Array) => number = libc.func(
  'int getrlimit(int resource, _Out_ void *rlim)',
);
const nativeSetrlimit: (resource: number, limit: BigUint64Array) => number = libc.func(
  'int setrlimit(int resource, void *rlim)',
);

/** errno of the last call on this thread. Meaningless after an asynchronous call, which ran on another one. */
export const lastErrno = (): number => koffi.errno();

export const closeFd = (fd: number): void => {
  if ((nativeClose(fd) as number) < 0) throw systemError(`close(${fd})`, lastErrno());
};

/** Closes on a thread of koffi's pool: giving up a kprobe waits for RCU, tens of milliseconds each. */
export const closeFdAsync = (fd: number): Promise<void> =>
  new Promise((resolve, reject) => {
    nativeClose.async(fd, (error: unknown) => {
      if (error instanceof Error) reject(error);
      else resolve();
    });
  });

/**
 * Reads a file of the kernel's (at most `mostBytes` of it) on a thread of koffi's pool: such files are made while they are
 * read, a page at a time, so Node's own asynchronous reading would come back to this thread for each page.
 */
export const readKernelFile = (path: string, mostBytes: number): Promise<Buffer> => {
  const stream = nativeFopen(path, 're');
  if (stream === null) return Promise.reject(systemError(`opening ${path}`, lastErrno()));
  const bytes = Buffer.allocUnsafeSlow(mostBytes); // untouched pages take no memory
  return new Promise((resolve, reject) => {
    nativeFread.async(bytes, 1, mostBytes, stream, (error: unknown, read: number) => {
      nativeFclose(stream);
      if (error instanceof Error) reject(error);
      else resolve(Buffer.from(bytes.subarray(0, read)));
    });
  });
};

/** Bytes of one page of memory. */
export const pageBytes = (): number => {
  const SC_PAGESIZE = 30;
  return nativeSysconf(SC_PAGESIZE);
};

export interface MemoryMapping {
  /** The mapped bytes themselves; writing to a read-only mapping kills the process. Detached (0 bytes) by unmap(). */
  readonly buffer: ArrayBuffer;
  unmap(): void;
}

/** Maps `length` bytes of `fd` from `offset`, shared. */
export const mapMemory = (
  fd: number,
  offset: number,
  length: number,
  access: 'read' | 'read-write',
): MemoryMapping => {
  const PROT_READ = 1;
  const PROT_WRITE = 2;
  const MAP_SHARED = 1;
  const MAP_FAILED = 0xffffffffffffffffn;
  const protection = access === 'read' ? PROT_READ : PROT_READ | PROT_WRITE;
  const address = nativeMmap(null, length, protection, MAP_SHARED, fd, offset);
  if (address === null || address === MAP_FAILED)
    throw systemError(`mmap of ${length} bytes at ${offset}`, lastErrno());
  const buffer = koffi.view(address, length);
  return {
    buffer,
    unmap() {
      // Detached first: a view kept by mistake then reads as empty instead of touching memory that is gone.
      (buffer as ArrayBuffer & { transfer(length: number): ArrayBuffer }).transfer(0);
      if (nativeMunmap(address, length) < 0) throw systemError('munmap', lastErrno());
    },
  };
};

/**
 * The address of a buffer's bytes, for a pointer inside another buffer. The bytes do not move, but they live only as long as
 * something in JavaScript holds the buffer: make the call inside `holding`.
 */
export const addressOf = (bytes: NodeJS.TypedArray): bigint => koffi.address(bytes);

const held = new Set<NodeJS.TypedArray>();

/** Keeps memory alive during a call. A local variable does not: it may be collected once it has been read for the last time. */
export const holding = <T>(memory: readonly NodeJS.TypedArray[], call: () => T): T => {
  for (const bytes of memory) held.add(bytes);
  try {
    return call();
  } finally {
    for (const bytes of memory) held.delete(bytes);
  }
};

const nativeMount: (
  source: string,
  target: string,
  type: string,
  flags: number,
  data: null,
) => number = libc.func(
  'int mount(const char *source, const char *target, const char *type, ulong flags, void *data)',
);

/** Mounts a kernel filesystem (tracefs) on an existing folder. */
export const mountKernelFilesystem = (type: string, target: string): void => {
  if (nativeMount(type, target, type, 0, null) < 0)
    throw systemError(`mounting ${type} on ${target}`, lastErrno());
};

const resources = { nofile: 7, memlock: 8 } as const;
const unlimited = 0xffffffffffffffffn;

/**
 * Raises a soft limit to at least `wanted` (bytes or files), and the hard one too where we may; what can be had is taken.
 * Returns the soft limit now; `Infinity` for unlimited.
 */
export const raiseLimit = (resource: keyof typeof resources, wanted: number): number => {
  const number = resources[resource];
  const limit = new BigUint64Array(2);
  if (nativeGetrlimit(number, limit) < 0) throw systemError('getrlimit', lastErrno());
  const [soft = 0n, hard = 0n] = limit;
  const target = wanted === Infinity ? unlimited : BigInt(wanted);
  const asNumber = (value: bigint) => (value === unlimited ? Infinity : Number(value));
  if (soft >= target) return asNumber(soft);
  const set = (value: bigint, ceiling: bigint) =>
    nativeSetrlimit(number, new BigUint64Array([value, ceiling])) === 0;
  if (set(target, hard > target ? hard : target)) return asNumber(target);
  return set(hard, hard) ? asNumber(hard) : asNumber(soft);
};
