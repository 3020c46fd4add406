import assert from 'node:assert/strict';
import type { Lab } from './lab.ts';

/** One thing that skbspan must do on a real kernel: `act` runs in the guest, `check` on the host over what it left. */
export interface Scenario {
  readonly name: string;
  act(lab: Lab): Promise<void>;
  /** Throws what is wrong. */
  check(evidence: Evidence): void;
}

/** What a scenario left behind in its folder. */
export interface Evidence {
  readonly backend: string;
  /** uname -r. */
  readonly release: string;
  /** Read when asked for; fails if the file does not end with a summary. */
  readonly paths: readonly SeenPath[];
  readonly summary: SeenSummary;
  /** A file of the scenario as text; fails if it is not there. */
  readonly text: (name: string) => string;
  /** A file of the scenario; unpacked if its name ends in .gz. */
  readonly bytes: (name: string) => Uint8Array;
  /** What Lab.record left under this name: the caller knows its form. */
  readonly fact: (name: string) => unknown;
  /** A line for the test's report. */
  readonly note: (line: string) => void;
}

/** The part of a JSON line (docs/json.md) that the checks read. */
export interface SeenPath {
  readonly id: number;
  readonly start_time_ns: string;
  readonly duration_ns: number;
  readonly direction: string;
  readonly ending: string;
  readonly losses: readonly unknown[];
  readonly flow: SeenFlow | null;
  readonly lives: readonly SeenLife[];
}

export interface SeenFlow {
  readonly transport: string;
  readonly source_address: string;
  readonly destination_address: string;
  readonly source_port: number | null;
  readonly destination_port: number | null;
  readonly tcp_flags: string | null;
  readonly detail: string;
}

export interface SeenLife {
  readonly id: number;
  readonly skb: string;
  readonly parent: {
    readonly life: number;
    readonly call: number;
    readonly operation: string;
  } | null;
  readonly merged_into: SeenLife['parent'];
  readonly offset_ns: number;
  readonly packets: readonly SeenSight[];
  readonly end: {
    readonly how: string;
    readonly offset_ns: number;
    readonly reason: string | null;
    readonly location: { readonly func: string; readonly offset: number } | null;
    readonly program: string | null;
  } | null;
  readonly calls: readonly SeenCall[];
}

export interface SeenSight {
  readonly flow: SeenFlow | null;
  readonly len: number;
  readonly bytes: string;
  readonly transport_offset: number | null;
  readonly gso: { readonly size: number; readonly segments: number } | null;
}

export interface SeenCall {
  readonly func: string;
  readonly kind: string;
  readonly seq: number;
  readonly offset_ns: number;
  readonly duration_ns: number | null;
  readonly timing: string;
  readonly depth: number;
  readonly parent: { readonly life: number; readonly call: number } | null;
  readonly cpu: number;
  readonly len: number;
  readonly verdict: string | null;
  readonly device: { readonly netns: number; readonly name: string };
  readonly detail: SeenDetail | null;
}

export interface SeenDetail {
  readonly caller: { readonly func: string } | null;
  readonly stack: readonly { readonly func: string }[] | null;
  readonly tunnel: SeenFlow | null;
  readonly metadata: readonly { readonly value: string | null }[] | null;
  readonly skb: { readonly len?: number } | null;
  readonly map: {
    readonly name: string;
    readonly key: string;
    readonly value: string | null;
  } | null;
}

export interface SeenSummary {
  readonly events: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly losses: Readonly<Record<string, number>>;
}

/** Reads what --json wrote: a line per path, then the summary. */
export function parseLines(text: string): { paths: SeenPath[]; summary: SeenSummary } {
  const records = text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as { schema: string });
  const last = records.pop();
  assert.equal(last?.schema, 'skbspan.summary/1', 'the last line is the summary');
  for (const record of records) assert.equal(record.schema, 'skbspan.path/1');
  return { paths: records as unknown as SeenPath[], summary: last as unknown as SeenSummary };
}

