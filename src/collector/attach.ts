import { attachTypes } from '../ffi/bpf-syscall.ts';
import { raiseLimit } from '../ffi/libc.ts';
import type { BpfObject, BpfProgram } from '../ffi/libbpf.ts';
import {
  attachKprobeAsync,
  attachKprobeMulti,
  attachTracing,
  type BpfLink,
  type KprobeAttachment,
} from '../ffi/links.ts';
import { pauseKprobeOptimizer } from '../kernel/kprobe-optimizer.ts';
import type { BackendName } from './backend.ts';
import { placesBehindEntry } from './behind-entry.ts';
import { attachCookie } from './cookie.ts';
import type { PlannedProbe, RefusedProbe } from './probe-plan.ts';
import { isGivenRole, isMapRole, needsExit } from './roles.ts';

/** What came of attaching. `links` are the caller's to close, newest first. */
export interface Attached {
  readonly links: readonly BpfLink[];
  readonly attached: number;
  readonly refused: readonly RefusedProbe[];
}

type Progress = (done: number) => void;

/** At enter and exit of functions of BPF maps, and of those that are given lists or places of skbs. */
const mapPrograms = ['enter_map', 'leave_map'] as const;
export const givenPrograms = ['enter_list', 'leave_list'] as const;

/** How many single kprobes are attached at once: the kernel waits for grace periods, not for the CPU. */
const parallelKprobes = 64;

/** Chooses attach types before load: `enter` and `leave` serve two kinds of probes. */
export function chooseAttachTypes(object: BpfObject, backend: BackendName): void {
  if (backend === 'kprobe-multi') {
    object.program('enter').setExpectedAttachType(attachTypes.kprobeMulti);
    object.program('leave').setExpectedAttachType(attachTypes.kprobeMulti);
  }
  if (backend === 'kprobe-multi' || backend === 'kprobe-session') {
    for (const name of [...mapPrograms, ...givenPrograms])
      object.program(name).setExpectedAttachType(attachTypes.kprobeMulti);
  }
  if (backend === 'kprobe-session') {
    object.program('session').setExpectedAttachType(attachTypes.kprobeSession);
  }
}

const reasonOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

const isMapProbe = (probe: PlannedProbe): boolean => isMapRole(probe.role);

/** What it returns matters to the programs. */
const returnMatters = (probe: PlannedProbe): boolean => needsExit(probe.role) || isMapProbe(probe);

/** By address, if all are known: a search by name takes the kernel a walk over all of its symbols. */
function functionsOf(
  probes: readonly PlannedProbe[],
): readonly string[] | BigUint64Array<ArrayBuffer> {
  const addresses = new BigUint64Array(probes.length);
  for (const [index, { address }] of probes.entries()) {
    if (address === undefined) return probes.map(({ func }) => func);
    addresses[index] = address;
  }
  return addresses;
}

/**
 * One link for many functions is all or nothing, and one function that cannot be probed spoils it. So a refused set is
 * halved until the culprits stand alone; the sets are nearly always whole.
 */
function attachMulti(
  program: BpfProgram,
  probes: readonly PlannedProbe[],
  kind: { readonly retprobe: boolean; readonly session: boolean; readonly exits: boolean },
  done: (count: number) => void,
): { links: BpfLink[]; refused: RefusedProbe[] } {
  if (probes.length === 0) return { links: [], refused: [] };
  try {
    const link = attachKprobeMulti(program, {
      functions: functionsOf(probes),
      cookies: probes.map((probe) => attachCookie(probe, kind.exits)),
      retprobe: kind.retprobe,
      session: kind.session,
    });
    done(probes.length);
    return { links: [link], refused: [] };
  } catch (error) {
    const [only] = probes;
    if (only !== undefined && probes.length === 1) {
      return { links: [], refused: [{ name: only.func, reason: reasonOf(error) }] };
    }
    const middle = probes.length >> 1;
    const first = attachMulti(program, probes.slice(0, middle), kind, done);
    const second = attachMulti(program, probes.slice(middle), kind, done);
    return {
      links: [...first.links, ...second.links],
      refused: [...first.refused, ...second.refused],
    };
  }
}

/** Runs `work` over items, `width` at a time, in order of the items. */
export async function inParallel<T>(
  items: readonly T[],
  width: number,
  work: (item: T) => Promise<void>,
): Promise<void> {
  let next = 0;
  const lane = async (): Promise<void> => {
    for (let item = items[next++]; item !== undefined; item = items[next++]) await work(item);
  };
  await Promise.all(Array.from({ length: Math.min(width, items.length) }, lane));
}

function programsFor(object: BpfObject, { role }: PlannedProbe) {
  const [enter, leave] = isMapRole(role)
    ? mapPrograms
    : isGivenRole(role)
      ? givenPrograms
      : (['enter', 'leave'] as const);
  return [object.program(enter), object.program(leave)] as const;
}

