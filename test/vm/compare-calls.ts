import type { Graph, GraphCall } from './graph.ts';
import { ancestors, type SeenCall, type SeenPath } from './scenario.ts';

/** A call that ftrace recorded while the packets were under way, but skbspan did not. */
export interface Missing {
  /** `function < caller`. */
  readonly call: string;
  /**
   * What its skb was, by the addresses that ftrace recorded. `unknown`: it was not asked. `null`: there was none. `unborn`: it
   * became one of the packets later. `other`: no call of any path is on it, from its allocation on. `followed`: a call of a path on it
   * came before, and it was not allocated anew since: skbspan had to see this one. `deferred`: the same, but since then
   * skb_attempt_defer_free() was called on it, which skbspan saw: that ends a life.
   */
  readonly skb: 'unknown' | 'null' | 'unborn' | 'other' | 'followed' | 'deferred';
}

export interface Comparison {
  readonly agreed: number;
  readonly missing: readonly Missing[];
  /** Recorded by skbspan only. */
  readonly extra: readonly string[];
  /** Recorded by both, but inside of different calls. */
  readonly misplaced: readonly string[];
}

interface Placed {
  readonly call: SeenCall;
  readonly path: SeenPath;
  /** Address. */
  readonly skb: string;
  readonly timeNs: bigint;
}

/**
 * Holds the calls of some paths against what ftrace saw, CPU by CPU: the longest common sequence agrees, the rest is
 * missing or extra. Where ftrace tells a call's skb, a call on another one is another call. Else ftrace does not know packets,
 * so what it saw before the first and after the last call of these paths is left out, and calls on other packets in between
 * count as missing unless their paths are among `others`.
 */
export function compareCalls(
  graph: Graph,
  paths: readonly SeenPath[],
  others: readonly SeenPath[] = [],
): Comparison {
  const own = callsOf(paths);
  const [first, last] = [own.at(0)?.timeNs ?? 0n, own.at(-1)?.timeNs ?? 0n];
  // ftrace may have ended before the tracer: what came later has nothing to be held against.
  const between = callsOf(others).filter(({ timeNs }) => timeNs > first && timeNs < last);
  const placed = [...own, ...between].sort(byTime);
  const pairs = new Map<GraphCall, Placed>();
  const within: GraphCall[] = [];
  const extra: string[] = [];
  for (const cpu of new Set(placed.map(({ call }) => call.cpu))) {
    const recorded = graph.calls.filter((call) => call.cpu === cpu);
    const seen = placed.filter(({ call }) => call.cpu === cpu);
    const matched = commonSequence(recorded, seen);
    for (const [index, at] of matched) {
      const [one, other] = [recorded[index], seen[at]];
      if (one !== undefined && other !== undefined) pairs.set(one, other);
    }
    const ours = matched.filter(([, at]) => paths.some((path) => path === seen[at]?.path));
    const [from, to] = [ours.at(0)?.[0] ?? 0, ours.at(-1)?.[0] ?? -1];
    within.push(...recorded.slice(from, to + 1).filter((call) => !pairs.has(call)));
    const found = new Set(matched.map(([, at]) => at));
    extra.push(
      ...seen
        .filter(({ path }, at) => !found.has(at) && paths.includes(path))
        .map(({ call, path }) => `${call.func} < ${ancestors(path, call)[0]?.func ?? '-'}`),
    );
  }
  const missing = within.map((call) => ({
    call: `${call.func} < ${call.parent?.func ?? '-'}`,
    skb: skbOf(call, graph, pairs),
  }));
  const misplaced = [...pairs].flatMap(([recorded, { call, path }]) => {
    let outer = recorded.parent;
    while (outer !== undefined && pairs.get(outer)?.path !== path) outer = outer.parent;
    const wanted = outer === undefined ? undefined : pairs.get(outer)?.call;
    const [parent] = ancestors(path, call);
    return wanted === parent
      ? []
      : [`${call.func}: in ${parent?.func ?? '-'} instead of ${wanted?.func ?? '-'}`];
  });
  return { agreed: pairs.size, missing, extra, misplaced };
}

const byTime = (one: Placed, other: Placed): number => Number(one.timeNs - other.timeNs);

/** All calls of some paths, in order. */
const callsOf = (paths: readonly SeenPath[]): Placed[] =>
  paths
    .flatMap((path) =>
      path.lives.flatMap(({ skb, calls }) =>
        calls.map((call) => ({
          call,
          path,
          skb,
          timeNs: BigInt(path.start_time_ns) + BigInt(call.offset_ns),
        })),
      ),
    )
    .sort(byTime);

/** Leaves an sk_buff to be freed by another CPU: net/core/skbuff.c */
const DEFERS = 'skb_attempt_defer_free';

/** An address holds one sk_buff from one allocation to the next: which calls of paths are on it in that time? */
function skbOf(
  call: GraphCall,
  { calls, births }: Graph,
  pairs: ReadonlyMap<GraphCall, Placed>,
): Missing['skb'] {
  const { skb } = call;
  if (skb === undefined) return 'unknown';
  if (skb === '0x0') return 'null';
  const at = calls.indexOf(call);
  const born = births.filter((birth) => birth.skb === skb).map((birth) => birth.at);
  const begin = born.findLast((birth) => birth <= at) ?? 0;
  const end = born.find((birth) => birth > at) ?? calls.length;
  const on = (from: number, to: number): readonly GraphCall[] =>
    calls.slice(from, to).filter((other) => pairs.get(other)?.skb === skb);
  const before = on(begin, at);
  // What runs within the call is still of the life.
  const deferral = before.find(({ func }) => func === DEFERS);
  if (deferral !== undefined && !isWithin(call, deferral)) return 'deferred';
  if (before.length > 0) return 'followed';
  return on(at, end).length > 0 ? 'unborn' : 'other';
}

function isWithin(call: GraphCall, outer: GraphCall): boolean {
  let { parent } = call;
  while (parent !== undefined && parent !== outer) ({ parent } = parent);
  return parent !== undefined;
}

/** Longest common subsequence by name and, where it is known, skb; as pairs of indices. */
function commonSequence(
  recorded: readonly GraphCall[],
  seen: readonly Placed[],
): [number, number][] {
  const width = seen.length + 1;
  const best = new Uint32Array((recorded.length + 1) * width);
  const at = (i: number, j: number): number => best[i * width + j] ?? 0;
  const same = (i: number, j: number): boolean => {
    const [one, other] = [recorded[i], seen[j]];
    return one?.func === other?.call.func && (one?.skb === undefined || one.skb === other?.skb);
  };
  for (let i = recorded.length - 1; i >= 0; i -= 1)
    for (let j = seen.length - 1; j >= 0; j -= 1)
      best[i * width + j] = same(i, j)
        ? at(i + 1, j + 1) + 1
        : Math.max(at(i + 1, j), at(i, j + 1));
  const pairs: [number, number][] = [];
  for (let i = 0, j = 0; i < recorded.length && j < seen.length;) {
    if (same(i, j)) pairs.push([i++, j++]);
    else if (at(i + 1, j) >= at(i, j + 1)) i += 1;
    else j += 1;
  }
  return pairs;
}
