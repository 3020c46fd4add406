import { closeSync, openSync, readSync } from 'node:fs';
import { SkbspanError, UsageError } from '../errors.ts';
import type { PacketPath } from '../event/packet-path.ts';
import type { LossCause, Statistics } from '../event/statistics.ts';
import { lossCauses } from '../event/statistics.ts';
import { handOver } from '../ffi/hand-over.ts';
import { attachTracing, type BpfLink } from '../ffi/links.ts';
import { attachProbes } from './attach.ts';
import type { BackendName } from './backend.ts';
import {
  findTrampolines,
  functionId,
  pageMap,
  readsInPlace,
  tracepointArguments,
} from './candidates.ts';
import { chooseBackend, likelyBackend } from './choose-backend.ts';
import { readKernelCounters } from './counters.ts';
import { detailReader, type Details } from './details.ts';
import type { PacketFilter } from './packet-filter.ts';
import { createPathBuilder } from './path-builder.ts';
import { keptCandidates } from './kept-candidates.ts';
import { planProbes, type ProbePlan, type RefusedProbe } from './probe-plan.ts';
import { loadProgramSet, type MapSizes, type ProgramSet } from './program-set.ts';
import { programKinds, type ProgramKind } from './program-templates.ts';
import { createProgramTracer, type ProgramTracer } from './program-tracer.ts';
import { attachReturnProbes, returnPrograms } from './return-probes.ts';
import { attachRuleProbes, canTellRules, ruleProbes } from './rule-probes.ts';
import { createSymbols } from './symbols.ts';
import { startCollectorWorker } from './worker-client.ts';

export type { BackendName } from './backend.ts';

export interface TracingProgress {
  readonly stage: 'load' | 'attach' | 'detach';
  readonly done: number;
  readonly total: number;
}

export interface TracingOptions {
  /** undefined: the best that the kernel offers. */
  readonly backend: BackendName | undefined;
  /** Full-match regular expression over function names; undefined: all. */
  readonly functions: string | undefined;
  /** Kernel modules whose functions are watched; undefined: all that are loaded. */
  readonly modules?: readonly string[] | undefined;
  /** Inode; undefined: all. */
  readonly netns: number | undefined;
  readonly filter?: PacketFilter;
  /** What is to be told of each call besides. */
  readonly details?: Details;
  /** Functions that take no skb, watched where they run inside of a call on a packet. */
  readonly innerFunctions?: readonly string[] | undefined;
  /** A power of two, at least a page. */
  readonly ringBytes: number;
  readonly snaplenBytes: number;
  readonly maps?: MapSizes;
  /** kprobe backend only: watch exits too, which doubles the time to attach. */
  readonly exits: boolean | undefined;
  /** Which BPF programs are traced; default: all kinds. */
  readonly programs?: ReadonlySet<ProgramKind>;
  /** Something to tell the user: about a BPF program that came, went, or cannot be traced. */
  readonly onNotice?: (message: string) => void;
  readonly onProgress: (progress: TracingProgress) => void;
  /** Finished paths; a returned promise is back-pressure. */
  readonly onPaths: (paths: readonly PacketPath[]) => void | Promise<void>;
  /** Tracing broke after its start. */
  readonly onError: (error: Error) => void;
}

export interface Tracing {
  readonly backend: BackendName;
  readonly probes: {
    readonly attached: number;
    /** tc and XDP programs that are traced. */
    readonly programs: number;
    readonly planned: number;
    readonly refused: readonly RefusedProbe[];
  };
  statistics(): Promise<Statistics>;
  /** Stops at once, drains, hands out what is in flight, detaches. Idempotent. */
  stop(): Promise<Statistics>;
  /** After stop(): the process that removes the probes in the background, and how many; undefined: all are gone. */
  readonly detaching: { readonly pid: number; readonly links: number } | undefined;
}

const tracepointsOf = (plan: ProbePlan): string[] =>
  plan.probes.filter((probe) => probe.kind === 'tracepoint').map((probe) => probe.func);

/**
 * Loads, attaches and records. Resolves when everything is attached and recording has begun. Throws SkbspanError; then
 * nothing is left loaded or attached.
 */
