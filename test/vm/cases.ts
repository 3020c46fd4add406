import type { KernelName } from '../../scripts/vm/kernels.ts';
import type { Scenario } from './scenario.ts';
import { clone } from './scenarios/clone.ts';
import { copy } from './scenarios/copy.ts';
import { details } from './scenarios/details.ts';
import { drop } from './scenarios/drop.ts';
import { filter, verifier } from './scenarios/filter.ts';
import { flood } from './scenarios/flood.ts';
import { fragList } from './scenarios/frag-list.ts';
import { fragments, routed } from './scenarios/fragments.ts';
import { interrupted, killed, second } from './scenarios/leftovers.ts';
import { links } from './scenarios/links.ts';
import { netns } from './scenarios/netns.ts';
import { bridgedOracle, listOracle, oracle, tcpOracle } from './scenarios/oracle.ts';
import { ping } from './scenarios/ping.ts';
import { recording } from './scenarios/recording.ts';
import { tc, xdp } from './scenarios/programs.ts';
import { manyPrograms, programFlood } from './scenarios/program-flood.ts';
import { surroundings } from './scenarios/surroundings.ts';
import { lists, longLists } from './scenarios/lists.ts';
import { resend } from './scenarios/resend.ts';
import { merges, segments } from './scenarios/segments.ts';
import { smallCalls } from './scenarios/small-calls.ts';
import { jumbo, redirects } from './scenarios/xdp-frames.ts';
import { refusedRedirects } from './scenarios/xdp-refused.ts';
import { tcp } from './scenarios/tcp.ts';
import { tooSmall } from './scenarios/too-small.ts';
import { forwarded, tunnel } from './scenarios/tunnel.ts';

/** A scenario with a backend: one subtest per kernel that has it. */
export interface Case {
  /** `ping with kprobe-session`, unique per kernel. */
  readonly name: string;
  readonly scenario: Scenario;
  readonly backend: string;
  /** --filter-func; undefined: all functions. */
  readonly filter: string | undefined;
}

const all = [ping, netns, tcp, drop, clone, recording, interrupted, killed, oracle];

/** Each kprobe takes 1/60 s to attach on an emulated CPU, and Debian's 6.1 has no better backend: the ones that matter. */
const FEW_FUNCTIONS =
  '(__)?(ip|icmp|arp|tcp_v4)_(rcv|local_deliver|output|finish_output2|send_skb|local_out|process|xmit|do_rcv|echo)|' +
  '(__)?dev_queue_xmit(_nit)?|dev_hard_start_xmit|veth_xmit|netif_rx(_internal)?|enqueue_to_backlog|' +
  '__netif_receive_skb.*|ip_queue_xmit|__ip_queue_xmit|__tcp_transmit_skb|tcp_rcv_.*|nf_hook_slow|' +
  'skb_(clone|push|pull|put)|t?packet_rcv';

/** And those by which ends, queues, tunnels and sockets are known. */
const SURROUNDINGS =
  `${FEW_FUNCTIONS}|ip_forward|ip_error|icmp_rcv|__udp4?_(lib_)?rcv|udp_(queue_rcv_one_)?skb|udp_queue_rcv_one_skb|` +
  '__udp_enqueue_schedule_skb|__skb_datagram_iter|skb_consume_udp|netem_enqueue|dev_qdisc_enqueue|sch_direct_xmit|' +
  'vxlan_(xmit|rcv)|geneve_xmit|ipip_tunnel_xmit|ipgre_xmit|gre_rcv|gro_cells_receive|br_(handle_frame|forward|dev_queue_push_xmit)|' +
  'bond_start_xmit|macvlan_handle_frame|macvlan_start_xmit|nf_nat_(inet_fn|manip_pkt|packet)|nf_conntrack_in|iptunnel_xmit|dummy_xmit';

/** And the way of packets that come as a list. */
const LISTS = `${FEW_FUNCTIONS}|(__)?netif_receive_skb_list.*|ip_(sub)?list_rcv.*|nf_hook_slow_list`;

const withBackend = (
  backend: string,
  scenarios: readonly Scenario[],
  filter?: string,
): readonly Case[] =>
  scenarios.map((scenario) => ({
    name: `${scenario.name} with ${backend}`,
    scenario,
    backend,
    filter,
  }));

const newer: readonly Case[] = [
  ...withBackend('kprobe-session', [
    ...[...all, copy, fragments, routed, segments, merges],
    ...[filter, tunnel, forwarded, details, second, surroundings],
    ...[tc, xdp, programFlood, redirects, refusedRedirects, jumbo, manyPrograms],
    ...[tcpOracle, bridgedOracle, listOracle, lists, longLists, resend, fragList],
  ]),
  // All functions of 50,000 packets are more than an emulated CPU can hand out.
  ...withBackend('kprobe-session', [flood, tooSmall], FEW_FUNCTIONS),
  ...withBackend('kprobe-multi', [ping, interrupted, killed, oracle, details, smallCalls]),
  ...withBackend('tracepoint', [ping, drop, interrupted, verifier, filter]),
  ...withBackend('tracepoint', [tc, xdp, programFlood, redirects, refusedRedirects, jumbo, links]),
];

/** What runs on each kernel, in this order in one boot. */
const cases: Readonly<Record<KernelName, readonly Case[]>> = {
  '6.1': [
    ...withBackend(
      'kprobe',
      [
        ...[...all, copy, fragments, routed, segments, merges, flood, tcpOracle, bridgedOracle],
        ...[filter, tunnel, forwarded, details, second, tc, xdp, programFlood, jumbo, manyPrograms],
        ...[resend, smallCalls, tooSmall],
      ],
      FEW_FUNCTIONS,
    ),
    ...withBackend('kprobe', [surroundings, redirects, refusedRedirects], SURROUNDINGS),
    ...withBackend('kprobe', [lists, longLists], LISTS),
    ...withBackend('tracepoint', [ping, drop, interrupted, verifier]),
    ...withBackend('tracepoint', [
      tc,
      xdp,
      programFlood,
      redirects,
      refusedRedirects,
      jumbo,
      links,
    ]),
  ],
  '6.12': newer,
  '7.2': newer,
};

export const everyCase = (kernel: KernelName): readonly Case[] => cases[kernel];

/** The cases of a kernel whose name has one of `words` in it; all if there are none. */
export const casesOf = (kernel: KernelName, words: readonly string[]): readonly Case[] =>
  cases[kernel].filter(
    ({ name }) => words.length === 0 || words.some((word) => name.includes(word)),
  );

/** Name of a case's folder in /results. */
export const folderOf = ({ name }: Case): string => name.replaceAll(' ', '-');
