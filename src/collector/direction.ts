/** Which way a packet goes, judged by the first that was seen of it. */

import type { PacketPath } from '../event/packet-path.ts';
import type { BareLife } from '../event/story.ts';

const PACKET_OUTGOING = 4;
/** Functions and tracepoints that only a packet on its way out passes first: `arp_xmit`, `net:net_dev_queue`, `ip_output`. */
const transmitting = /(^|_)(xmit|output|transmit|build_and_send)(_|$)|net_dev_queue|qdisc_enqueue/;
/** And those of a packet on its way in, `ip_rcv` or `skb:skb_copy_datagram_iovec`: it may have its receiver's socket already. */
const receiving = /(^|_)(rcv|recv|recvmsg|receive)(_|$)|netif_rx|napi_gro|copy_datagram/;

/**
 * By where it is first seen, if that can only be one way: what the kernel sends by itself, ARP for one, has a device and no
 * socket. Else a packet is made on this host if it belongs to a socket, has no device yet, or is marked as outgoing.
 */
export function directionOf(root: BareLife): PacketPath['direction'] {
  const sight = root.packets[0];
  const call = root.calls[0];
  if (call !== undefined && transmitting.test(call.func)) return 'transmit';
  if (call !== undefined && receiving.test(call.func)) return 'receive';
  if (sight === undefined) return 'unknown';
  const isOurs =
    sight.socket !== 0n || sight.device.ifindex === 0 || sight.packetType === PACKET_OUTGOING;
  return isOurs ? 'transmit' : 'receive';
}
