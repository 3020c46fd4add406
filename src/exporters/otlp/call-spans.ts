import type { Flow } from '../../event/packet-path.ts';
import { own } from './attribute-names.ts';
import { setCall, setFlow, setTimes } from './attributes.ts';
import type { LifePlan } from './life-plan.ts';
import type { AttributeList, SpanContext, SpanParts } from './span-parts.ts';
import type { PathPlan } from './spans.ts';

/** Adds one span per call of a life, named by the function, nested as called. What was not selected is jumped over. */
export function describeCalls(
  { path, epoch, selection }: PathPlan,
  plan: LifePlan,
  spans: SpanParts[],
): void {
  const { life, index, ids } = plan;
  const { traceId } = plan.context;
  const selected = selection?.calls[index];
  const contexts: SpanContext[] = [];
  let device = plan.device;
  for (const [callIndex, call] of life.calls.entries()) {
    // An skb without a device or socket tells no namespace; it is where it was.
    if (call.device.netns !== 0) device = call.device;
    let parent = plan.context;
    if (call.parent?.life === index) parent = contexts[call.parent.call] ?? plan.context;
    if (selected?.[callIndex] === false) {
      contexts.push(parent);
      continue;
    }
    const context = { traceId, spanId: ids(life.id, call.seq) };
    contexts.push(context);
    const endOffsetNs = plan.callEnds[callIndex] ?? call.offsetNs;

    const attributes: AttributeList = [own.life, life.id];
    setCall(attributes, call);
    const flow = life.packets[call.packet]?.flow;
    if (flow !== undefined && !sameAddresses(flow, plan.flow)) setFlow(attributes, flow);
    if (call.parent !== undefined && call.parent.life !== index) {
      const caller = path.lives[call.parent.life]?.calls[call.parent.call]?.func;
      if (caller !== undefined) attributes.push(own.caller, caller);
    }
    setTimes(attributes, call.offsetNs, endOffsetNs);
    const { func: name, offsetNs } = call;
    spans.push({ name, context, parent, epoch, offsetNs, endOffsetNs, attributes, device });
  }
}

function sameAddresses(flow: Flow, other: Flow | undefined): boolean {
  return (
    flow === other ||
    (other !== undefined &&
      flow.sourceAddress === other.sourceAddress &&
      flow.destinationAddress === other.destinationAddress &&
      flow.sourcePort === other.sourcePort &&
      flow.destinationPort === other.destinationPort &&
      flow.transport === other.transport)
  );
}
