import type { Life, PacketPath } from '../../event/packet-path.ts';
import { own } from './attribute-names.ts';
import { dropInWords, setFlow, setLife, setPath, setTimes } from './attributes.ts';
import type { LifePlan } from './life-plan.ts';
import { parseSpanId } from './span-ids.ts';
import type { AttributeList, SpanContext, SpanLink, SpanParts } from './span-parts.ts';
import type { PathPlan } from './spans.ts';

/** The span that stands for a life: the packet itself, or a clone, copy or segment of it. */
export function describeLife(of: PathPlan, plan: LifePlan): SpanParts {
  const { path, lives: plans, epoch } = of;
  const { timeScale, detail = 'calls' } = of.options;
  const { life, index, flow, offsetNs, endOffsetNs, startsTrace } = plan;
  const isChild = index === 0 && of.options.join === 'child';
  const attributes: AttributeList = [];
  if (flow !== undefined) setFlow(attributes, flow);
  if (startsTrace) {
    setPath(attributes, path);
    if (timeScale !== 1) attributes.push(own.timeScale, timeScale);
    if (detail !== 'calls') attributes.push(own.spanDetail, detail);
  }
  setLife(attributes, life);
  if (path.losses.some((loss) => startsTrace || (loss.cause !== 'memory' && loss.life === index)))
    attributes.push(own.incomplete, true);
  setTimes(attributes, offsetNs, endOffsetNs);

  return {
    name: index === 0 ? rootName(path) : (life.parent?.operation ?? 'life'),
    context: plan.context,
    parent: startsTrace ? (isChild ? applicationSpan(of) : undefined) : plans[0]?.context,
    epoch,
    offsetNs,
    endOffsetNs,
    attributes,
    device: plan.device,
    error: errorOf(plan, plans),
    links: index === 0 ? applicationLinks(of) : linksOf(of, life),
    events: headerChanges(life),
  };
}

/** Of low cardinality, as the specification wants names: the transport, never an address. */
function rootName(path: PacketPath): string {
  return path.flow === undefined ? 'packet' : `packet ${path.flow.transport}`;
}

/** An error if this life was dropped. The root also tells of the clones in its trace: what TCP sends, and loses, is a clone. */
function errorOf({ life, index }: LifePlan, plans: readonly LifePlan[]): string | undefined {
  if (life.end?.how === 'dropped') return dropInWords(life.end);
  if (index === 0)
    for (const { life: other, startsTrace } of plans)
      if (!startsTrace && other.end?.how === 'dropped')
        return `${other.parent?.operation ?? 'life'} ${dropInWords(other.end)}`;
  return undefined;
}

function applicationSpan({ application }: PathPlan): SpanContext | undefined {
  if (application === undefined) return undefined;
  return { traceId: application.traceId, spanId: parseSpanId(application.spanId) };
}

/** To the application's span; a child has it as its parent. */
function applicationLinks(plan: PathPlan): SpanLink[] {
  const context = applicationSpan(plan);
  if (context === undefined || plan.options.join === 'child') return [];
  return [{ context, attributes: [own.linkSource, plan.application?.source ?? ''] }];
}

/**
 * To the span of the call that made this life; to the life that it was made from, if that call has none. And to the life that
 * it went into.
 */
function linksOf(plan: PathPlan, { parent, mergedInto }: Life): SpanLink[] {
  const links = linkTo(plan, parent);
  // The call that merged is one of this life's own.
  if (mergedInto !== undefined) links.push(...linkTo(plan, { ...mergedInto, call: -1 }));
  return links;
}

function linkTo({ lives, selection }: PathPlan, parent: Life['parent']): SpanLink[] {
  if (parent === undefined) return [];
  let plan = lives[parent.life];
  let call = plan?.life.calls[parent.call];
  if (selection?.calls[parent.life]?.[parent.call] === false) call = undefined;
  // The nearest one that has a span; the first life always has, a packet that went into another one may not.
  while (plan?.life.parent !== undefined && selection?.lives[plan.index] === false) {
    plan = lives[plan.life.parent.life];
    call = undefined;
  }
  if (plan === undefined || selection?.lives[plan.index] === false) return [];
  const context =
    call === undefined
      ? plan.context
      : { ...plan.context, spanId: plan.ids(plan.life.id, call.seq) };
  return [{ context, attributes: [own.operation, parent.operation] }];
}

/** Headers that were rewritten on the way (NAT), put around the packet or taken off. */
function headerChanges(life: Life): NonNullable<SpanParts['events']> {
  return life.changes.map(({ kind, after, tunnel, offsetNs }) => {
    const attributes: AttributeList = [own.change, kind];
    setFlow(attributes, after);
    if (tunnel !== undefined) {
      attributes.push(own.tunnelKind, tunnel.kind);
      if (tunnel.id !== undefined) attributes.push(own.tunnelId, tunnel.id);
    }
    return { name: 'headers changed', offsetNs, attributes };
  });
}
