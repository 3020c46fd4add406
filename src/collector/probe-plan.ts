import { SkbspanError, UsageError } from '../errors.ts';
import { tracepointArgument, tracepointId } from '../event/layout.ts';
import { activeSecurityModules } from '../kernel/security-modules.ts';
import type { BackendName } from './backend.ts';
import { findCandidates, tracepointSkb } from './candidates.ts';
import { isIdle } from './idle-functions.ts';
import type { Candidate } from './kept-candidates.ts';
import { givenRoles, isTrackingRole, type ProbeRole, roleOf, skbArgOf } from './roles.ts';

/** Marks probe ids of tracepoints; PROBE_TRACEPOINT in bpf/event.h. */
const tracepointBit = 0x80000000;

/** One attachment to be made. */
export interface PlannedProbe {
  /** What records call it. */
  readonly id: number;
  readonly kind: 'function' | 'tracepoint';
  readonly func: string;
  /** undefined: vmlinux. */
  readonly module: string | undefined;
  /** Of the function's entry; undefined: not looked up, or a tracepoint. */
  readonly address: bigint | undefined;
  /** 1..5, of the skb or, by its role, of what leads to it; 0: none (an allocator). */
  readonly skbArg: number;
  /** 1..5; 0: none. */
  readonly sockArg: number;
  readonly role: ProbeRole;
  /** Only for tracking: the user asked for other functions. */
  readonly silent: boolean;
}

export interface RefusedProbe {
  readonly name: string;
  readonly reason: string;
}

export interface ProbePlan {
  readonly backend: BackendName;
  readonly probes: readonly PlannedProbe[];
  readonly refused: readonly RefusedProbe[];
  /** No packet comes by: they are watched only if they are asked for by name. */
  readonly leftOut: readonly RefusedProbe[];
}

export interface ProbePlanOptions {
  readonly backend: BackendName;
  /** Full-match regular expression over function names; undefined: all. */
  readonly functions: string | undefined;
  /** Functions will be attached to by name: their addresses need not be looked up. Default: false. */
  readonly byName?: boolean;
  /** Kernel modules whose functions are watched; undefined: all that are loaded. */
  readonly modules?: readonly string[] | undefined;
  /** Functions that take no skb, watched inside of calls that do. */
  readonly inner?: readonly string[];
  /** Also the functions of BPF maps. */
  readonly maps?: boolean;
}

function fullMatch(source: string | undefined): (name: string) => boolean {
  if (source === undefined) return () => true;
  try {
    const pattern = new RegExp(`^(?:${source})$`);
    return (name) => pattern.test(name);
  } catch (cause) {
    throw new UsageError(`'${source}' is no regular expression`, {
      advice: 'It must match whole function names, for example --filter-func "ip_.*|tcp_v4_rcv".',
      cause,
    });
  }
}

const planFunction = (id: number, found: Candidate, role: ProbeRole, silent: boolean) => ({
  id,
  kind: 'function' as const,
  func: found.name,
  module: found.module,
  address: found.address,
  skbArg: skbArgOf(found.name, role, found.skbArg),
  sockArg: found.sockArg,
  role,
  silent,
});

/** Why no packet comes by; undefined: one may. */
function whyLeftOut(
  { name, isMessage }: Candidate,
  active: ReadonlySet<string> | undefined,
): string | undefined {
  if (isMessage === true) return 'see messages, no packets';
  return isIdle(name, active) ? 'belong to a security module that is not active' : undefined;
}

async function planFunctions(
  options: ProbePlanOptions,
  chosen: (name: string) => boolean,
): Promise<ProbePlan> {
  const { byName = false, modules, inner = [], maps = false } = options;
  const { candidates, refused } = await findCandidates({ byName, modules, inner, maps });
  const probes: PlannedProbe[] = [];
  const leftOut: RefusedProbe[] = [];
  const active = activeSecurityModules();
  for (const found of candidates) {
    const role =
      found.inner ?? (found.given === undefined ? roleOf(found.name) : givenRoles[found.given]);
    if (options.functions === undefined && !isTrackingRole(role)) {
      const reason = whyLeftOut(found, active);
      if (reason !== undefined) {
        leftOut.push({ name: found.name, reason });
        continue;
      }
    }
    const silent = found.inner === undefined && (!chosen(found.name) || found.skbArg === 0);
    if (silent && !isTrackingRole(role)) continue;
    probes.push(planFunction(probes.length, found, role, silent));
  }
  return {
    backend: options.backend,
    probes,
    refused: refused.filter(({ name }) => chosen(name)),
    leftOut,
  };
}

function planTracepoints(options: ProbePlanOptions, chosen: (name: string) => boolean): ProbePlan {
  if (options.maps === true || (options.inner ?? []).length > 0) {
    throw new UsageError(
      '--filter-non-skb-funcs and --output-bpfmap watch functions, and the backend tracepoint has none',
      { advice: 'Run `skbspan check` to see what other backends need.' },
    );
  }
  const probes: PlannedProbe[] = [];
  const refused: RefusedProbe[] = [];
  for (const [name, id] of Object.entries(tracepointId)) {
    if (name === 'none' || !chosen(name)) continue;
    const argument = tracepointSkb(name);
    const expected = tracepointArgument[name as keyof typeof tracepointArgument];
    if (argument !== expected) {
      const reason =
        argument === undefined
          ? 'this kernel has no such tracepoint'
          : `its skb stands at argument ${argument}, not ${expected}`;
      refused.push({ name, reason });
      continue;
    }
    probes.push({
      id: (tracepointBit | id) >>> 0,
      kind: 'tracepoint',
      func: name,
      module: undefined,
      address: undefined,
      skbArg: 0,
      sockArg: 0,
      role: roleOf(''),
      silent: false,
    });
  }
  return { backend: options.backend, probes, refused, leftOut: [] };
}

/**
 * Which probes a run makes: all functions that take an skb and can be attached, or those that `functions` matches and the
 * ones that tracking needs. Most of the time it takes is the kernel's, on other threads. Throws UsageError for a bad
 * expression or one that matches nothing.
 */
export async function planProbes(options: ProbePlanOptions): Promise<ProbePlan> {
  const chosen = fullMatch(options.functions);
  const plan =
    options.backend === 'tracepoint'
      ? planTracepoints(options, chosen)
      : await planFunctions(options, chosen);
  if (plan.probes.some((probe) => !probe.silent)) return plan;
  if (options.functions === undefined) {
    throw new SkbspanError(
      'SKBSPAN_UNSUPPORTED',
      'no kernel function or tracepoint can be watched',
      {
        advice: 'Run `skbspan check` to see what is missing.',
      },
    );
  }
  throw new UsageError(`--filter-func '${options.functions}' matches nothing that can be watched`, {
    advice:
      options.backend === 'tracepoint'
        ? 'This backend watches tracepoints, not functions: `skbspan functions` lists them.'
        : 'It must match whole names; `skbspan functions [regex]` lists what there is.',
  });
}
