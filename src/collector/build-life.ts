/** One life of a path as exporters see it, from its drafts after nesting. */

import {
  dropEvent,
  enterEvent,
  eventKind,
  exitEvent,
  freeEvent,
  freeHow,
} from '../event/layout.ts';
import type { Call, Life, LifeEnd, PacketSight } from '../event/packet-path.ts';
import { isDropVerdict, isProgram, verdictName } from '../event/verdicts.ts';
import type { BareLife } from '../event/story.ts';
import type { ContextTable } from './context-table.ts';
import { cpuOf, headerWord, kindOf } from './decode.ts';
import { readSight } from './packet-sight.ts';
import { linkParent } from './losses.ts';
import type { DetailReader } from './read-detail.ts';
import type { Symbols } from './path-builder.ts';
import { readConntrack, readRule, readSocket } from './surroundings.ts';
import { errnoName } from '../ffi/errno.ts';
import { wideAt, type CallDraft, type LifeDraft } from './path-records.ts';

export interface LifeSurroundings {
  readonly words: Uint32Array;
  /** Time of the record at a word position, from the path's start. */
  readonly offsetAt: (at: number) => number;
  readonly context: ContextTable;
  readonly symbols: Symbols;
  readonly lives: ReadonlyMap<number, LifeDraft>;
  readonly details: DetailReader | undefined;
}

/** include/net/dropreason-core.h; its number differs between kernels. */
const NOT_SPECIFIED = 'NOT_SPECIFIED';

/** drop_event.reason of a kernel that tells none. */
const REASON_NOT_TOLD = 0xffffffff;
/** drop_event.reason of a verdict that ended an XDP frame: REASON_VERDICT in bpf/verdict.h. */
const REASON_VERDICT = 0xfffffffe;
/** Of a frame that a program redirected and the kernel did not: REASON_REDIRECT there. The error stands where else a verdict does. */
const REASON_REDIRECT = 0xfffffffd;

/** After the kernel's tracepoint for it. */
const REDIRECT_FAILED = 'XDP_REDIRECT_ERR';

const notTold = { reasonCode: undefined, program: undefined, rule: undefined } as const;

const endings: ReadonlyMap<number, LifeEnd['how']> = new Map(
  Object.entries(freeHow).map(([name, number]) => [number, name as keyof typeof freeHow]),
);

export function buildLife(
  draft: LifeDraft,
  origin: Pick<Life, 'parent' | 'mergedInto'>,
  surroundings: LifeSurroundings,
): BareLife {
  const { words, offsetAt, context, symbols } = surroundings;
  const packets = draft.packets.map((at) => readSight(words, at, offsetAt(at), context));
  const end = draft.end < 0 ? undefined : readEnd(draft, surroundings);
  const calls = buildCalls(draft, packets, end, surroundings);
  return {
    id: draft.id,
    skb: draft.skb,
    ...origin,
    offsetNs: draft.begin,
    calls,
    packets,
    end: end?.how === 'dropped' ? droppedBy(end, calls) : end,
    sockets: draft.sockets.map((at) => readSocket(words, at, offsetAt(at), symbols)),
    conntracks: draft.conntracks.map((at) => readConntrack(words, at, offsetAt(at))),
  };
}

function buildCalls(
  draft: LifeDraft,
  packets: readonly PacketSight[],
  end: LifeEnd | undefined,
  { words, symbols, context, details }: LifeSurroundings,
): Call[] {
  let packet = -1;
  return draft.calls.map((call) => {
    while ((packets[packet + 1]?.seq ?? Infinity) < call.seq) packet++;
    const { at } = call;
    const { func, module, kind } = symbols.probe(call.probe);
    const durationNs = durationOf(call, end);
    const returnValue =
      call.exit < 0 ? undefined : wideAt(words, call.exit + (exitEvent.returnValue >> 2));
    return {
      func,
      module,
      kind,
      seq: call.seq,
      offsetNs: call.begin,
      durationNs,
      timing: durationNs === undefined ? 'unfinished' : call.how,
      depth: call.depth,
      parent:
        call.parent === undefined
          ? undefined
          : { life: call.parent.life.index, call: call.parent.index },
      cpu: cpuOf(words[at + headerWord.packed] ?? 0),
      task: context.task(words[at + headerWord.tid] ?? 0),
      device: context.device(
        words[at + (enterEvent.netns >> 2)] ?? 0,
        words[at + (enterEvent.ifindex >> 2)] ?? 0,
      ),
      len: words[at + (enterEvent.len >> 2)] ?? 0,
      mark: words[at + (enterEvent.mark >> 2)] ?? 0,
      protocol: (words[at + (enterEvent.protocol >> 2)] ?? 0) & 0xffff,
      returnValue,
      verdict: verdictName(kind, returnValue),
      packet,
      ...(call.details === undefined || details === undefined
        ? {}
        : { detail: details.read(words, call.details, { func, kind }) }),
    };
  });
}

