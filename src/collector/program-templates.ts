import { readFileSync } from 'node:fs';
import { type BpfObject, type BpfProgram, openBpfObject } from '../ffi/libbpf.ts';
import { packageFile } from '../package-files.ts';
import { putLifePlaces } from './life-places.ts';
import { injectFilter, type PacketFilter } from './packet-filter.ts';

/** tc: programs of type SCHED_CLS and SCHED_ACT, attached by tc or tcx. */
export const programKinds = ['tc', 'xdp'] as const;
export type ProgramKind = (typeof programKinds)[number];

/** The programs that run before and after another one, ready for the kernel but for whom they trace. */
export interface ProgramTemplate {
  /** Loaded for the target that the template was made for. */
  readonly first: { readonly enter: number; readonly leave: number };
  /** What the kernel gets for any other target. */
  readonly enter: Uint8Array;
  readonly leave: Uint8Array;
  /** Of XDP: loaded programs for the kernel's tracepoints that tell of failed redirects. */
  readonly redirects: readonly BpfProgram[];
  /** The loaded program for openProgramHolders(). */
  readonly holders: number;
  /** The copies name maps by file descriptors of this object: to be closed after the last one is loaded. */
  close(): void;
}

const objectFile = packageFile('build/programs.bpf.o');

const redirectPrograms: Readonly<Record<ProgramKind, readonly string[]>> = {
  tc: [],
  xdp: ['redirect_failed', 'redirect_map_failed'],
};

/** Maps that are not its own, as in bpf/maps.h, frame.h, config.h and track.h. */
const shared = [
  'ring',
  'lives',
  'displaced',
  'spares',
  'taken',
  'calls',
  'tasks',
  'devices',
  'counters',
  'heads',
  'frames',
  'latest',
  'consumed',
  '.rodata.config',
  '.data.control',
  '.data.minted',
  '.data.lived',
] as const;

export interface TemplateTarget {
  readonly fd: number;
  readonly func: string;
}

function prepare(
  main: BpfObject,
  kind: ProgramKind,
  target: TemplateTarget,
  filter: PacketFilter,
): BpfObject {
  const contents = injectFilter(readFileSync(objectFile), filter);
  putLifePlaces(contents, main.map('lives').fd());
  const object = openBpfObject(objectFile, { contents });
  try {
    for (const name of object.programNames()) {
      const isTemplate = name.startsWith(`${kind}_`);
      const isOther = name === 'holders' || redirectPrograms[kind].includes(name);
      object.program(name).setAutoload(isTemplate || isOther);
      if (isTemplate) object.program(name).setAttachTarget(target.fd, target.func);
    }
    const own = new Set(object.mapNames());
    for (const name of shared) {
      if (own.has(name)) object.map(name).reuse(main.map(name).fd());
    }
    return object;
  } catch (error) {
    object.close();
    throw error;
  }
}

/**
 * Loads the programs of one kind for `target` by libbpf, on another thread; libbpf must not be asked to load anything else
 * meanwhile. What it made of them, with the kernel's offsets and the maps filled in, serves all other targets, which saves
 * reading the kernel's types each time. `main` is the loaded object whose maps are used. Throws SkbspanError.
 */
export async function loadTemplate(
  main: BpfObject,
  kind: ProgramKind,
  target: TemplateTarget,
  filter: PacketFilter,
): Promise<ProgramTemplate> {
  let object = prepare(main, kind, target, filter);
  try {
    if (!(await object.loadSilently())) {
      object.close();
      object = prepare(main, kind, target, filter);
      object.load(); // says why
    }
    const instructions = (name: string): Uint8Array => {
      const view = object.program(name).instructions();
      return new Uint8Array(view.buffer, view.byteOffset, view.byteLength).slice();
    };
    const [enter, leave] = [`${kind}_enter`, `${kind}_leave`];
    return {
      first: { enter: object.program(enter).fd(), leave: object.program(leave).fd() },
      enter: instructions(enter),
      leave: instructions(leave),
      redirects: redirectPrograms[kind].map((name) => object.program(name)),
      holders: object.program('holders').fd(),
      close: () => {
        object.close();
      },
    };
  } catch (error) {
    object.close();
    throw error;
  }
}
