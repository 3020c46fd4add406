/**
 * Traces other people's tc and XDP programs: each gets one program that runs before it and one after it, which record the
 * call and its verdict (bpf/programs.bpf.c).
 *
 * A program that is traced stays in the kernel as long as ours are on it. So a program that nobody else holds any more is let
 * go: see program-holders.ts.
 */
import {
  attachTracingProgram,
  type LoadedProgram,
  loadTracingProgram,
  tryTracing,
} from '../ffi/bpf-programs.ts';
import { recursionMisses } from '../ffi/bpf-syscall.ts';
import { closeFd } from '../ffi/libc.ts';
import type { BpfObject, BpfProgram } from '../ffi/libbpf.ts';
import { attachTracing, type BpfLink } from '../ffi/links.ts';
import { inParallel } from './attach.ts';
import { fullName, obstacle, programLister, refusalsInWords } from './loaded-programs.ts';
import type { PacketFilter } from './packet-filter.ts';
import type { ProbeName } from './path-builder.ts';
import type { RefusedProbe } from './probe-plan.ts';
import { openProgramHolders, type ProgramHolders } from './program-holders.ts';
import { loadTemplate, type ProgramKind, type ProgramTemplate } from './program-templates.ts';

/** Marks probe ids of programs; PROBE_PROGRAM in bpf/event.h. */
const programBit = 0x40000000;

/** Loading is the verifier's work; more at once than CPUs gains nothing. */
const parallelLoads = 4;
/** One system call as long as nothing was loaded. */
const lookEveryMs = 100;
/** Holders are counted once a second. */
const looksPerCount = 10;

export interface ProgramTracerOptions {
  /** Loaded: its maps are used. */
  readonly main: BpfObject;
  readonly kinds: ReadonlySet<ProgramKind>;
  readonly filter: PacketFilter;
  /** Before the first XDP program is traced. */
  readonly onFrames: () => void;
  /** A program that came or went while tracing, or cannot be traced. */
  readonly onNotice: (message: string) => void;
}

export interface ProgramTracer {
  /** Traces every program that is loaded now, and from then on those that are loaded later. */
  start(): Promise<void>;
  /** By the probe id of a record. */
  probe(id: number): ProbeName | undefined;
  /** Programs that are traced now. */
  readonly attached: number;
  readonly refused: readonly RefusedProbe[];
  /** Runs that the kernel skipped. */
  recursionMisses(): bigint;
  /** Looks for no more programs, and gives the links away: they are the caller's to close. */
  release(): Promise<readonly BpfLink[]>;
  /** After release(), when the links are closed. */
  close(): void;
}

interface Traced {
  readonly program: LoadedProgram;
  readonly name: string;
  readonly links: readonly BpfLink[];
  readonly fds: readonly number[];
  /** The file descriptors are a template's to close. */
  readonly isFirst: boolean;
}

interface Pair {
  readonly enter: number;
  readonly leave: number;
  readonly isFirst: boolean;
}

const messageOf = (error: unknown): string =>
  error instanceof Error ? error.message : String(error);

/** Without it, programs that were removed are traced until the end. */
function openHolders(programFd: number): ProgramHolders | undefined {
  try {
    return openProgramHolders(programFd);
  } catch {
    return undefined;
  }
}

const missesOf = ({ fds }: Traced): bigint =>
  fds.reduce((sum, fd) => sum + recursionMisses(fd), 0n);