/** An enter-only call ends where the next one on its life begins; the last one at the life's end, if it was seen. */
function durationOf(call: CallDraft, end: LifeEnd | undefined): number | undefined {
  if (call.how === 'point') return 0;
  if (call.how === 'exit') return call.end === undefined ? undefined : call.end - call.begin;
  const { calls } = call.life;
  let next = call.index + 1;
  while (calls[next]?.how === 'point') next++;
  const until = calls[next]?.begin ?? end?.offsetNs;
  return until === undefined ? undefined : Math.max(0, until - call.begin);
}

/** The drop with the program that wanted it: after a dropping verdict no other program sees the packet. */
function droppedBy(end: LifeEnd, calls: readonly Call[]): LifeEnd {
  if (end.program !== undefined) return end;
  const last = calls.findLast(isProgram);
  return last?.verdict !== undefined && isDropVerdict(last.verdict)
    ? { ...end, program: last.func }
    : end;
}

/**
 * What hangs on a packet (fragments, merged segments) is freed with it by a function that says "dropped" for no reason, also
 * when the packet was received. What became of the packet, its own end tells; so that end of a part is none of a drop. Also
 * of the clone that reassembly makes of a fragment to put it into its place.
 */
function isPart(draft: LifeDraft, { words, lives }: LifeSurroundings): boolean {
  if (draft.merge >= 0) return true;
  const maker = draft.link < 0 ? undefined : lives.get(linkParent(words, draft.link));
  return maker !== undefined && maker.merge >= 0 && maker.merge < draft.link;
}

function readEnd(draft: LifeDraft, surroundings: LifeSurroundings): LifeEnd {
  const { words, symbols, offsetAt } = surroundings;
  const { end: at, rule } = draft;
  const offsetNs = offsetAt(at);
  const isDrop = kindOf(words[at + headerWord.packed] ?? 0) === eventKind.drop;
  const address = wideAt(words, at + ((isDrop ? dropEvent.location : freeEvent.location) >> 2));
  const location = address === 0n ? undefined : symbols.location(address);
  if (isDrop) {
    const code = words[at + (dropEvent.reason >> 2)] ?? 0;
    if (code === REASON_VERDICT || code === REASON_REDIRECT) {
      const detail = words[at + (dropEvent.verdict >> 2)] ?? 0;
      const reason =
        code === REASON_VERDICT
          ? verdictName('xdp', BigInt(detail))
          : `${REDIRECT_FAILED} (${errnoName(detail)})`;
      const program = symbols.probe(words[at + headerWord.probe] ?? 0).func;
      return { offsetNs, how: 'dropped', reason, ...notTold, location, program };
    }
    if (isPart(draft, surroundings) && symbols.dropReason(code) === NOT_SPECIFIED)
      return { offsetNs, how: 'consumed', reason: undefined, ...notTold, location };
    const isTold = code !== REASON_NOT_TOLD;
    return {
      offsetNs,
      how: 'dropped',
      reason: isTold ? symbols.dropReason(code) : 'reason not told by this kernel',
      reasonCode: isTold ? code : undefined,
      location,
      program: undefined,
      rule: rule < 0 ? undefined : readRule(words, rule),
    };
  }
  const how = endings.get((words[at + (freeEvent.how >> 2)] ?? 0) & 0xff) ?? 'released';
  return { offsetNs, how, reason: undefined, ...notTold, location };
}
