/**
 * From a packet path to spans.
 *
 * Root span: the packet, that is its first life, over the whole time of the path. Under it the calls on that life, nested as
 * called, and one span for each further life, named by the operation that made it and linked to the span of the call that
 * did; its own calls are under it. A call that runs inside a call of *another* life (a clone is made and sent inside the
 * original's __tcp_transmit_skb) stays under its own life, which is what one wants to read, and names the other in
 * skbspan.caller. With `own_trace` each further life is the root of a trace of its own; the links are the same.
 *
 * life-plan.ts decides ids, times and places; life-span.ts and call-spans.ts describe; select-calls.ts says which of them are wanted;
 * encode.ts writes.
 */
import type { PacketPath } from '../../event/packet-path.ts';
import { findApplicationContext, type ApplicationContext } from './application-context.ts';
import { own } from './attribute-names.ts';
import { setTimes } from './attributes.ts';
import { describeCalls } from './call-spans.ts';
import { planLives, type LifePlan } from './life-plan.ts';
import { describeLife } from './life-span.ts';
import { selectSpans, type LeftOut, type Selection, type SpanDetail } from './select-calls.ts';
import { LEFT_OUT } from './span-ids.ts';
import { describeWaits } from './wait-spans.ts';
import { toEpoch, type AttributeList, type Epoch, type SpanParts } from './span-parts.ts';

export interface SpanOptions {
  readonly clones: 'same_trace' | 'own_trace';
  /** Whole number from 1; said on the root. */
  readonly timeScale: number;
  /** Default: calls. */
  readonly detail?: SpanDetail | undefined;
  /** Of one trace; default: no bound. */
  readonly maxSpans?: number | undefined;
  /**
   * To the application's span whose context the packet carries: the root gets a link (default), becomes its child in its trace,
   * or nothing is looked for.
   */
  readonly join?: 'link' | 'child' | 'off' | undefined;
}

/** What all spans of a path are made from. */
export interface PathPlan {
  readonly path: PacketPath;
  readonly lives: readonly LifePlan[];
  readonly epoch: Epoch;
  readonly options: SpanOptions;
  /** undefined: everything has a span. */
  readonly selection: Selection | undefined;
  /** The application's span that the root is joined to. */
  readonly application: ApplicationContext | undefined;
}

/** All spans of a path, each parent before its children. Nothing of the path is changed. */
export function describeSpans(given: PacketPath, options: SpanOptions): SpanParts[] {
  const { clones, detail = 'calls', maxSpans = Infinity, join = 'link' } = options;
  const application = join === 'off' ? undefined : findApplicationContext(given);
  const path =
    join === 'child' && application !== undefined
      ? { ...given, traceId: application.traceId }
      : given;
  const epoch = toEpoch(path.startTimeNs);
  const lives = planLives(path, clones, epoch);
  const count = path.lives.reduce(
    (sum, life) => sum + 1 + life.calls.length + life.waits.length,
    0,
  );
  const isWhole = detail === 'calls' && count <= maxSpans;
  const selection = isWhole ? undefined : selectSpans(lives, detail, maxSpans);
  const plan = { path, lives, epoch, options, selection, application };
  const spans: SpanParts[] = [];
  for (const life of lives) {
    if (selection?.lives[life.index] === false) continue;
    spans.push(describeLife(plan, life));
    describeCalls(plan, life, spans);
    describeWaits(plan, life, spans);
  }
  for (const left of selection?.leftOut ?? []) spans.push(describeLeftOut(plan, left));
  return spans;
}

/** The span that stands for all that a trace has no room for. */
function describeLeftOut({ epoch }: PathPlan, left: LeftOut): SpanParts {
  const { plan, offsetNs, endOffsetNs } = left;
  const attributes: AttributeList = [own.leftOut, left.spans];
  setTimes(attributes, offsetNs, endOffsetNs);
  return {
    name: 'left out',
    context: { ...plan.context, spanId: plan.ids(plan.life.id, LEFT_OUT) },
    parent: plan.context,
    epoch,
    offsetNs,
    endOffsetNs,
    attributes,
    device: plan.device,
  };
}
