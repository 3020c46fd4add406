import { hash } from 'node:crypto';
import { contentOf, firstHeaders } from '../../event/packet-content.ts';
import type { PacketPath } from '../../event/packet-path.ts';

/**
 * One packet has the same id on every host that it passes, so that its paths can be joined: the first 16 hex digits of SHA-256 of
 * what routers, NAT and offloads leave alone of the first headers seen (packet-content.ts). undefined: it is no IP packet, or too
 * little of it was captured. Two packets may be alike (keep-alives without an IP id): a join must also look at the time.
 */
export function contentId(path: PacketPath): string | undefined {
  const sight = firstHeaders(path);
  const content = sight && contentOf(sight);
  return content && hash('sha256', content, 'hex').slice(0, 16);
}
