/**
 * From a packet path to spans.
 *
 * Root span: the packet, that is its first life, over the whole time of the path. Under it the calls on that life, nested as
 * called, and one span for each further life, named by the operation that made it and linked to the span of the call that
 * did; its own calls are under it. A call that runs inside a call of *another* life (a clone is made and sent inside the
 * original's __tcp_transmit_skb) stays under its own life, which is what one wants to read, and names the other in
 * skbspan.caller. With `own_trace` each further life is the root of a trace of its own; the links are the same.
 *
 * life-plan.ts decides ids, times and places; life-span.ts and call-spans.ts describe; encode.ts writes.
 */
import type { PacketPath } from '../../event/packet-path.ts';
import { describeCalls } from './call-spans.ts';
import { planLives } from './life-plan.ts';
import { describeLife } from './life-span.ts';
import { toEpoch, type SpanParts } from './span-parts.ts';

export interface SpanOptions {
  readonly clones: 'same_trace' | 'own_trace';
  /** Whole number from 1; said on the root. */
  readonly timeScale: number;
}

/** All spans of a path, each parent before its children. Nothing of the path is changed. */
export function describeSpans(path: PacketPath, options: SpanOptions): SpanParts[] {
  const epoch = toEpoch(path.startTimeNs);
  const plans = planLives(path, options.clones);
  return plans.flatMap((plan) => [
    describeLife(path, plan, plans, { timeScale: options.timeScale, epoch }),
    ...describeCalls(path, plan, epoch),
  ]);
}
