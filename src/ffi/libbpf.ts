import { basename } from 'node:path';
import koffi from 'koffi';
import { SkbspanError } from '../errors.ts';
import { recursionMisses, runSyscallProgram } from './bpf-syscall.ts';
import { systemError } from './errno.ts';
import { createHandle } from './handles.ts';
import { keepDebugMessages, libbpf, takeLog } from './libbpf-native.ts';
import { addressOf, holding, lastErrno, mapMemory, type MemoryMapping } from './libc.ts';
import { verifierError } from './verifier-log.ts';

/** A program of an object. Its setters work before load() only. */
export interface BpfProgram {
  readonly name: string;
  /** As in SEC(): "tp_btf/kfree_skb". */
  readonly sectionName: string;
  setAutoload(on: boolean): void;
  /** A value of enum bpf_attach_type. */
  setExpectedAttachType(type: number): void;
  /** Of an fentry or fexit program: the loaded program, and which function of it. */
  setAttachTarget(targetFd: number, func: string): void;
  /** The instructions in libbpf's memory, 8 bytes each, writable; load() may move them, and makes them what the kernel gets. */
  instructions(): DataView;
  /** After load(). */
  fd(): number;
  /** Runs a program of type syscall once. After load(). */
  runOnce(): void;
  /** Runs that the kernel skipped because the program was already running on that CPU. */
  recursionMisses(): bigint;
}

/** A map of an object. */
export interface BpfMap {
  readonly name: string;
  /** After load(). */
  fd(): number;
  /** Before load(): this map is the one that `fd` is. */
  reuse(fd: number): void;
  /** Before load(). */
  setMaxEntries(entries: number): void;
  /** Copies the value of a key; undefined if there is none. A per-CPU value has possibleCpus() parts, each rounded up to 8 bytes. */
  lookup(key: Uint8Array, valueBytes: number): Uint8Array | undefined;
  update(key: Uint8Array, value: Uint8Array): void;
  /**
   * The bytes of .rodata, .data or .bss in place: the initial value before load(); after load() the kernel's own memory, live
   * (of .rodata a copy, for it is frozen then). Take it anew after load(). The view is empty after close().
   */
  data(): Uint8Array;
}

export interface BpfObject {
  programNames(): readonly string[];
  program(name: string): BpfProgram;
  mapNames(): readonly string[];
  /** By full name, or by section (".rodata"). */
  map(name: string): BpfMap;
  /** Everything libbpf has said about this object so far. */
  log(): string;
  /** Throws VerifierError (SKBSPAN_VERIFIER), or SKBSPAN_PERMISSION, SKBSPAN_BPF. */
  load(): void;
  /** load() on another thread; false: it failed, and only load() of an object opened anew tells why. */
  loadSilently(): Promise<boolean>;
  /** Frees the object; loaded programs live on as long as their links. Idempotent. */
  close(): void;
}

/** CPUs that the kernel may ever have: how many values a per-CPU map holds for each key. */
export const possibleCpus = (): number => {
  const count = libbpf().possibleCpus();
  if (count < 0) throw systemError('counting the possible CPUs', -count);
  return count;
};

/** Fails with libbpf's own words attached. */
const failure = (operation: string, errno: number, log: string): SkbspanError => {
  const system = systemError(operation, errno);
  const said = log
    .split('\n')
    .filter((line) => line.startsWith('libbpf: '))
    .join('\n');
  const message = said === '' ? system.message : `${system.message}\n${said}`;
  const code = system.code === 'SKBSPAN_PERMISSION' ? system.code : 'SKBSPAN_BPF';
  return new SkbspanError(code, message, {
    ...(system.advice === undefined ? {} : { advice: system.advice }),
    cause: system,
  });
};

const check = (operation: string, result: number): number => {
  if (result < 0) throw failure(operation, -result, takeLog());
  return result;
};

const createProgram = (pointer: bigint, assertOpen: () => void): BpfProgram => {
  const native = libbpf();
  const name = native.programName(pointer);
  const sectionName = native.programSection(pointer);
  const fd = () => {
    assertOpen();
    return check(`program ${name} is not loaded`, native.programFd(pointer));
  };
  return {
    name,
    sectionName,
    setAutoload(on) {
      assertOpen();
      check(`choosing program ${name}`, native.programSetAutoload(pointer, on));
    },
    setExpectedAttachType(type) {
      assertOpen();
      check(`attach type of ${name}`, native.programSetAttachType(pointer, type));
    },
    setAttachTarget(targetFd, func) {
      assertOpen();
      check(`target of ${name}`, native.programSetAttachTarget(pointer, targetFd, func));
    },
    instructions() {
      assertOpen();
      const bytes = native.programInstructionCount(pointer) * 8;
      return new DataView(koffi.view(native.programInstructions(pointer), bytes));
    },
    fd,
    runOnce: () => {
      runSyscallProgram(fd());
    },
    recursionMisses: () => recursionMisses(fd()),
  };
};

interface OpenObject {
  readonly assertOpen: () => void;
  readonly isLoaded: () => boolean;
  /** Runs when the object is closed. */
  readonly onClose: (release: () => void) => void;
}

