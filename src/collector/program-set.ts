import { existsSync, readFileSync } from 'node:fs';
import { SkbspanError } from '../errors.ts';
import { config, control } from '../event/layout.ts';
import { pageBytes } from '../ffi/libc.ts';
import { type BpfObject, openBpfObject } from '../ffi/libbpf.ts';
import { chooseAttachTypes } from './attach.ts';
import type { PageMap } from '../kernel/page-map.ts';
import type { BackendName } from './backend.ts';
import { configureFilter, injectFilter, type PacketFilter } from './packet-filter.ts';
import { fillSessionCalls } from './session-calls.ts';

/** What the programs are loaded for. */
export interface ProgramSetOptions {
  readonly backend: BackendName;
  /** Programs of single tracepoints, without `tp_`. */
  readonly tracepoints: readonly string[];
  readonly ringBytes: number;
  readonly snaplenBytes: number;
  /** Inode; 0: all. */
  readonly netns: number;
  readonly filter: PacketFilter;
  /** BTF id of a function of vmlinux. */
  readonly functionId: (name: string) => number | undefined;
  /** Number of arguments of the tracepoint consume_skb: it tells the location since it has two. */
  readonly consumeSkbArguments: number;
}

/** The one BPF collection, loaded. */
export interface ProgramSet {
  readonly object: BpfObject;
  readonly loaded: readonly string[];
  /** Programs of the tracepoints that every backend watches. */
  readonly always: readonly string[];
  /**
   * From here on events are recorded. `trampolines`: addresses of the kernel's return trampolines, at most three. `pages`:
   * where a filter finds page fragments; undefined: it does not look into them.
   */
  startRecording(trampolines: readonly bigint[], pages: PageMap | undefined): void;
  /** From here on nothing is recorded. */
  stopRecording(): void;
}

/** The object lies in build/ beside src/ or dist/. */
const objectPath = (): string => new URL('../../build/skbspan.bpf.o', import.meta.url).pathname;

const functionPrograms: Readonly<Record<BackendName, readonly string[]>> = {
  'kprobe-session': ['session'],
  'kprobe-multi': ['enter', 'leave'],
  kprobe: ['enter', 'leave'],
  tracepoint: [],
};

function configure(object: BpfObject, options: ProgramSetOptions): void {
  const bytes = object.map('.rodata.config').data();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(config.netns, options.netns, true);
  view.setUint32(config.snaplen, options.snaplenBytes, true);
  view.setUint32(config.ignoredTgid, process.pid, true);
  configureFilter(view, options.filter);
  object.map('ring').setMaxEntries(options.ringBytes);
}

/** By the map, not by libbpf's copy of its memory: older ones do not share that with the kernel. */
function setControl(object: BpfObject, value: DataView): void {
  object.map('.data.control').update(new Uint8Array(4), new Uint8Array(value.buffer));
}

/** Opens and loads what `backend` needs. Throws SkbspanError; then nothing is left loaded. */
export function loadProgramSet(options: ProgramSetOptions): ProgramSet {
  const path = objectPath();
  if (!existsSync(path)) {
    throw new SkbspanError('SKBSPAN_BPF', `the BPF programs are not built: ${path} is missing`, {
      advice:
        'Run `npm run build:bpf` (it needs clang and libbpf-dev; `npm run setup` installs them).',
    });
  }
  const always = [
    'tp_kfree_skb',
    options.consumeSkbArguments > 1 ? 'tp_consume_skb_at' : 'tp_consume_skb',
    ...(options.backend === 'tracepoint' ? ['tp_kmem_cache_free'] : []),
  ];
  const loaded = [
    ...functionPrograms[options.backend],
    ...always,
    ...options.tracepoints.map((name) => `tp_${name}`),
  ];
  const contents = injectFilter(() => readFileSync(path), options.filter);
  const object = openBpfObject(path, { contents });
  try {
    const chosen = new Set(loaded);
    for (const name of object.programNames()) {
      object.program(name).setAutoload(chosen.has(name));
    }
    chooseAttachTypes(object, options.backend);
    if (options.backend === 'kprobe-session') {
      fillSessionCalls(object.program('session'), options.functionId);
    }
    configure(object, options);
    object.load();
    return {
      object,
      loaded,
      always,
      startRecording(trampolines, pages) {
        const value = new DataView(new ArrayBuffer(control.size));
        if (pages !== undefined) {
          value.setBigUint64(control.pageOffset, pages.pageOffset, true);
          value.setBigUint64(control.vmemmap, pages.vmemmap, true);
          value.setUint32(control.pageBytes, pageBytes(), true);
        }
        trampolines.forEach((address, index) => {
          value.setBigUint64(control.trampolines + index * 8, address, true);
        });
        value.setUint32(control.recording, 1, true);
        setControl(object, value);
      },
      stopRecording() {
        setControl(object, new DataView(new ArrayBuffer(control.size)));
      },
    };
  } catch (error) {
    object.close();
    throw error;
  }
}