export function createProgramTracer(options: ProgramTracerOptions): ProgramTracer {
  const { main, kinds, filter, onNotice } = options;
  const newPrograms = programLister(kinds);
  const names = new Map<number, ProbeName>();
  const traced = new Map<number, Traced>();
  const refused: RefusedProbe[] = [];
  const templates = new Map<ProgramKind, ProgramTemplate>();
  let timer: NodeJS.Timeout | undefined;
  let looking: Promise<void> | undefined;
  let frames = false;
  const redirects: { readonly link: BpfLink; readonly program: BpfProgram }[] = [];
  let isBroken = false;
  let holders: ProgramHolders | undefined;
  let looks = 0;
  /** Runs that were skipped of programs that are traced no more. */
  let gone = 0n;

  function watchRedirects(template: ProgramTemplate): void {
    const reasons: string[] = [];
    for (const program of template.redirects) {
      try {
        redirects.push({ link: attachTracing(program), program });
      } catch (error) {
        reasons.push(messageOf(error));
      }
    }
    // A kernel has one or both of the tracepoints.
    const [reason] = reasons;
    if (reason !== undefined && redirects.length === 0)
      onNotice(`redirects that fail are shown as transmitted: ${reason}`);
  }

  async function loadPair(
    kind: ProgramKind,
    targetFd: number,
    { program, func }: { program: LoadedProgram; func: string },
  ): Promise<Pair> {
    const template = templates.get(kind);
    if (template === undefined) {
      // Cheaper than libbpf's failure, and with one line for a reason.
      await tryTracing({ targetFd, targetFunction: program.mainFunction });
      const made = await loadTemplate(main, kind, { fd: targetFd, func }, filter);
      templates.set(kind, made);
      watchRedirects(made);
      holders ??= openHolders(made.holders);
      return { ...made.first, isFirst: true };
    }
    const load = (end: 'enter' | 'leave'): Promise<number> =>
      loadTracingProgram({
        name: `${kind}_${end}`,
        instructions: template[end],
        end,
        targetFd,
        targetFunction: program.mainFunction,
      });
    const enter = await load('enter');
    try {
      return { enter, leave: await load('leave'), isFirst: false };
    } catch (error) {
      closeFd(enter);
      throw error;
    }
  }

  async function trace(kind: ProgramKind, fd: number, program: LoadedProgram): Promise<void> {
    let name = `${kind}:${program.name}`;
    try {
      const reason = obstacle(program);
      if (reason !== undefined) throw new Error(reason);
      const func = fullName(program);
      name = `${kind}:${func}`;
      const pair = await loadPair(kind, fd, { program, func });
      const probe = (programBit | names.size) >>> 0;
      names.set(probe, { func: name, module: undefined, kind });
      if (kind === 'xdp' && !frames) {
        options.onFrames();
        frames = true;
      }
      const links: BpfLink[] = [];
      try {
        // The exit first: an exit without a call is nothing, a call without its exit looks unfinished.
        for (const end of ['leave', 'enter'] as const)
          links.push(await attachTracingProgram(pair[end], { name, end }, BigInt(probe)));
      } catch (error) {
        for (const link of links) link.close();
        throw error;
      }
      const { enter, leave, isFirst } = pair;
      traced.set(program.id, { program, name, links, fds: [enter, leave], isFirst });
      if (timer !== undefined)
        onNotice(`${name} (id ${program.id}) was loaded, and is traced from here on`);
    } catch (error) {
      refused.push({ name: `${name} (id ${program.id})`, reason: messageOf(error) });
    } finally {
      closeFd(fd);
    }
  }

  async function look(): Promise<void> {
    const told = refused.length;
    const found = newPrograms();
    // libbpf makes a template of the first one of each kind; it does one thing at a time.
    for (const kind of kinds) {
      while (!templates.has(kind)) {
        const first = found.findIndex((one) => one.kind === kind);
        const [one] = first < 0 ? [] : found.splice(first, 1);
        if (one === undefined) break;
        await trace(kind, one.fd, one.program);
      }
    }
    await inParallel(found, parallelLoads, ({ kind, fd, program }) => trace(kind, fd, program));
    refusalsInWords(refused.slice(told)).forEach(onNotice);
    if (traced.size > 0 && ++looks % looksPerCount === 0) await letGo();
  }

  /** Programs that only we keep in the kernel are not traced any more, and so can go. */
  async function letGo(): Promise<void> {
    const counts = holders?.count();
    for (const [id, one] of traced) {
      if ((counts?.get(id) ?? Infinity) > one.links.length) continue;
      traced.delete(id);
      gone += missesOf(one);
      for (const link of one.links) await link.closeAsync();
      if (!one.isFirst) one.fds.forEach(closeFd);
      onNotice(`${one.name} (id ${id}) was removed, and is traced no more`);
    }
  }

  /** Two looks never overlap. What goes wrong would go wrong again, and is said once. */
  const lookAgain = (): Promise<void> =>
    (looking ??= look()
      .catch((error: unknown) => {
        isBroken = true;
        clearInterval(timer);
        onNotice(`no more tc and XDP programs are traced: ${messageOf(error)}`);
      })
      .finally(() => {
        looking = undefined;
      }));

  return {
    async start() {
      if (kinds.size === 0) return;
      await lookAgain();
      if (isBroken) return;
      timer = setInterval(() => void lookAgain(), lookEveryMs);
      timer.unref();
    },
    probe: (id) => names.get(id),
    get attached() {
      return traced.size;
    },
    refused,
    recursionMisses() {
      let misses = gone;
      for (const one of traced.values()) misses += missesOf(one);
      for (const { program } of redirects) misses += program.recursionMisses();
      return misses;
    },
    async release() {
      clearInterval(timer);
      await looking;
      return [
        ...redirects.map(({ link }) => link),
        ...[...traced.values()].flatMap((one) => one.links),
      ];
    },
    close() {
      holders?.close();
      for (const { fds, isFirst } of traced.values()) if (!isFirst) fds.forEach(closeFd);
      for (const template of templates.values()) template.close();
    },
  };
}
