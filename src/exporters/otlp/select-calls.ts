/**
 * Which lives and calls of a path become spans.
 *
 * `detail` says how much of a path is wanted at all. `maxSpans` bounds what one trace may have: Jaeger's UI becomes slow at some
 * thousand spans, and Tempo refuses traces of more than 5 MB, so a flood's path of a hundred thousand calls would be seen by
 * nobody. What is kept then: the packet itself, lives that were dropped, the other lives, calls that made a life or dropped one,
 * waits, and of the other calls those with the fewest calls around them, since they hold the most of the time; earlier ones first.
 */
import type { Life } from '../../event/packet-path.ts';
import type { LifePlan } from './life-plan.ts';
import { isMilestone } from './milestones.ts';

export const spanDetails = ['calls', 'milestones', 'packet'] as const;
/** Every call | well-known functions and tracepoints | none, only the packet and its clones. */
export type SpanDetail = (typeof spanDetails)[number];

export interface Selection {
  /** By index of the life in its path: does it have a span? */
  readonly lives: readonly boolean[];
  /** By index of life and call. */
  readonly calls: readonly (readonly boolean[])[];
  /** By index of life and wait. */
  readonly waits: readonly (readonly boolean[])[];
  /** What `maxSpans` kept out; one for each trace that is too large. */
  readonly leftOut: readonly LeftOut[];
}

export interface LeftOut {
  /** The life whose trace it is. */
  readonly plan: LifePlan;
  readonly spans: number;
  /** From the beginning of the first to the end of the last. */
  readonly offsetNs: number;
  readonly endOffsetNs: number;
}

interface Trace {
  readonly root: LifePlan;
  readonly plans: LifePlan[];
}

export function selectSpans(
  plans: readonly LifePlan[],
  detail: SpanDetail,
  maxSpans: number,
): Selection {
  const marked = markedCalls(plans);
  const calls = plans.map(({ life, index }) =>
    life.calls.map(
      ({ kind, func }, call) =>
        detail === 'calls' ||
        (detail === 'milestones' && (isMilestone(kind, func) || marked.has(keyOf(index, call)))),
    ),
  );
  const waits = plans.map(({ life }) => life.waits.map(() => detail !== 'packet'));
  const lives = plans.map(() => true);
  const leftOut: LeftOut[] = [];
  for (const trace of tracesOf(plans)) {
    const left = cutToSize(trace, { lives, calls, waits, marked }, maxSpans);
    if (left !== undefined) leftOut.push(left);
  }
  return { lives, calls, waits, leftOut };
}

const keyOf = (life: number, call: number): string => `${life} ${call}`;

/** Calls that made a life, and those in which one was dropped. */
function markedCalls(plans: readonly LifePlan[]): ReadonlySet<string> {
  const marked = new Set<string>();
  for (const { life, index } of plans) {
    if (life.parent !== undefined) marked.add(keyOf(life.parent.life, life.parent.call));
    const dropper = dropperOf(life);
    if (dropper !== undefined) marked.add(keyOf(index, dropper));
  }
  return marked;
}

function dropperOf({ calls, end }: Life): number | undefined {
  const func = end?.how === 'dropped' ? end.location?.func : undefined;
  const found = func === undefined ? -1 : calls.findLastIndex((call) => call.func === func);
  return found === -1 ? undefined : found;
}

function tracesOf(plans: readonly LifePlan[]): Iterable<Trace> {
  const traces = new Map<string, Trace>();
  for (const plan of plans) {
    const known = traces.get(plan.context.traceId);
    if (known === undefined) traces.set(plan.context.traceId, { root: plan, plans: [plan] });
    else known.plans.push(plan);
  }
  return traces.values();
}

interface Marks {
  readonly lives: boolean[];
  readonly calls: boolean[][];
  readonly waits: boolean[][];
  readonly marked: ReadonlySet<string>;
}

/** What is cut to size: a call or a wait of a life that stays. */
interface Candidate {
  readonly from: boolean[];
  readonly at: number;
  /** The smaller the sooner. */
  readonly rank: number;
  readonly offsetNs: number;
  readonly endOffsetNs: number;
}

const RANK_MARKED = -2;
const RANK_WAIT = -1;

function candidatesOf(plan: LifePlan, { calls, waits, marked }: Marks): Candidate[] {
  const { life, index, callEnds } = plan;
  const wantedCalls = calls[index] ?? [];
  const wantedWaits = waits[index] ?? [];
  return [
    ...life.calls.flatMap(({ offsetNs, depth }, at): Candidate[] => {
      if (wantedCalls[at] !== true) return [];
      const rank = marked.has(keyOf(index, at)) ? RANK_MARKED : depth;
      const endOffsetNs = callEnds[at] ?? offsetNs;
      return [{ from: wantedCalls, at, rank, offsetNs, endOffsetNs }];
    }),
    ...life.waits.flatMap(({ offsetNs, durationNs }, at): Candidate[] =>
      wantedWaits[at] === true
        ? [{ from: wantedWaits, at, rank: RANK_WAIT, offsetNs, endOffsetNs: offsetNs + durationNs }]
        : [],
    ),
  ];
}

/** Unmarks what is too much; undefined: nothing was. */
function cutToSize({ root, plans }: Trace, marks: Marks, maxSpans: number): LeftOut | undefined {
  const inner = new Map(plans.map((plan) => [plan, candidatesOf(plan, marks)]));
  const wanted = [...inner.values()].reduce((sum, candidates) => sum + 1 + candidates.length, 0);
  if (wanted <= maxSpans) return undefined;

  // One is for the span that says so.
  const room = Math.max(1, maxSpans - 1);
  const rankOf = (plan: LifePlan): number =>
    plan === root ? 0 : plan.life.end?.how === 'dropped' ? 1 : 2;
  const keptLives = new Set([...plans].sort((a, b) => rankOf(a) - rankOf(b)).slice(0, room));
  const kept = new Set(
    plans
      .flatMap((plan) => (keptLives.has(plan) ? (inner.get(plan) ?? []) : []))
      .sort((a, b) => a.rank - b.rank)
      .slice(0, room - keptLives.size),
  );

  const left = { spans: 0, from: Infinity, to: 0 };
  const leave = (offsetNs: number, endOffsetNs: number): void => {
    left.spans++;
    left.from = Math.min(left.from, offsetNs);
    left.to = Math.max(left.to, endOffsetNs);
  };
  for (const [plan, candidates] of inner) {
    if (!keptLives.has(plan)) {
      marks.lives[plan.index] = false;
      leave(plan.offsetNs, plan.endOffsetNs);
    }
    for (const candidate of candidates) {
      if (kept.has(candidate)) continue;
      candidate.from[candidate.at] = false;
      leave(candidate.offsetNs, candidate.endOffsetNs);
    }
  }
  return { plan: root, spans: left.spans, offsetNs: left.from, endOffsetNs: left.to };
}
