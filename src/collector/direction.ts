/** Which way a packet goes, judged by the first that was seen of it. */

import type { Life, PacketPath } from '../event/packet-path.ts';

const PACKET_OUTGOING = 4;
/** Functions and tracepoints that only a packet on its way out passes first: `arp_xmit`, `net:net_dev_queue`, `ip_output`. */
const transmitting = /(^|_)(xmit|output|transmit|build_and_send)(_|$)|net_dev_queue|qdisc_enqueue/;

/**
 * Made on this host if it belongs to a socket, has no device yet, is marked as outgoing, or is first seen where packets
 * leave (what the kernel sends by itself, ARP for one, has a device and no socket).
 */
export function directionOf(root: Life): PacketPath['direction'] {
  const sight = root.packets[0];
  const call = root.calls[0];
  if (call !== undefined && transmitting.test(call.func)) return 'transmit';
  if (sight === undefined) return 'unknown';
  const isOurs =
    sight.socket !== 0n || sight.device.ifindex === 0 || sight.packetType === PACKET_OUTGOING;
  return isOurs ? 'transmit' : 'receive';
}