export async function startTracing(options: TracingOptions): Promise<Tracing> {
  options.onProgress({ stage: 'load', done: 0, total: 1 });
  const likely = likelyBackend(options.backend);
  if (likely === undefined) return start(options, chooseBackend(options.backend));
  try {
    return await start(options, likely);
  } catch (error) {
    if (error instanceof UsageError) throw error;
    const backend = chooseBackend(options.backend); // which says what is missing, if anything is
    if (backend === likely) throw error;
    return start(options, backend);
  }
}

async function start(options: TracingOptions, backend: BackendName): Promise<Tracing> {
  const { details = {}, innerFunctions: inner = [] } = options;
  const load = (tracepoints: readonly string[] = []): Promise<ProgramSet> =>
    loadProgramSet({
      backend,
      tracepoints,
      ringBytes: options.ringBytes,
      snaplenBytes: options.snaplenBytes,
      maps: options.maps ?? {},
      netns: options.netns ?? 0,
      filter: options.filter ?? {},
      details,
      inner: details.maps === true || inner.length > 0,
      functionId,
      inPlace: readsInPlace(),
      returns: backend === 'tracepoint' ? returnPrograms() : [],
      rules: canTellRules(backend),
      consumeSkbArguments: tracepointArguments('consume_skb'),
    });
  // Loading takes long and happens on another thread: it goes on while functions are looked for. Only tracepoints have programs of
  // their own.
  const loading = backend === 'tracepoint' ? undefined : load();
  loading?.catch(() => undefined); // It is awaited below, or not wanted.
  try {
    const plan = await planProbes({
      backend,
      functions: options.functions,
      modules: options.modules,
      byName: backend === 'kprobe-session' || backend === 'kprobe-multi',
      inner,
      maps: details.maps === true,
    });
    const programs = await (loading ?? load(tracepointsOf(plan)));
    options.onProgress({ stage: 'load', done: 1, total: 1 });
    const tracing = await attachAll(options, plan, programs);
    void keptCandidates.keep();
    return tracing;
  } catch (error) {
    const unused = await loading?.catch(() => undefined);
    unused?.object.close();
    throw error;
  }
}

/** Closes what it has attached, and the programs, should it fail. */
async function attachAll(
  options: TracingOptions,
  plan: ProbePlan,
  programs: ProgramSet,
): Promise<Tracing> {
  const links: BpfLink[] = [];
  const tracer = createProgramTracer({
    main: programs.object,
    kinds: options.programs ?? new Set(programKinds),
    filter: options.filter ?? {},
    onFrames: () => {
      programs.watchFrames();
    },
    onNotice: options.onNotice ?? (() => undefined),
  });
  try {
    return await record(options, plan, programs, tracer, links);
  } catch (error) {
    closeAll([...links, ...(await tracer.release())]);
    tracer.close();
    programs.object.close();
    throw error;
  }
}

/** 8 bytes. Not by node:crypto: to load that takes a tenth of a start. */
function randomId(): Uint8Array {
  const id = new Uint8Array(8);
  const file = openSync('/dev/urandom', 'r');
  readSync(file, id);
  closeSync(file);
  return id;
}

function closeAll(links: readonly BpfLink[]): void {
  for (const link of links) link.close();
}

const TIDY_EVERY_MS = 1000;

/** So many single kprobes are removed at once; the kernel waits for grace periods. */
const parallelDetach = 64;

/**
 * Detaches. Nobody should wait for that, as recording has stopped: so another process does it (hand-over.ts), and the process
 * id of that one is the result. Where none can be started it is done here: undefined.
 */
async function detach(
  links: readonly BpfLink[],
  onProgress: TracingOptions['onProgress'],
): Promise<number | undefined> {
  const behind = handOver(links.map((link) => link.fd));
  if (behind !== undefined) {
    closeAll(links);
    behind.finish();
    return behind.pid;
  }
  let done = 0;
  const total = links.length;
  const queue = [...links];
  const lane = async (): Promise<void> => {
    for (let link = queue.pop(); link !== undefined; link = queue.pop()) {
      await link.closeAsync();
      onProgress({ stage: 'detach', done: ++done, total });
    }
  };
  await Promise.all(Array.from({ length: Math.min(parallelDetach, total) }, lane));
  return undefined;
}

