import koffi, { type LibraryHandle } from 'koffi';
import { SkbspanError } from '../errors.ts';

/*
 * libbpf's functions as declared in bpf/libbpf.h and bpf/bpf.h, loaded at first use: commands that trace nothing run without
 * the library. libbpf writes its warnings through a callback that is global to the process, so it belongs to one thread.
 */
type Pointer = bigint | null;

export interface Libbpf {
  openFile(path: string, opts: Uint8Array): Pointer;
  openMemory(bytes: Uint8Array, size: number, opts: Uint8Array): Pointer;
  load(object: bigint): number;
  /**
   * load() on a thread of koffi's pool, without messages: libbpf calls whoever prints them on that thread, which koffi makes
   * wait for this one. Nothing else may be done with libbpf meanwhile. Resolves with its result.
   */
  loadSilently(object: bigint): Promise<number>;
  close(object: bigint): void;
  nextProgram(object: bigint, previous: Pointer): Pointer;
  nextMap(object: bigint, previous: Pointer): Pointer;
  programName(program: bigint): string;
  programSection(program: bigint): string;
  programSetAutoload(program: bigint, on: boolean): number;
  programSetAttachType(program: bigint, type: number): number;
  programSetAttachTarget(program: bigint, fd: number, name: string): number;
  programInstructions(program: bigint): Pointer;
  programInstructionCount(program: bigint): number;
  programFd(program: bigint): number;
  mapName(map: bigint): string;
  mapFd(map: bigint): number;
  mapReuseFd(map: bigint, fd: number): number;
  mapSetMaxEntries(map: bigint, entries: number): number;
  mapInitialValue(map: bigint, size: BigUint64Array): Pointer;
  lookup(fd: number, key: Uint8Array, value: Uint8Array): number;
  update(fd: number, key: Uint8Array, value: Uint8Array, flags: number): number;
  possibleCpus(): number;
}

const vaListBytes = 32; // 24 on x86-64, 32 on arm64; both are passed as a pointer
const debugLevel = 2;

let log: string[] = [];

/** What libbpf wrote since the last call, and forgets it. */
export const takeLog = (): string => {
  const text = log.join('');
  log = [];
  return text;
};

let keepDebug = false;

/** Whether libbpf's debug messages (and with a log level the verifier's log of programs that load) are kept as well. */
export const keepDebugMessages = (on: boolean): void => {
  keepDebug = on;
};

/** Returns how to turn messages on and off. */
const captureMessages = (library: LibraryHandle): ((on: boolean) => void) => {
  const vsnprintf: (buffer: Uint8Array, size: number, format: bigint, list: unknown) => number =
    koffi
      .load('libc.so.6')
      .func('int vsnprintf(_Out_ void *str, size_t size, void *format, void *ap)');
  const print = koffi.proto('int SkbspanLibbpfPrint(int level, void *format, void *args)');
  const onMessage = (level: number, format: bigint, list: bigint): number => {
    if (level >= debugLevel && !keepDebug) return 0;
    // Formatting uses the list up, and a verifier log does not fit at first: work on copies.
    const original = new Uint8Array(koffi.view(list, vaListBytes)).slice();
    let buffer = Buffer.alloc(4096);
    const bytes = vsnprintf(buffer, buffer.length, format, original.slice());
    if (bytes >= buffer.length) {
      buffer = Buffer.alloc(bytes + 1);
      vsnprintf(buffer, buffer.length, format, original.slice());
    }
    log.push(buffer.toString('utf8', 0, Math.max(bytes, 0)));
    return bytes;
  };
  const callback = koffi.register(onMessage, koffi.pointer(print));
  const setPrint: (callback: unknown) => unknown = library.func('void *libbpf_set_print(void *fn)');
  const capture = (on: boolean): void => {
    setPrint(on ? callback : null);
  };
  capture(true);
  return capture;
};

const bindLoadSilently = (
  library: LibraryHandle,
  capture: (on: boolean) => void,
): Libbpf['loadSilently'] => {
  const load = library.func('int bpf_object__load(void *obj)');
  return (object) =>
    new Promise((resolve, reject) => {
      capture(false);
      load.async(object, (error: unknown, result: number) => {
        capture(true);
        if (error instanceof Error) reject(error);
        else resolve(result);
      });
    });
};

const bind = (library: LibraryHandle): Omit<Libbpf, 'loadSilently'> => ({
  openFile: library.func('void *bpf_object__open_file(const char *path, void *opts)'),
  openMemory: library.func('void *bpf_object__open_mem(const void *buf, size_t size, void *opts)'),
  load: library.func('int bpf_object__load(void *obj)'),
  close: library.func('void bpf_object__close(void *obj)'),
  nextProgram: library.func('void *bpf_object__next_program(void *obj, void *prog)'),
  nextMap: library.func('void *bpf_object__next_map(void *obj, void *map)'),
  programName: library.func('const char *bpf_program__name(void *prog)'),
  programSection: library.func('const char *bpf_program__section_name(void *prog)'),
  programSetAutoload: library.func('int bpf_program__set_autoload(void *prog, bool autoload)'),
  programSetAttachType: library.func(
    'int bpf_program__set_expected_attach_type(void *prog, int type)',
  ),
  programSetAttachTarget: library.func(
    'int bpf_program__set_attach_target(void *prog, int fd, const char *name)',
  ),
  programInstructions: library.func('void *bpf_program__insns(void *prog)'),
  programInstructionCount: library.func('size_t bpf_program__insn_cnt(void *prog)'),
  programFd: library.func('int bpf_program__fd(void *prog)'),
  mapName: library.func('const char *bpf_map__name(void *map)'),
  mapFd: library.func('int bpf_map__fd(void *map)'),
  mapReuseFd: library.func('int bpf_map__reuse_fd(void *map, int fd)'),
  mapSetMaxEntries: library.func('int bpf_map__set_max_entries(void *map, uint32_t max_entries)'),
  mapInitialValue: library.func('void *bpf_map__initial_value(void *map, _Out_ void *psize)'),
  lookup: library.func('int bpf_map_lookup_elem(int fd, void *key, _Out_ void *value)'),
  update: library.func('int bpf_map_update_elem(int fd, void *key, void *value, uint64_t flags)'),
  possibleCpus: library.func('int libbpf_num_possible_cpus()'),
});

let loaded: Libbpf | undefined;

/** libbpf, loaded at the first call. Throws SKBSPAN_UNSUPPORTED if the library is missing or older than 1.0. */
export const libbpf = (): Libbpf => {
  if (loaded !== undefined) return loaded;
  try {
    const library = koffi.load('libbpf.so.1');
    const capture = captureMessages(library);
    loaded = { ...bind(library), loadSilently: bindLoadSilently(library, capture) };
    return loaded;
  } catch (cause) {
    throw new SkbspanError('SKBSPAN_UNSUPPORTED', 'libbpf.so.1 cannot be loaded', {
      advice: 'Install libbpf 1.0 or newer (Debian: apt install libbpf1).',
      cause,
    });
  }
};
