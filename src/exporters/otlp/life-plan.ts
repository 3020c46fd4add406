import type { Device, Flow, Life, PacketPath } from '../../event/packet-path.ts';
import { createSpanIds, LIFE_ITSELF, ownTraceId, type SpanIds } from './span-ids.ts';
import type { Epoch, SpanContext } from './span-parts.ts';

/** What the spans of a life and of its calls have in common. */
export interface LifePlan {
  readonly life: Life;
  /** In PacketPath.lives. */
  readonly index: number;
  /** Of the span that stands for the life. */
  readonly context: SpanContext;
  readonly ids: SpanIds;
  readonly startsTrace: boolean;
  /** Where it was first. */
  readonly device: Device | undefined;
  readonly flow: Flow | undefined;
  readonly offsetNs: number;
  readonly endOffsetNs: number;
  /** Where each of its calls ends. */
  readonly callEnds: readonly number[];
}

/** One plan per life, in the order of the path. */
export function planLives(
  path: PacketPath,
  clones: 'same_trace' | 'own_trace',
  epoch: Epoch,
): LifePlan[] {
  const plans: LifePlan[] = [];
  const ids = createSpanIds(path.traceId, epoch);
  for (const [index, life] of path.lives.entries()) {
    const parent = life.parent === undefined ? undefined : plans[life.parent.life];
    const startsTrace = index === 0 || clones === 'own_trace';
    const traceId =
      index === 0 || !startsTrace ? path.traceId : ownTraceId(parent?.ids ?? ids, life.id);
    const lifeIds = traceId === path.traceId ? ids : createSpanIds(traceId, epoch);
    const callEnds = endsOfCalls(life, index, path.durationNs);
    const offsetNs = index === 0 ? 0 : life.offsetNs;
    // The root of a whole path lasts as long as the path; calls may outlast the life that they freed.
    const endOffsetNs =
      index === 0 && clones === 'same_trace'
        ? path.durationNs
        : callEnds.reduce(
            (last, end) => Math.max(last, end),
            Math.max(offsetNs, life.end?.offsetNs ?? path.durationNs),
          );
    plans.push({
      life,
      index,
      context: { traceId, spanId: lifeIds(life.id, LIFE_ITSELF) },
      ids: lifeIds,
      startsTrace,
      device: firstDevice(life) ?? parent?.device ?? firstDeviceOfAny(path),
      flow: index === 0 ? path.flow : (life.packets[0]?.flow ?? path.flow),
      offsetNs,
      endOffsetNs,
      callEnds,
    });
  }
  return plans;
}

/** A call whose exit was not seen ends with the call around it, else with its life, else with the path. */
function endsOfCalls(life: Life, index: number, pathEndNs: number): readonly number[] {
  const ends: number[] = [];
  for (const call of life.calls) {
    const around = call.parent?.life === index ? ends[call.parent.call] : undefined;
    const end =
      call.durationNs === undefined
        ? (around ?? life.end?.offsetNs ?? pathEndNs)
        : call.offsetNs + call.durationNs;
    ends.push(Math.max(call.offsetNs, end));
  }
  return ends;
}

function firstDevice(life: Life): Device | undefined {
  return (
    life.calls.find((call) => call.device.netns !== 0)?.device ??
    life.packets.find((sight) => sight.device.netns !== 0)?.device
  );
}

function firstDeviceOfAny(path: PacketPath): Device | undefined {
  for (const life of path.lives) {
    const device = firstDevice(life);
    if (device !== undefined) return device;
  }
  return undefined;
}