async function record(
  options: TracingOptions,
  plan: ProbePlan,
  programs: ProgramSet,
  tracer: ProgramTracer,
  links: BpfLink[],
): Promise<Tracing> {
  const total = plan.probes.length;
  for (const name of programs.always) links.push(attachTracing(programs.object.program(name)));
  options.onProgress({ stage: 'attach', done: 0, total });
  const attached = await attachProbes(
    programs.object,
    plan.backend,
    plan.probes,
    options.exits ?? false,
    (done) => {
      options.onProgress({ stage: 'attach', done, total });
    },
  );
  links.push(...attached.links);
  if (attached.attached === 0) {
    throw new SkbspanError(
      'SKBSPAN_UNSUPPORTED',
      `none of ${total} probes could be attached: ${attached.refused[0]?.reason ?? ''}`,
      { advice: 'Run `skbspan check` to see what this kernel offers.' },
    );
  }
  const returns = attachReturnProbes(programs.object, programs.returns);
  links.push(...returns.links);
  await tracer.start();
  const rules = programs.loaded.includes(ruleProbes[0].program)
    ? await attachRuleProbes(programs.object)
    : { links: [], refused: [] };
  links.push(...rules.links);

  const symbols = createSymbols(plan, (id) => tracer.probe(id));
  const builder = createPathBuilder({
    symbols,
    runId: randomId(),
    details: options.details && detailReader(options.details, symbols),
  });
  const drops = new Map<string, number>();
  let undecodable = 0;
  let orphanExits = 0;
  if (plan.backend !== 'tracepoint' && !programs.findsTrampolines)
    programs.setTrampolines(await findTrampolines());
  const pages = options.filter?.pcap === undefined ? undefined : pageMap();
  if (pages !== undefined) programs.setPageMap(pages);
  programs.record(true);
  // The ring keeps what comes until this thread has started, which takes longer than all that is left to do here: who begins to
  // trace need not wait for it.
  const worker = startCollectorWorker({
    ringFd: programs.object.map('ring').fd(),
    ringBytes: options.ringBytes,
    onBatch(batch) {
      const built = builder.build(batch);
      undecodable += built.undecodable;
      orphanExits += built.orphanExits;
      countDrops(built.paths, drops);
      return options.onPaths(built.paths);
    },
    onError: options.onError,
  });
  const tidying = setInterval(() => {
    programs.collect();
  }, TIDY_EVERY_MS);
  tidying.unref();

  const statistics = async (tracker = worker.statistics()): Promise<Statistics> => {
    const kernel = readKernelCounters(programs.object, programs.loaded);
    const tracked = await tracker;
    const losses = new Map<LossCause, number>(
      (Object.keys(lossCauses) as LossCause[]).map((cause) => [cause, 0]),
    );
    const add = (cause: LossCause, count: number): void => {
      losses.set(cause, (losses.get(cause) ?? 0) + count);
    };
    for (const [cause, count] of kernel.losses) add(cause, count);
    for (const [cause, count] of tracked.losses) add(cause, count);
    add('recursion', Number(tracer.recursionMisses()));
    add('undecodable', undecodable);
    add('orphan_exits', orphanExits);
    return {
      events: tracked.events,
      lives: kernel.lives,
      paths: tracked.paths,
      drops: new Map(drops),
      losses,
    };
  };

  const finish = async (): Promise<Statistics> => {
    programs.record(false);
    clearInterval(tidying);
    const tracked = worker.stop();
    await tracked;
    const result = await statistics(tracked);
    links.push(...(await tracer.release()));
    const pid = await detach(links, options.onProgress);
    tracer.close();
    if (pid !== undefined) detaching = { pid, links: links.length };
    programs.object.close();
    return result;
  };
  let stopping: Promise<Statistics> | undefined;
  let detaching: Tracing['detaching'];
  return {
    backend: plan.backend,
    probes: {
      attached: attached.attached,
      get programs() {
        return tracer.attached;
      },
      planned: total,
      refused: [
        ...plan.refused,
        ...attached.refused,
        ...returns.refused,
        ...rules.refused,
        ...tracer.refused,
      ],
    },
    statistics: () => stopping ?? statistics(),
    stop: () => (stopping ??= finish()),
    get detaching() {
      return detaching;
    },
  };
}

function countDrops(paths: readonly PacketPath[], drops: Map<string, number>): void {
  for (const path of paths) {
    for (const { end } of path.lives) {
      if (end?.reason !== undefined) drops.set(end.reason, (drops.get(end.reason) ?? 0) + 1);
    }
  }
}
