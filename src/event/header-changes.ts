/**
 * Where a packet's addresses became others, from the sights of its headers.
 *
 * A packet that was put into a tunnel's packet, or taken out of one, is recognized by content: the one contains the other.
 * Where not enough was captured to see that, or the tunnel is not known here (IPsec), the length tells: translation of
 * addresses leaves it as it is, and every tunnel adds at least an IP header.
 */
import type { Flow, HeaderChange, Life, PacketSight } from './packet-path.ts';
import { unwrap } from './tunnels.ts';

const LEAST_HEADER_BYTES = 20;

type BareLife = Pick<Life, 'calls' | 'packets' | 'parent'>;

/** A packet made here is seen before its addresses and ports are filled in: that is no other name. */
const isNamed = (flow: Flow | undefined): flow is Flow =>
  flow !== undefined &&
  (flow.network === 'ipv4' || flow.network === 'ipv6') &&
  (flow.sourcePort !== 0 || flow.destinationPort !== 0);

const isSameFlow = (a: Flow, b: Flow): boolean =>
  a.sourceAddress === b.sourceAddress &&
  a.destinationAddress === b.destinationAddress &&
  a.transport === b.transport &&
  a.sourcePort === b.sourcePort &&
  a.destinationPort === b.destinationPort;

/** Ports may be missing in what a tunnel's packet shows of the inner one. */
const isSameHosts = (a: Flow, b: Flow): boolean =>
  a.sourceAddress === b.sourceAddress &&
  a.destinationAddress === b.destinationAddress &&
  a.transport === b.transport;

/** Length from the network header on. */
const lengthOf = (sight: PacketSight): number => sight.len - (sight.networkOffset ?? 0);

function compare(
  before: PacketSight,
  after: PacketSight,
): Pick<HeaderChange, 'kind' | 'tunnel'> | undefined {
  const old = before.flow;
  const now = after.flow;
  if (!isNamed(old) || !isNamed(now) || isSameFlow(old, now)) return undefined;
  const around = unwrap(after);
  if (around !== undefined && isSameHosts(around.inner, old))
    return { kind: 'encapsulated', tunnel: around.tunnel };
  const inside = unwrap(before);
  if (inside !== undefined && isSameHosts(inside.inner, now))
    return { kind: 'decapsulated', tunnel: inside.tunnel };
  const more = lengthOf(after) - lengthOf(before);
  if (more >= LEAST_HEADER_BYTES) return { kind: 'encapsulated', tunnel: undefined };
  if (more <= -LEAST_HEADER_BYTES) return { kind: 'decapsulated', tunnel: undefined };
  return old.transport === now.transport ? { kind: 'nat', tunnel: undefined } : undefined;
}

/** The changes of one of the lives of a path, by its own sights and by what its maker was called when it made it. */
export function findChanges(life: BareLife, lives: readonly BareLife[]): HeaderChange[] {
  const { packets, calls, parent } = life;
  if (packets.length === 0 || (packets.length === 1 && parent === undefined)) return none;
  let known = parent === undefined ? undefined : sightOfMaker(lives[parent.life], parent.call);
  const changes: HeaderChange[] = [];
  for (const [index, sight] of packets.entries()) {
    const change = known === undefined ? undefined : compare(known, sight);
    if (change !== undefined && known?.flow !== undefined && sight.flow !== undefined) {
      changes.push({
        ...change,
        offsetNs: sight.offsetNs,
        call: lastBefore(calls, index),
        before: known.flow,
        after: sight.flow,
      });
    }
    if (isNamed(sight.flow)) known = sight;
  }
  return changes;
}

const none: HeaderChange[] = [];

/** The last call of a life that had the headers before those of `packet`. */
function lastBefore(calls: BareLife['calls'], packet: number): number {
  const first = calls.findIndex((call) => call.packet >= packet);
  return first < 0 ? calls.length - 1 : first - 1;
}

function sightOfMaker(maker: BareLife | undefined, call: number): PacketSight | undefined {
  const at = maker?.calls[call]?.packet ?? -1;
  const sight = maker?.packets[at];
  return isNamed(sight?.flow) ? sight : undefined;
}