/** The one path that `wanted` picks; fails if it is none or several. */
export function onlyPath(
  paths: readonly SeenPath[],
  what: string,
  wanted: (flow: SeenFlow) => boolean,
): SeenPath {
  const found = paths.filter((path) => path.flow !== null && wanted(path.flow));
  const [path] = found;
  if (path === undefined || found.length > 1) {
    const flows = paths.map((other) => JSON.stringify(other.flow)).join('\n');
    assert.fail(`${what}: ${found.length} paths instead of one among\n${flows}`);
  }
  return path;
}

/** The names of a path's calls of all lives, in the order of their beginning. */
export function functionsOf(path: SeenPath): string[] {
  return path.lives
    .flatMap((life) => life.calls)
    .sort((one, other) => one.offset_ns - other.offset_ns)
    .map((call) => call.func);
}

/** The calls that `call` runs in, innermost first. */
export function ancestors(path: SeenPath, call: SeenCall): SeenCall[] {
  const found: SeenCall[] = [];
  for (let at = call; at.parent !== null;) {
    const parent = path.lives[at.parent.life]?.calls[at.parent.call];
    assert.ok(parent, `${call.func}: its parent ${JSON.stringify(at.parent)} does not exist`);
    assert.ok(!found.includes(parent), `${call.func}: its parents run in a circle`);
    found.push(parent);
    at = parent;
  }
  return found;
}

/** Fails unless `inner` is called, and each call of it runs in a call of each of `outer`, nearest first. */
export function assertNested(path: SeenPath, inner: string, outer: readonly string[]): void {
  const calls = path.lives.flatMap((life) => life.calls).filter((call) => call.func === inner);
  assert.ok(calls.length > 0, `${inner} was not called: ${functionsOf(path).join(' ')}`);
  for (const call of calls) {
    const above = ancestors(path, call).map(({ func }) => func);
    assert.deepEqual(
      above.filter((func) => outer.includes(func)),
      outer,
      `${inner} ran in ${above.join(' < ')}`,
    );
  }
}

/**
 * What must hold for every path of a run without load: nothing lost, times inside the path, and each call inside the one
 * it is nested in.
 */
export function assertSound(path: SeenPath): void {
  const name = `path ${path.id} (${path.flow?.transport ?? 'no flow'} ${path.flow?.detail ?? ''})`;
  assert.deepEqual(path.losses, [], `${name} lost something`);
  for (const [index, life] of path.lives.entries()) {
    // A life without a parent is the first, or a packet of its own until it, or a part of it, went into another one.
    const isFirst = index === 0 || (life.parent === null && goesInto(path, index));
    assert.equal(life.parent === null, isFirst, `${name}: life ${life.id} comes from nowhere`);
    if (life.parent !== null) assert.ok(life.parent.life < index, `${name}: a parent stands first`);
    let seq = -1;
    for (const call of life.calls) {
      assert.ok(call.seq > seq, `${name}: ${call.func} is out of sequence`);
      seq = call.seq;
      const above = ancestors(path, call);
      assert.equal(call.depth, above.length, `${name}: depth of ${call.func}`);
      const [parent] = above;
      if (parent?.duration_ns == null || call.duration_ns == null) continue;
      const parentEnd = parent.offset_ns + parent.duration_ns;
      assert.ok(
        call.offset_ns >= parent.offset_ns && call.offset_ns + call.duration_ns <= parentEnd,
        `${name}: ${call.func} is not inside ${parent.func}`,
      );
    }
  }
}

/** Whether a life or one that was made from it went into another packet's. */
function goesInto(path: SeenPath, index: number): boolean {
  return path.lives.some(
    (life, at) =>
      (at === index && life.merged_into !== null) ||
      (life.parent?.life === index && goesInto(path, at)),
  );
}

/** Fails if the run lost anything anywhere. */
export function assertLossless(summary: SeenSummary): void {
  const lost = Object.entries(summary.losses).filter(([, count]) => count !== 0);
  assert.deepEqual(Object.fromEntries(lost), {});
}

/** Fails unless every call of the path has seen its exit. */
export function assertExits(path: SeenPath): void {
  const open = path.lives.flatMap((life) => life.calls).filter((call) => call.timing !== 'exit');
  assert.deepEqual(
    open.map((call) => `${call.func}: ${call.timing}`),
    [],
    'calls without an exit',
  );
}
