/**
 * Trace ids by content: one packet has the same id wherever it is seen, so that skbspan on two hosts puts it into one trace.
 *
 * The id is the first half of SHA-256 over what is the same on every host (src/event/packet-content.ts).
 *
 * The same content again is another packet: a retransmission without timestamps, a duplicate, a repeated datagram. The n-th
 * one that is seen going the same way in the same namespace gets an id of its own, which the n-th one has on the next host as
 * well as long as none was lost between. Linux gives a retransmitted segment a new ipId (IPv4) and timestamp, so that its
 * content differs anyway; skbspan shows it in the path of the segment that waits in the socket for its acknowledgement.
 */
import { contentOf, firstHeaders } from '../event/packet-content.ts';
import type { PacketPath } from '../event/packet-path.ts';

export type TraceIds = (path: PacketPath) => PacketPath;

/** After so long the same content is not counted as a repetition, but as what it was the first time. */
const FORGET_NS = 60_000_000_000n;
const REMEMBERED = 65_536;

/** Gives paths their trace id by content. What has no content to go by keeps the id it has. */
export function createContentTraceIds(): TraceIds {
  // Here, not above: to load it takes a tenth of a start, and few runs need it.
  const { hash } = process.getBuiltinModule('node:crypto');
  /** In the order of their last sight. */
  const seen = new Map<string, { readonly times: number; readonly atNs: bigint }>();

  return (path) => {
    const sight = firstHeaders(path);
    const content = sight === undefined ? undefined : contentOf(sight);
    if (sight === undefined || content === undefined) return path;
    const digest = hash('sha256', content, 'hex');
    const key = `${digest.slice(0, 32)} ${path.direction} ${sight.device.netns}`;
    const before = seen.get(key);
    const atNs = path.startTimeNs;
    const times = before !== undefined && atNs - before.atNs < FORGET_NS ? before.times + 1 : 0;
    seen.delete(key);
    seen.set(key, { times, atNs });
    if (seen.size > REMEMBERED) {
      const [oldest] = seen.keys();
      if (oldest !== undefined) seen.delete(oldest);
    }
    const traceId = (times === 0 ? digest : hash('sha256', `${digest} ${times}`, 'hex')).slice(
      0,
      32,
    );
    return { ...path, traceId };
  };
}
