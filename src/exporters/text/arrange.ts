/**
 * From a packet path to the order in which a person reads it.
 *
 * A path is a forest: calls nest in calls, and lives hang on the call that made them. A clone's calls often run inside a call
 * of its parent's life (TCP clones a segment and sends the clone, all inside __tcp_transmit_skb). Two orders are possible:
 * strictly by time, where the lives mix, or life by life. Here each life stays together, under the call that made it,
 * because the question at hand is nearly always "and what became of the clone?". Within a life, time runs down the page.
 */
import type {
  Call,
  HeaderChange,
  Life,
  PacketPath,
  PacketSight,
  Wait,
} from '../../event/packet-path.ts';
import { flowAddresses } from './format.ts';

export type Item =
  | { readonly kind: 'call'; readonly call: Call; readonly life: number }
  | { readonly kind: 'life'; readonly life: Life }
  | {
      readonly kind: 'headers';
      readonly sight: PacketSight;
      /** How it came to these headers; undefined: they were only filled in. */
      readonly change: HeaderChange | undefined;
      /** The last call before. */
      readonly by: Call | undefined;
    }
  /** It lay in a queue. */
  | { readonly kind: 'wait'; readonly wait: Wait }
  | { readonly kind: 'end'; readonly life: Life }
  /** Nothing was recorded for this long; inside a call that call itself was busy, outside the packet waited. */
  | { readonly kind: 'gap'; readonly durationNs: number; readonly inside: Call | undefined };

export interface Node {
  readonly item: Item;
  readonly offsetNs: number;
  readonly children: readonly Node[];
}

interface Draft {
  readonly item: Item;
  readonly offsetNs: number;
  readonly children: Draft[];
}

/** A gap is worth a line from a fifth of the path or from 100 us on, but not below 1 us. */
const GAP_SHARE = 0.2;
const GAP_NS = 100_000;
const GAP_LEAST_NS = 1_000;

const draft = (item: Item, offsetNs: number): Draft => ({ item, offsetNs, children: [] });

/** The innermost call of `life` that was running at `offsetNs`. */
const callAround = (life: Life, offsetNs: number): number =>
  life.calls.findLastIndex(
    ({ timing, offsetNs: start, durationNs }) =>
      timing === 'exit' && start <= offsetNs && offsetNs <= start + (durationNs ?? 0),
  );

function addLife(life: Life, index: number, top: Draft[]): Draft[] {
  const calls = life.calls.map((call) => draft({ kind: 'call', call, life: index }, call.offsetNs));
  for (const [at, { parent }] of life.calls.entries()) {
    const own = calls[at];
    if (own === undefined) continue;
    // A call cannot run in itself or in a later one: such a parent is not followed.
    const within = parent?.life === index && parent.call < at ? calls[parent.call] : undefined;
    (within?.children ?? top).push(own);
  }
  if (life.end !== undefined) {
    const around = calls[callAround(life, life.end.offsetNs)];
    (around?.children ?? top).push(draft({ kind: 'end', life }, life.end.offsetNs));
  }
  for (const wait of life.waits) {
    // Beside what ended it.
    const by = life.calls[wait.before];
    const around = by?.parent?.life === index ? by.parent.call : -1;
    const within =
      wait.before < 0 ? calls[callAround(life, life.end?.offsetNs ?? -1)] : calls[around];
    (within?.children ?? top).push(draft({ kind: 'wait', wait }, wait.offsetNs));
  }
  return calls;
}

/** Lines that say where the packet's addresses changed. `known` is what was last shown; gives what is known at the end. */
function addHeaders(
  life: Life,
  lifeIndex: number,
  calls: readonly Draft[],
  top: Draft[],
  known: string,
): string {
  for (const [index, sight] of life.packets.entries()) {
    if (sight.flow === undefined) continue;
    const now = flowAddresses(sight.flow);
    const changed = now !== known && known !== '';
    known = now;
    if (!changed) continue;
    // Beside the first call that has these headers.
    const first = life.calls.find((call) => call.packet >= index);
    const within = first?.parent?.life === lifeIndex ? calls[first.parent.call] : undefined;
    const offsetNs = Math.min(sight.offsetNs, first?.offsetNs ?? Infinity);
    const change = life.changes.find(({ offsetNs }) => offsetNs === sight.offsetNs);
    const by = life.calls[change?.call ?? -1];
    (within?.children ?? top).push(draft({ kind: 'headers', sight, change, by }, offsetNs));
  }
  return known;
}

/** By time; a change of headers stands before the call that was the first to see it. */
const order = (a: Draft, b: Draft): number =>
  a.offsetNs - b.offsetNs || Number(b.item.kind === 'headers') - Number(a.item.kind === 'headers');

/** Sorts, adds the gaps, and says when the last thing in there was over. */
function finish(
  drafts: Draft[],
  pathNs: number,
  inside: Call | undefined,
): { readonly nodes: Node[]; readonly lastNs: number } {
  drafts.sort(order);
  const nodes: Node[] = [];
  let lastNs = drafts[0]?.offsetNs ?? 0;
  for (const { item, offsetNs, children } of drafts) {
    const gap = offsetNs - lastNs;
    if (gap >= GAP_LEAST_NS && (gap > GAP_NS || gap > pathNs * GAP_SHARE)) {
      nodes.push({
        item: { kind: 'gap', durationNs: gap, inside },
        offsetNs: lastNs,
        children: [],
      });
    }
    const call = item.kind === 'call' ? item.call : undefined;
    const below = finish(children, pathNs, call);
    nodes.push({ item, offsetNs, children: below.nodes });
    // Nobody knows how long an unfinished call ran on: no gaps after it.
    const lasts =
      item.kind === 'wait' ? item.wait.durationNs : call === undefined ? 0 : call.durationNs;
    const over = offsetNs + (lasts ?? Infinity);
    lastNs = Math.max(lastNs, below.lastNs, over);
  }
  return { nodes, lastNs: Number.isFinite(lastNs) ? lastNs : 0 };
}

/** The addresses that `life` had when its `call` ran; empty if not known. */
function flowAt(life: Life | undefined, call: number): string {
  const flow = life?.packets[life.calls[call]?.packet ?? -1]?.flow;
  return flow === undefined ? '' : flowAddresses(flow);
}

/** The tree of a path: top-level nodes in reading order. */
export function arrange(path: PacketPath): readonly Node[] {
  const root: Draft[] = [];
  const tops: Draft[][] = [];
  const calls: Draft[][] = [];
  const flows: string[] = [];
  for (const [index, life] of path.lives.entries()) {
    const { parent } = life;
    let top = root;
    let known = path.flow === undefined ? '' : flowAddresses(path.flow);
    if (index > 0) {
      const node = draft({ kind: 'life', life }, life.offsetNs);
      const makers = parent === undefined ? undefined : calls[parent.life]?.[parent.call]?.children;
      (makers ?? tops[parent?.life ?? 0] ?? root).push(node);
      top = node.children;
    }
    if (parent !== undefined) {
      known = flowAt(path.lives[parent.life], parent.call) || (flows[parent.life] ?? known);
    }
    tops.push(top);
    const own = addLife(life, index, top);
    calls.push(own);
    flows.push(addHeaders(life, index, own, top, known));
  }
  return finish(root, path.durationNs, undefined).nodes;
}
