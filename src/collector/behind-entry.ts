/**
 * Where a single kprobe is set. At the first instruction of a function, where ftrace has its place, the kernel walks all of ftrace's
 * places several times over for each one (8 of the 10.6 million instructions that a kprobe takes on 6.1); five bytes on it is
 * a breakpoint, which is set at once, and which the kernel makes a jump of soon after: then a hit costs the same as by ftrace.
 *
 * What is seen is the same if nothing has happened yet: arguments and stack pointer are untouched, and each call comes by once. So
 * the next instruction must be one that begins a function and nothing else: it saves a register, or makes room on the stack. A loop
 * does not begin with that, and so none jumps there. /proc/kcore tells. Where it does not, the entry it is.
 *
 * A livepatch replaces a function at ftrace's place: what stands behind it in the old one is not called any more. So where there is one,
 * it is the entry too.
 *
 * Not all places can be made a jump (can_optimize() in arch/x86/kernel/kprobes/opt.c: a function with a jump table, or an instruction
 * that does not let itself be moved): there the breakpoint stays, which is dear. So functions that the packets of every day come by
 * keep ftrace, whatever that takes.
 */
import { openKernelCode } from '../kernel/kcore.ts';
import { isLivepatched } from '../kernel/livepatch.ts';
import type { PlannedProbe } from './probe-plan.ts';

/** ftrace's place: a call, or the five bytes that do nothing. */
const placeBytes = 5;
const isPlace = (code: Uint8Array): boolean =>
  code[0] === 0xe8 ||
  (code[0] === 0x0f && code[1] === 0x1f && code[2] === 0x44 && code[3] === 0 && code[4] === 0);

/** push of any register; sub rsp by 8 or 32 bits. */
function beginsFunction(code: Uint8Array): boolean {
  const [first = 0, second = 0, third = 0] = code;
  const isPush = (byte: number): boolean => byte >= 0x50 && byte <= 0x57;
  const isRoom = first === 0x48 && (second === 0x81 || second === 0x83) && third === 0xec;
  return isPush(first) || (first === 0x41 && isPush(second)) || isRoom;
}

/** Whether a breakpoint behind ftrace's place sees what one at the entry sees; `code`: the first 8 bytes of a function of x86-64. */
export const seesSameBehind = (code: Uint8Array): boolean =>
  isPlace(code) && beginsFunction(code.subarray(placeBytes));

const everyday = new RegExp(
  `^_*(?:${[
    // Devices and queueing
    'dev_(?:queue_xmit|hard_start_xmit|forward_skb2?|gro_receive|direct_xmit)|netif_(?:rx|receive_skb|skb_features)\\w*|napi_(?:consume_skb|gro_receive)|netdev_\\w*pick_tx',
    'enqueue_to_backlog|validate_xmit_\\w+|passthru_features_check|sch_direct_xmit|(?:pfifo_fast|fq_codel)_enqueue|loopback_xmit|tcf_classify|eth_(?:header|type_trans)',
    '(?:inet|ipv6|tcp|tcp4|tcp6|eth)_gro_\\w+|br_(?:handle_frame|forward|dev|pass_frame_up|nf)\\w*|nf_hook_slow\\w*|arp_(?:rcv|process|xmit)|neigh_\\w+_output',
    // A packet's life, its bytes and its socket
    'k?free_skb\\w*|consume_\\w*skb|skb_(?:release|free|clone|push|pull|put|trim|set_owner_w|checksum|datagram_iter|network_protocol|scrub_packet)(?:_(?!gso)\\w+)?',
    'pskb_(?:expand_head|pull_tail|trim)|copy_skb_header|skb_copy_datagram_iter|skb_(?:try_coalesce|condense|defer_rx_timestamp|attempt_defer_free|consume_udp)',
    'sock_(?:[erw]free|edemux|queue_rcv_skb_reason|recv_timestamp|recv_cmsgs)|sk_(?:filter_trim_cap|backlog_rcv)|security_(?:skb_classify_flow|sock_rcv_skb)|apparmor_socket_sock_rcv_skb',
    // IP and above it
    'ip6?_(?:rcv|list_rcv|sublist_rcv|local|output|finish|protocol_deliver|input|forward|queue_xmit|send_skb|xmit|route_input_noref)(?!_options)\\w*|ipv6_(?:rcv|list_rcv)',
    'fib_validate_source|tcp_(?:v[46]_(?:rcv|do_rcv|early_demux|fill_cb)|ack|rcv_\\w+|data_queue|queue_rcv|event_\\w+|rate_\\w+|transmit_skb|validate_incoming|filter|add_backlog|wfree)',
    'tcp_(?:established_options|update_\\w+|skb_entail)|inet6_csk_xmit|udp[46]_lib_rcv|udp_(?:rcv|unicast_rcv_skb|queue_rcv_\\w+|enqueue_schedule_skb|send_skb)|icmp(?:v6)?_(?:rcv|echo|reply)',
    'udpv6_(?:rcv|queue_rcv_\\w+)|udp_v6_send_skb',
  ].join('|')})$`,
);

/**
 * The probes that are better set behind ftrace's place, and where; others stay at their entries, among them those whose address is not known,
 * and all on other machines than x86-64.
 */
export function placesBehindEntry(
  probes: readonly PlannedProbe[],
  architecture: string = process.arch,
): ReadonlyMap<PlannedProbe, bigint> {
  const places = new Map<PlannedProbe, bigint>();
  if (architecture !== 'x64' || isLivepatched()) return places;
  const code = openKernelCode();
  if (code === undefined) return places;
  try {
    for (const probe of probes) {
      if (probe.address === undefined || everyday.test(probe.func)) continue;
      const bytes = code.at(probe.address, 8);
      if (bytes !== undefined && seesSameBehind(bytes))
        places.set(probe, probe.address + BigInt(placeBytes));
    }
  } finally {
    code.close();
  }
  return places;
}
