import { own } from './attribute-names.ts';
import { setDevice, setTimes } from './attributes.ts';
import type { LifePlan } from './life-plan.ts';
import { WAITS } from './span-ids.ts';
import type { AttributeList, SpanParts } from './span-parts.ts';
import type { PathPlan } from './spans.ts';

/** Adds a span for each time that a life lay in a queue, under the life: nothing was called on it meanwhile. */
export function describeWaits(
  { epoch, selection }: PathPlan,
  plan: LifePlan,
  spans: SpanParts[],
): void {
  const { life, ids, context: parent } = plan;
  for (const [index, { place, offsetNs, durationNs, device }] of life.waits.entries()) {
    if (selection?.waits[plan.index]?.[index] === false) continue;
    const attributes: AttributeList = [own.life, life.id, own.waitPlace, place];
    setDevice(attributes, device);
    const endOffsetNs = offsetNs + durationNs;
    setTimes(attributes, offsetNs, endOffsetNs);
    spans.push({
      name: `wait ${place}`,
      context: { traceId: parent.traceId, spanId: ids(life.id, WAITS - index) },
      parent,
      epoch,
      offsetNs,
      endOffsetNs,
      attributes,
      device: device.netns === 0 ? plan.device : device,
    });
  }
}
