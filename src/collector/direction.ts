/** Which way a packet goes, judged by the first that was seen of it. */

import type { Life, PacketPath } from '../event/packet-path.ts';

const PACKET_OUTGOING = 4;
/** Functions and tracepoints that a packet on its way out passes: `arp_xmit`, `net:net_dev_queue`, `ip_output`. */
const transmitting =
  /(^|_)(xmit|output|transmit|build_and_send|local_out)(_|$)|net_dev_queue|qdisc_enqueue/;
/** Those that one on its way in passes: `netif_receive_skb`, `napi_gro_receive`, `tcp_v4_rcv`, `ip_local_deliver`. */
const receiving = /(^|[_:])(netif_rx|napi_gro|receive|rcv|deliver)(_|$)/;

/**
 * Decided by what it passes first, a place of leaving or one of arriving. Where neither is seen, a packet was made on this
 * host if it belongs to a socket, has no device yet, or is marked as outgoing.
 */
export function directionOf(root: Life): PacketPath['direction'] {
  for (const { func } of root.calls) {
    if (transmitting.test(func)) return 'transmit';
    if (receiving.test(func)) return 'receive';
  }
  const sight = root.packets[0];
  if (sight === undefined) return 'unknown';
  const isOurs =
    sight.socket !== 0n || sight.device.ifindex === 0 || sight.packetType === PACKET_OUTGOING;
  return isOurs ? 'transmit' : 'receive';
}
