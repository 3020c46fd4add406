import type { Attributes } from '@opentelemetry/api';
import type { Flow, PacketPath } from '../../event/packet-path.ts';
import { own } from './attribute-names.ts';
import { setCall, setFlow, setTimes } from './attributes.ts';
import type { LifePlan } from './life-plan.ts';
import type { Epoch, SpanContext, SpanParts } from './span-parts.ts';

/** One span per call of a life, named by the function, nested as called. */
export function describeCalls(path: PacketPath, plan: LifePlan, epoch: Epoch): SpanParts[] {
  const { life, index, ids } = plan;
  const contexts: SpanContext[] = [];
  let device = plan.device;
  return life.calls.map((call, callIndex) => {
    // An skb without a device or socket tells no namespace; it is where it was.
    if (call.device.netns !== 0) device = call.device;
    const context = { traceId: plan.context.traceId, spanId: ids(life.id, call.seq) };
    contexts.push(context);
    const endOffsetNs = plan.callEnds[callIndex] ?? call.offsetNs;

    const attributes: Attributes = { [own.life]: life.id };
    setCall(attributes, call);
    const flow = life.packets[call.packet]?.flow;
    if (flow !== undefined && !sameAddresses(flow, plan.flow)) setFlow(attributes, flow);
    let parent = plan.context;
    if (call.parent?.life === index) {
      parent = contexts[call.parent.call] ?? plan.context;
    } else if (call.parent !== undefined) {
      const caller = path.lives[call.parent.life]?.calls[call.parent.call]?.func;
      if (caller !== undefined) attributes[own.caller] = caller;
    }
    setTimes(attributes, call.offsetNs, endOffsetNs);
    return {
      name: call.func,
      context,
      parent,
      epoch,
      offsetNs: call.offsetNs,
      endOffsetNs,
      attributes,
      device,
    };
  });
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