/**
 * From the lowest address to the highest, functions of modules last. For each kprobe that is set at the beginning of a function, ftrace
 * goes over its places in this order until it has met all those in use (__ftrace_hash_rec_update() in kernel/trace/ftrace.c of
 * 6.1): the fewer of them stand far behind, the sooner it is done.
 */
function byAddress(probes: readonly PlannedProbe[]): readonly PlannedProbe[] {
  const last = 2n ** 64n;
  return probes.toSorted((one, other) => {
    const [a, b] = [one.address ?? last, other.address ?? last];
    return a < b ? -1 : a > b ? 1 : 0;
  });
}

async function attachSingle(
  object: BpfObject,
  probes: readonly PlannedProbe[],
  exits: boolean,
  onProgress: Progress,
): Promise<Attached> {
  raiseLimit('nofile', 2 * probes.length + 1024);
  const links: BpfLink[] = [];
  const refused: RefusedProbe[] = [];
  const places = placesBehindEntry(exits ? [] : probes.filter((probe) => !returnMatters(probe)));
  const resumeOptimizer = places.size > 0 ? pauseKprobeOptimizer() : undefined;
  let done = 0;
  const attachEnter = async (program: BpfProgram, target: KprobeAttachment, place?: bigint) => {
    try {
      return await attachKprobeAsync(program, { ...target, address: place ?? target.address });
    } catch (error) {
      if (place === undefined) throw error;
      return attachKprobeAsync(program, target);
    }
  };
  const attachOne = async (probe: PlannedProbe): Promise<void> => {
    const [enter, leave] = programsFor(object, probe);
    const { func, module, address } = probe;
    const watchExit = exits || returnMatters(probe);
    const cookie = attachCookie(probe, watchExit && !probe.silent);
    try {
      // The exit first: an exit without a call is nothing, a call without its exit looks unfinished.
      if (watchExit) {
        const target = { func, module, address, cookie, retprobe: true };
        links.push(await attachKprobeAsync(leave, target));
      }
      const target = { func, module, address, cookie, retprobe: false };
      links.push(await attachEnter(enter, target, resumeOptimizer && places.get(probe)));
    } catch (error) {
      refused.push({ name: func, reason: reasonOf(error) });
    }
    onProgress(++done);
  };
  try {
    await inParallel(byAddress(probes), parallelKprobes, attachOne);
  } finally {
    resumeOptimizer?.();
  }
  return { links, attached: probes.length - refused.length, refused };
}

/**
 * Attaches the probes of a plan. What a kernel refuses is listed with its reason and never stops the rest. The caller has
 * loaded the object with the programs of `backend`.
 */
export async function attachProbes(
  object: BpfObject,
  backend: BackendName,
  probes: readonly PlannedProbe[],
  exits: boolean,
  onProgress: Progress,
): Promise<Attached> {
  switch (backend) {
    case 'kprobe':
      return attachSingle(object, probes, exits, onProgress);
    case 'tracepoint': {
      const links: BpfLink[] = [];
      const refused: RefusedProbe[] = [];
      for (const { func } of probes) {
        try {
          links.push(attachTracing(object.program(`tp_${func}`)));
        } catch (error) {
          refused.push({ name: func, reason: reasonOf(error) });
        }
        onProgress(links.length + refused.length);
      }
      return { links, attached: links.length, refused };
    }
    case 'kprobe-session':
    case 'kprobe-multi': {
      const session = backend === 'kprobe-session';
      let done = 0;
      const count = (more: number): void => {
        onProgress((done += more));
      };
      const silent = (): void => undefined;
      const kind = { retprobe: false, session: false, exits: true };
      const both = (
        [enter, leave]: readonly [string, string],
        chosen: readonly PlannedProbe[],
      ): ReturnType<typeof attachMulti> => {
        if (chosen.length === 0) return { links: [], refused: [] };
        // Exits first, as above.
        const returning = { ...kind, retprobe: true };
        const returns = attachMulti(object.program(leave), chosen, returning, silent);
        const enters = attachMulti(object.program(enter), chosen, kind, count);
        return { links: [...returns.links, ...enters.links], refused: enters.refused };
      };
      const plain = probes.filter(({ role }) => !isMapRole(role) && !isGivenRole(role));
      const parts = [
        // A session has both ends.
        session
          ? attachMulti(object.program('session'), plain, { ...kind, session }, count)
          : both(['enter', 'leave'], plain),
        both(mapPrograms, probes.filter(isMapProbe)),
        both(
          givenPrograms,
          probes.filter(({ role }) => isGivenRole(role)),
        ),
      ];
      const refused = parts.flatMap((part) => part.refused);
      return {
        links: parts.flatMap((part) => part.links),
        attached: probes.length - refused.length,
        refused,
      };
    }
  }
}