const createMap = (pointer: bigint, { assertOpen, isLoaded, onClose }: OpenObject): BpfMap => {
  const native = libbpf();
  const name = native.mapName(pointer);
  let live: MemoryMapping | undefined;
  const fd = () => {
    assertOpen();
    return check(`map ${name} is not loaded`, native.mapFd(pointer));
  };
  return {
    name,
    fd,
    reuse(other) {
      assertOpen();
      check(`sharing map ${name}`, native.mapReuseFd(pointer, other));
    },
    setMaxEntries(entries) {
      assertOpen();
      check(`size of map ${name}`, native.mapSetMaxEntries(pointer, entries));
    },
    lookup(key, valueBytes) {
      const ENOENT = 2;
      const value = new Uint8Array(valueBytes);
      const result = native.lookup(fd(), key, value);
      if (result === -ENOENT) return undefined;
      check(`reading map ${name}`, result);
      return value;
    },
    update(key, value) {
      check(`writing map ${name}`, native.update(fd(), key, value, 0));
    },
    data() {
      assertOpen();
      const size = new BigUint64Array(1);
      const start = native.mapInitialValue(pointer, size);
      if (start === null)
        throw new SkbspanError('SKBSPAN_INTERNAL', `map ${name} has no data section`);
      const bytes = Number(size[0]);
      if (!isLoaded() || name.endsWith('.rodata')) return new Uint8Array(koffi.view(start, bytes));
      // libbpf remaps its copy onto the kernel's map only for skeletons: do it here.
      if (live === undefined) {
        const mapping = mapMemory(fd(), 0, bytes, 'read-write');
        onClose(() => {
          mapping.unmap();
        });
        live = mapping;
      }
      return new Uint8Array(live.buffer);
    },
  };
};

const listAll = (next: (previous: bigint | null) => bigint | null): bigint[] => {
  const all: bigint[] = [];
  for (let item = next(null); item !== null; item = next(item)) all.push(item);
  return all;
};

const byName = <T extends { name: string }>(kind: string, items: ReadonlyMap<string, T>) => {
  return (name: string): T => {
    // libbpf puts the object's name before the section's: ".rodata" is "skbspan_.rodata".
    const inSection = (item: T) => name.startsWith('.') && item.name.endsWith(name);
    const item = items.get(name) ?? [...items.values()].find(inSection);
    if (item === undefined) throw new SkbspanError('SKBSPAN_INTERNAL', `no ${kind} ${name}`);
    return item;
  };
};

/** Opens an object with struct bpf_object_open_opts: { size u64, object name, ..., log level u32 at 72 }. */
const openNative = (path: string, contents: Uint8Array | undefined, logLevel: number) => {
  const bytes = 80; // sizeof of libbpf 1.1; newer ones take a shorter one
  const options = new DataView(new ArrayBuffer(bytes));
  options.setBigUint64(0, BigInt(bytes), true);
  options.setUint32(72, logLevel, true);
  const opts = new Uint8Array(options.buffer);
  if (contents === undefined) return libbpf().openFile(path, opts);
  // Named as libbpf names an object that it opens by its path.
  const name = Buffer.from(`${basename(path).replace(/\..*$/, '')}\0`);
  return holding([name], () => {
    options.setBigUint64(8, addressOf(name), true);
    return libbpf().openMemory(contents, contents.length, opts);
  });
};

export interface OpenOptions {
  readonly logLevel?: number;
  /** The object itself, where it is not what the file at `path` holds. */
  readonly contents?: Uint8Array | undefined;
}

/** Opens an object file of BPF programs and maps; nothing is in the kernel before load(). */
export const openBpfObject = (
  path: string,
  { logLevel = 0, contents }: OpenOptions = {},
): BpfObject => {
  const native = libbpf();
  let written = '';
  const said = () => {
    written += takeLog();
    return written;
  };
  takeLog();
  keepDebugMessages(logLevel > 0);
  const object = openNative(path, contents, logLevel);
  if (object === null) throw failure(`opening ${path}`, lastErrno(), takeLog());
  let loaded = false;
  const releases: (() => void)[] = [];
  const handle = createHandle(`BPF object ${basename(path)}`, () => {
    for (const release of releases) release();
    native.close(object);
  });
  const assertOpen = () => {
    if (handle.closed) throw new SkbspanError('SKBSPAN_INTERNAL', `${path} is already closed`);
  };
  const named = <T extends { name: string }>(items: T[]) =>
    new Map(items.map((item) => [item.name, item]));
  const programs = named(
    listAll((previous) => native.nextProgram(object, previous)).map((pointer) =>
      createProgram(pointer, assertOpen),
    ),
  );
  const maps = named(
    listAll((previous) => native.nextMap(object, previous)).map((pointer) =>
      createMap(pointer, {
        assertOpen,
        isLoaded: () => loaded,
        onClose: (release) => releases.push(release),
      }),
    ),
  );
  return {
    programNames: () => [...programs.keys()],
    program: byName('program', programs),
    mapNames: () => [...maps.keys()],
    map: byName('map', maps),
    log: said,
    load() {
      assertOpen();
      takeLog();
      const result = native.load(object);
      const log = takeLog();
      written += log;
      if (result < 0) throw verifierError(log) ?? failure(`loading ${path}`, -result, log);
      loaded = true;
    },
    async loadSilently() {
      assertOpen();
      loaded = (await native.loadSilently(object)) >= 0;
      return loaded;
    },
    close: () => {
      handle.close();
    },
  };
};
