import { existsSync, readFileSync } from 'node:fs';
import { SkbspanError } from '../errors.ts';
import { config, control, frameWatch } from '../event/layout.ts';
import { mapId } from '../ffi/bpf-syscall.ts';
import { closeFd, pageBytes } from '../ffi/libc.ts';
import { type BpfObject, openBpfObject } from '../ffi/libbpf.ts';
import { packageFile } from '../package-files.ts';
import { chooseAttachTypes, givenPrograms } from './attach.ts';
import { createLifePlaces, putLifePlaces } from './life-places.ts';
import { dropLines, emptyFunctions } from '../filter/inject.ts';
import type { InPlace } from '../filter/packet-loads.ts';
import type { PageMap } from '../kernel/page-map.ts';
import type { BackendName } from './backend.ts';
import { configureDetails, injectDetails, partsOf, type Details } from './details.ts';
import { ruleProbes } from './rule-probes.ts';
import { configureFilter, injectFilter, type PacketFilter } from './packet-filter.ts';
import { fillSessionCalls } from './session-calls.ts';
import { sizeTables } from './table-sizes.ts';
import { unusedFunctions } from './unused-functions.ts';

/** How much the kernel side can follow at once; undefined: its own defaults (bpf/maps.h). */
export interface MapSizes {
  /** Entries: skbs. */
  readonly lives?: number | undefined;
  /** Entries: calls whose exit is watched; the backends kprobe and kprobe-multi need one each. */
  readonly calls?: number | undefined;
  /** Packets of one list whose calls are told: at most 64. */
  readonly listMembers?: number | undefined;
}

/** What the programs are loaded for. */
export interface ProgramSetOptions {
  readonly backend: BackendName;
  /** Programs of single tracepoints, without `tp_`. */
  readonly tracepoints: readonly string[];
  readonly ringBytes: number;
  readonly maps: MapSizes;
  readonly snaplenBytes: number;
  /** Inode; 0: all. */
  readonly netns: number;
  readonly filter: PacketFilter;
  /** What is to be told of each call besides. */
  readonly details: Details;
  /** Functions that take no skb are watched. */
  readonly inner: boolean;
  /** BTF id of a function of vmlinux. */
  readonly functionId: (name: string) => number | undefined;
  /** Kernel memory can be read in place; undefined: by probe reads only. */
  readonly inPlace: InPlace | undefined;
  /** Programs of bpf/returns.h. */
  readonly returns: readonly string[];
  /** Whether rules of nftables are to be told: its module must be there, with type information. */
  readonly rules: boolean;
  /** Number of arguments of the tracepoint consume_skb: it tells the location since it has two. */
  readonly consumeSkbArguments: number;
}

/** The one BPF collection, loaded. */
export interface ProgramSet {
  readonly object: BpfObject;
  readonly loaded: readonly string[];
  /** Programs of the tracepoints that every backend watches. */
  readonly always: readonly string[];
  /** Those of bpf/returns.h among them. */
  readonly returns: readonly string[];
  /** Whether the programs find out themselves where the kernel's return trampolines are. */
  readonly findsTrampolines: boolean;
  /** Tells them: at most three. */
  setTrampolines(addresses: readonly bigint[]): void;
  /** Says that XDP programs are watched: a packet may be a frame before and after it is an skb. */
  watchFrames(): void;
  /** Tells a filter where page fragments are; it does not look into them else. */
  setPageMap(pages: PageMap): void;
  /** Lets the kernel side tidy up; to be called once a second. */
  collect(): void;
  /** Throws the switch: from here on events are recorded, or no more. */
  record(on: boolean): void;
}

/** Of a task's stack; a page if that is more. */
const threadBytes = 16 * 1024;

/** By whether they read the kernel's memory in place. */
const objectFiles = {
  direct: packageFile('build/skbspan-direct.bpf.o'),
  byProbeReads: packageFile('build/skbspan.bpf.o'),
} as const;
const objectFileFor = ({ inPlace }: ProgramSetOptions): string =>
  inPlace === undefined ? objectFiles.byProbeReads : objectFiles.direct;

/** Every kernel with kprobe.multi can run it. */
const trampolineFinder = 'find_trampolines';

/** Removes what is left of the dead. */
const collector = 'collect';

const functionPrograms: Readonly<Record<BackendName, readonly string[]>> = {
  'kprobe-session': ['session', ...givenPrograms, trampolineFinder],
  'kprobe-multi': ['enter', 'leave', ...givenPrograms, trampolineFinder],
  kprobe: ['enter', 'leave', ...givenPrograms],
  tracepoint: [],
};

function configure(object: BpfObject, options: ProgramSetOptions): void {
  const bytes = object.map('.rodata.config').data();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  view.setUint32(config.netns, options.netns, true);
  view.setUint32(config.snaplen, options.snaplenBytes, true);
  view.setUint32(config.ignoredTgid, process.pid, true);
  configureFilter(view, options.filter);
  configureDetails(view, options.details);
  const searches = options.backend === 'kprobe-session' || options.backend === 'kprobe-multi';
  view.setUint32(config.remembers, searches ? 1 : 0, true);
  view.setUint32(config.inner, options.inner ? 1 : 0, true);
  view.setUint32(config.threadBytes, Math.max(threadBytes, pageBytes()), true);
  if (options.maps.listMembers !== undefined)
    view.setUint32(config.listMembers, options.maps.listMembers, true);
  object.map('ring').setMaxEntries(options.ringBytes);
  sizeTables(object, view, options.maps);
}

