import { ancestors, type SeenCall, type SeenPath } from './scenario.ts';

/** A call as ftrace's function_graph recorded it. */
export interface GraphCall {
  readonly func: string;
  readonly cpu: number;
  /** The recorded call it ran in. */
  readonly parent: GraphCall | undefined;
}

export interface Comparison {
  readonly agreed: number;
  /** Recorded by ftrace while the packets were under way, but not by skbspan: `function < caller`. */
  readonly missing: readonly string[];
  /** Recorded by skbspan only. */
  readonly extra: readonly string[];
  /** Recorded by both, but inside of different calls. */
  readonly misplaced: readonly string[];
}

/**
 * Reads function_graph's text. A line is `CPU) DURATION | INDENT func() {` or `func();` for a call that calls nothing
 * else that is recorded; two spaces of indent per level.
 */
export function graphCalls(text: string): GraphCall[] {
  const calls: GraphCall[] = [];
  const open = new Map<string, (GraphCall | undefined)[]>();
  for (const line of text.split('\n')) {
    const match =
      /^\s*(\d+)\)\s+(\S+)\s+\|[^|]*\| {2}(\s*)([\w.]+)(?: \[\w+\])?\(.*\)(?:;| \{)/.exec(line);
    if (match === null) continue;
    const [, cpu = '', task = '', indent = '', func = ''] = match;
    // Levels belong to a task: interrupts run on the stack of whom they interrupt.
    const stack = open.get(task) ?? [];
    open.set(task, stack);
    const depth = indent.length / 2;
    const parent = stack.slice(0, depth).findLast((call) => call !== undefined);
    const call = { func, cpu: Number(cpu), parent };
    stack.length = depth;
    stack[depth] = call;
    calls.push(call);
  }
  return calls;
}

interface Placed {
  readonly call: SeenCall;
  readonly path: SeenPath;
  readonly timeNs: bigint;
}

/**
 * Holds the calls of some paths against what ftrace saw, CPU by CPU: the longest common sequence agrees, the rest is
 * missing or extra. ftrace does not know packets, so what it saw before the first and after the last call of these paths
 * is left out, and calls on other packets in between count as missing unless their paths are among `others`.
 */
export function compareCalls(
  graph: readonly GraphCall[],
  paths: readonly SeenPath[],
  others: readonly SeenPath[] = [],
): Comparison {
  const placed = [...paths, ...others]
    .flatMap((path) => path.lives.flatMap(({ calls }) => calls.map((call) => place(path, call))))
    .sort((one, other) => Number(one.timeNs - other.timeNs));
  const pairs = new Map<GraphCall, Placed>();
  const missing: string[] = [];
  const extra: string[] = [];
  for (const cpu of new Set(placed.map(({ call }) => call.cpu))) {
    const recorded = graph.filter((call) => call.cpu === cpu);
    const seen = placed.filter(({ call }) => call.cpu === cpu);
    const matched = commonSequence(recorded, seen);
    for (const [index, at] of matched) {
      const [one, other] = [recorded[index], seen[at]];
      if (one !== undefined && other !== undefined) pairs.set(one, other);
    }
    const ours = matched.filter(([, at]) => paths.some((path) => path === seen[at]?.path));
    const [first, last] = [ours.at(0)?.[0] ?? 0, ours.at(-1)?.[0] ?? -1];
    const within = recorded.slice(first, last + 1).filter((call) => !pairs.has(call));
    missing.push(...within.map((call) => `${call.func} < ${call.parent?.func ?? '-'}`));
    const found = new Set(matched.map(([, at]) => at));
    extra.push(
      ...seen
        .filter(({ path }, at) => !found.has(at) && paths.includes(path))
        .map(({ call, path }) => `${call.func} < ${ancestors(path, call)[0]?.func ?? '-'}`),
    );
  }
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

function place(path: SeenPath, call: SeenCall): Placed {
  return { call, path, timeNs: BigInt(path.start_time_ns) + BigInt(call.offset_ns) };
}

/** Longest common subsequence by name, as pairs of indices. */
function commonSequence(
  recorded: readonly GraphCall[],
  seen: readonly Placed[],
): [number, number][] {
  const width = seen.length + 1;
  const best = new Uint32Array((recorded.length + 1) * width);
  const at = (i: number, j: number): number => best[i * width + j] ?? 0;
  const same = (i: number, j: number): boolean => recorded[i]?.func === seen[j]?.call.func;
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
