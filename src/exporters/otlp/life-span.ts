import { SpanStatusCode, type Attributes, type Link, type SpanStatus } from '@opentelemetry/api';
import type { Life, PacketPath } from '../../event/packet-path.ts';
import { own } from './attribute-names.ts';
import { dropInWords, setFlow, setLife, setPath, setTimes } from './attributes.ts';
import type { LifePlan } from './life-plan.ts';
import { contextOf, type SpanParts } from './span-parts.ts';

/** The span that stands for a life: the packet itself, or a clone, copy or segment of it. */
export function describeLife(
  path: PacketPath,
  plan: LifePlan,
  plans: readonly LifePlan[],
  timeScale: number,
): SpanParts {
  const { life, index, flow, offsetNs, endOffsetNs, startsTrace } = plan;
  const attributes: Attributes = {};
  if (flow !== undefined) setFlow(attributes, flow);
  if (startsTrace) {
    setPath(attributes, path);
    if (timeScale !== 1) attributes[own.timeScale] = timeScale;
  }
  setLife(attributes, life);
  if (path.losses.some((loss) => loss.cause !== 'memory' && loss.life === index))
    attributes[own.incomplete] = true;
  setTimes(attributes, offsetNs, endOffsetNs);

  return {
    name: index === 0 ? rootName(path) : (life.parent?.operation ?? 'life'),
    context: plan.context,
    parent: startsTrace ? undefined : plans[0]?.context,
    offsetNs,
    endOffsetNs,
    attributes,
    device: plan.device,
    status: statusOf(plan, plans),
    links: linksOf(life, plans),
    events: headerChanges(life),
  };
}

/** Of low cardinality, as the specification wants names: the transport, never an address. */
function rootName(path: PacketPath): string {
  return path.flow === undefined ? 'packet' : `packet ${path.flow.transport}`;
}

/** ERROR if this life was dropped. The root also tells of the clones in its trace: what TCP sends, and loses, is a clone. */
function statusOf({ life, index }: LifePlan, plans: readonly LifePlan[]): SpanStatus {
  if (life.end?.how === 'dropped')
    return { code: SpanStatusCode.ERROR, message: dropInWords(life.end) };
  if (index === 0)
    for (const { life: other, startsTrace } of plans)
      if (!startsTrace && other.end?.how === 'dropped')
        return {
          code: SpanStatusCode.ERROR,
          message: `${other.parent?.operation ?? 'life'} ${dropInWords(other.end)}`,
        };
  return { code: SpanStatusCode.UNSET };
}

/**
 * To the span of the call that made this life; to the life that it was made from, if that call was not seen. And to the life
 * that it went into.
 */
function linksOf({ parent, mergedInto }: Life, plans: readonly LifePlan[]): Link[] {
  const links = linkTo(parent, plans);
  // The call that merged is one of this life's own.
  if (mergedInto !== undefined) links.push(...linkTo({ ...mergedInto, call: -1 }, plans));
  return links;
}

function linkTo(parent: Life['parent'], plans: readonly LifePlan[]): Link[] {
  if (parent === undefined) return [];
  const plan = plans[parent.life];
  if (plan === undefined) return [];
  const call = plan.life.calls[parent.call];
  const context =
    call === undefined
      ? plan.context
      : contextOf(plan.context.traceId, plan.ids(plan.life.id, call.seq));
  return [{ context, attributes: { [own.operation]: parent.operation } }];
}

/** Headers that were rewritten on the way (NAT, encapsulation). */
function headerChanges(life: Life): NonNullable<SpanParts['events']> {
  return life.packets.slice(1).flatMap(({ flow, offsetNs }) => {
    if (flow === undefined) return [];
    const attributes: Attributes = {};
    setFlow(attributes, flow);
    return [{ name: 'headers changed', offsetNs, attributes }];
  });
}