/** By the map, not by libbpf's copy of its memory: older ones do not share that with the kernel. */
function changeControl(object: BpfObject, change: (control: DataView) => void): void {
  const map = object.map('.data.control');
  const key = new Uint8Array(4);
  const value = map.lookup(key, control.size) ?? new Uint8Array(control.size);
  change(new DataView(value.buffer, value.byteOffset));
  map.update(key, value);
}

/** Whether nothing is on that the short way of bpf/known.h leaves out, but for XDP frames. */
const isPlain = ({ inPlace, inner, details }: ProgramSetOptions): boolean =>
  inPlace !== undefined && !inner && partsOf(details) === 0;

/** So that our own use of maps is not told as that of a packet's. */
function tellOwnMaps(object: BpfObject): void {
  changeControl(object, (view) => {
    object.mapNames().forEach((name, index) => {
      view.setUint32(control.ownMaps + 4 * index, mapId(object.map(name).fd()), true);
    });
  });
}

/** Opens the object and makes it ready to load. `lines`: the verifier's messages are to tell lines of source. `places`: of lives. */
function prepare(
  options: ProgramSetOptions,
  loaded: readonly string[],
  { lines, places }: { readonly lines: boolean; readonly places: number },
): BpfObject {
  const objectFile = objectFileFor(options);
  const file = readFileSync(objectFile);
  if (!lines) dropLines(file);
  emptyFunctions(file, unusedFunctions(options));
  const filtered = injectFilter(file, options.filter, options.inPlace);
  const contents = injectDetails(filtered, options.details);
  putLifePlaces(contents, places);
  const object = openBpfObject(objectFile, { contents });
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
    object.map('lives').reuse(places);
    return object;
  } catch (error) {
    object.close();
    throw error;
  }
}

/** Loads on another thread. Should that fail, loads again on this one, where libbpf and the verifier can say why. */
async function load(
  options: ProgramSetOptions,
  loaded: readonly string[],
  places: number,
): Promise<BpfObject> {
  const silent = prepare(options, loaded, { lines: false, places });
  try {
    if (await silent.loadSilently()) return silent;
  } catch (error) {
    silent.close();
    throw error;
  }
  silent.close();
  const object = prepare(options, loaded, { lines: true, places });
  try {
    object.load();
    return object;
  } catch (error) {
    object.close();
    throw error;
  }
}

/**
 * Opens and loads what `backend` needs. The kernel takes as long for it as we for finding functions, so it is done on another
 * thread. Throws SkbspanError; then nothing is left loaded.
 */
export async function loadProgramSet(options: ProgramSetOptions): Promise<ProgramSet> {
  const objectFile = objectFileFor(options);
  if (!existsSync(objectFile)) {
    throw new SkbspanError(
      'SKBSPAN_BPF',
      `the BPF programs are not built: ${objectFile} is missing`,
      {
        advice:
          'Run `npm run build:bpf` (it needs clang and libbpf-dev; `npm run setup` installs them).',
      },
    );
  }
  const always = [
    'tp_kfree_skb',
    options.consumeSkbArguments > 1 ? 'tp_consume_skb_at' : 'tp_consume_skb',
    ...(options.backend === 'tracepoint'
      ? ['tp_kmem_cache_free', 'tp_kmem_cache_free_nested']
      : []),
  ];
  // Programs that user space runs at will: since 5.14, and what they do here since 5.13.
  const tidies = options.functionId('bpf_prog_test_run_syscall') !== undefined;
  const loaded = [
    ...functionPrograms[options.backend],
    ...(options.details.maps === true ? ['enter_map', 'leave_map'] : []),
    ...always,
    ...options.returns,
    ...(options.rules ? ruleProbes.map(({ program }) => program) : []),
    ...(tidies ? [collector] : []),
    ...options.tracepoints.map((name) => `tp_${name}`),
  ];
  const places = createLifePlaces(options.maps.lives);
  let object: BpfObject;
  try {
    object = await load(options, loaded, places);
  } finally {
    closeFd(places); // The object has its own.
  }
  const findsTrampolines = loaded.includes(trampolineFinder);
  if (findsTrampolines) object.program(trampolineFinder).runOnce();
  if (options.details.maps === true) tellOwnMaps(object);
  // Functions that copy are watched, or nobody is.
  const isShort = isPlain(options);
  /** After any change of what it depends on. */
  const chooseWay = (view: DataView): void => {
    const isSet = (at: number): boolean => view.getUint32(at, true) !== 0;
    const short = isShort && isSet(control.recording) && !isSet(control.frames);
    view.setUint32(control.shortWay, short ? 1 : 0, true);
  };
  const frames = options.backend === 'tracepoint' ? frameWatch.copied : frameWatch.watched;
  return {
    object,
    loaded,
    always,
    returns: options.returns,
    findsTrampolines,
    setTrampolines(addresses) {
      changeControl(object, (view) => {
        addresses.forEach((address, index) => {
          view.setBigUint64(control.trampolines + index * 8, address, true);
        });
      });
    },
    setPageMap({ pageOffset, vmemmap }) {
      changeControl(object, (view) => {
        view.setBigUint64(control.pageOffset, pageOffset, true);
        view.setBigUint64(control.vmemmap, vmemmap, true);
        view.setUint32(control.pageBytes, pageBytes(), true);
      });
    },
    watchFrames() {
      changeControl(object, (view) => {
        view.setUint32(control.frames, frames, true);
        chooseWay(view);
      });
    },
    collect() {
      if (tidies) object.program(collector).runOnce();
    },
    record(on) {
      changeControl(object, (view) => {
        view.setUint32(control.recording, on ? 1 : 0, true);
        chooseWay(view);
      });
    },
  };
}
