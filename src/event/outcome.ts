/**
 * What became of a packet.
 *
 * Of one life, the last milestone on its way tells: functions (or tracepoints) that hand it to a socket, that give it to a
 * device, or that take it into the stack from a device. Given to a device and not seen to come in again: it was transmitted.
 * A milestone that another one follows was a station: a VXLAN packet is handed to the tunnel's UDP socket, and its content
 * then comes in by the tunnel's device. What was dropped was dropped, wherever it had come to. What ended otherwise without
 * socket or device was consumed by the kernel itself, as ICMP and ARP requests are.
 *
 * Of the lives, the one that got furthest tells: a socket before a device, a device before a drop, a drop before consumption.
 * TCP keeps the packet that it made, and what travels is a clone; a ping's answer is cloned for the socket that reads it, and
 * the original ends as a drop, NO_SOCKET, because ICMP has no use for it; a lost segment is sent again, from the same packet.
 * In each case the furthest is what the sender wanted. Single lives still have their own ends.
 *
 * Except taps: a copy that tcpdump gets says nothing about the packet. A life is one if it was made by what serves packet
 * sockets, or if its socket is of that family.
 *
 * XDP runs where a packet comes in. What a frame was made from, and what it became, is the same packet: the last of them tells. A
 * frame that XDP sends on (XDP_TX, XDP_REDIRECT) was transmitted if nothing more is seen of it.
 *
 * By backend. Functions see all of this. Without exits (enter-only) milestones are the same. The backend `tracepoint` has the
 * device milestones, but of the sockets only TCP's (tcp:tcp_probe), the reading (skb:skb_copy_datagram_iovec) and who freed it
 * in the end: what UDP queued and nobody read while it was watched is `consumed`, or `unknown` while alive. Where the kernel has no
 * trampolines, it has no links either: the clone that a tap gets is a path of its own.
 */
import type { Call, Life, Outcome, PacketPath } from './packet-path.ts';

type Milestone = 'socket' | 'read' | 'device' | 'stack';

const milestones: readonly (readonly [Milestone, RegExp])[] = [
  [
    'read',
    /^(?:__)?skb_(?:copy_datagram|copy_and_csum_datagram|datagram_iter)|^skb:skb_copy_datagram_iovec$|^skb_consume_udp$|^tcp_eat_recv_skb$|^(?:udp|raw)(?:v6)?_recvmsg$|^ping_recvmsg$/,
  ],
  [
    'socket',
    /^(?:tcp_v[46]_do_rcv|tcp_rcv_(?:established|state_process)|tcp_child_process|tcp_add_backlog|tcp_queue_rcv|tcp_data_queue|__udp_enqueue_schedule_skb|udp(?:v6)?_queue_rcv_one_skb|(?:__)?sock_queue_rcv_skb(?:_reason)?|raw(?:v6)?_rcv(?:_skb)?|(?:__)?ping_queue_rcv_skb|sctp_(?:inq_push|add_backlog)|tcp:tcp_probe)$/,
  ],
  ['device', /^(?:dev_hard_start_xmit|__dev_direct_xmit|net:net_dev_(?:start_)?xmit)$/],
  [
    'stack',
    /^(?:(?:__)?netif_rx(?:_internal)?|net:netif_rx(?:_entry)?|enqueue_to_backlog|(?:__)?netif_receive_skb.*|net:netif_receive_skb.*|napi_gro_(?:receive|frags)|net:napi_gro_.*|gro_cells_receive|veth_xdp_rcv_skb|ip(?:v6)?_rcv|__dev_queue_xmit|net:net_dev_queue)$/,
  ],
];

const tapMaker = /^(?:t?packet_rcv(?:_spkt|_fanout)?|dev_queue_xmit_nit)$/;

const known = new Map<string, Milestone | undefined>();
const KNOWN_MAX = 16_384;

function milestoneOf(func: string): Milestone | undefined {
  if (known.has(func)) return known.get(func);
  const milestone = milestones.find(([, functions]) => functions.test(func))?.[0];
  if (known.size >= KNOWN_MAX) known.clear();
  known.set(func, milestone);
  return milestone;
}

/** An XDP program runs where a packet comes in. */
const milestoneAt = ({ kind, func }: Call): Milestone | undefined =>
  kind === 'xdp' ? 'stack' : milestoneOf(func);

/** veth copies what comes in before XDP sees it: it was not transmitted, the copy is on its way. */
const copiers = /^(?:skb_pp_cow_data|skb_cow_data_for_xdp|veth_\w+)$/;

/** Kernels before 6.3 do not say who freed it. */
const isCopiedForXdp = (index: number, lives: readonly BareLife[]): boolean =>
  lives.some(
    ({ parent, calls }) =>
      parent?.life === index && parent.operation === 'copy' && calls[0]?.kind === 'xdp',
  );

/** What became of an skb or frame from which XDP's frame or the next skb was made is told by that one. */
const isStation = (index: number, lives: readonly BareLife[]): boolean =>
  isCopiedForXdp(index, lives) ||
  lives.some(({ parent }) => parent?.life === index && parent.operation === 'xdp');

/** The program that sent the frame on, after which nothing was seen of it. */
function senderOf(life: BareLife, index: number, lives: readonly BareLife[]): Call | undefined {
  const last = life.calls.findLast((call) => milestoneAt(call) !== undefined);
  if (last?.verdict !== 'XDP_TX' && last?.verdict !== 'XDP_REDIRECT') return undefined;
  const goesOn = lives.some(({ parent }) => parent?.operation === 'xdp' && parent.life === index);
  return goesOn ? undefined : last;
}

type BareLife = Pick<Life, 'calls' | 'end' | 'parent' | 'sockets' | 'offsetNs'>;

const nothing = { call: -1, device: undefined, socket: -1, task: undefined, by: '' } as const;

function outcomeOf(life: BareLife, index: number, lives: readonly BareLife[]): Outcome {
  const { calls, end } = life;
  const last = calls.findLastIndex((call) => milestoneAt(call) !== undefined);
  const call = calls[last];
  const milestone = call === undefined ? undefined : milestoneAt(call);
  const offsetNs = end?.offsetNs ?? call?.offsetNs ?? life.offsetNs;
  const bare = { ...nothing, life: index, offsetNs };
  if (end?.how === 'dropped') {
    const by = end.location?.func ?? calls[callAround(calls, end.offsetNs)]?.func ?? '';
    return { ...bare, kind: 'dropped', call: calls.length - 1, device: placeAt(calls), by };
  }
  if (call !== undefined && (milestone === 'socket' || milestone === 'read')) {
    const reader = calls.findLast(({ func }) => milestoneOf(func) === 'read');
    return {
      ...bare,
      kind: 'delivered',
      call: last,
      offsetNs: call.offsetNs,
      device: placeAt(calls.slice(0, last + 1)),
      socket: receiverOf(life),
      task: reader?.task,
      by: call.func,
    };
  }
  const sender = senderOf(life, index, lives);
  if (sender !== undefined) {
    const { device, func: by, offsetNs } = sender;
    return { ...bare, kind: 'transmitted', call: last, offsetNs, device, by };
  }
  const isCopied = copiers.test(end?.location?.func ?? '') || isCopiedForXdp(index, lives);
  if (call !== undefined && milestone === 'device' && !isCopied) {
    const { device, func } = call;
    const { offsetNs } = call;
    return { ...bare, kind: 'transmitted', call: last, offsetNs, device, by: func };
  }
  if (end === undefined || end.how === 'reused') return { ...bare, kind: 'unknown', call: last };
  const at = callAround(calls, end.offsetNs);
  const by = end.location?.func ?? calls[at]?.func ?? '';
  const consumed = { ...bare, call: at, device: placeAt(calls), by };
  // Who freed it was not watched, but the kernel told: TCP consumes a SYN, UDP what was read.
  return takesForSocket(end.location?.func)
    ? { ...consumed, kind: 'delivered', socket: receiverOf(life) }
    : { ...consumed, kind: 'consumed' };
}

const freeing =
  /^(?:_*(?:napi_|dev_|netdev_)?(?:k?free|consume)_skb|__consume_stateless_skb|skb_release_|skb_free_|sk_skb_reason_drop)/;

/** The innermost call that was running, but for those that only free; the last one if none was. Kernels before 6.3 do not say who. */
function callAround(calls: readonly Call[], offsetNs: number): number {
  const around = calls.findLastIndex(
    (call) =>
      call.timing === 'exit' &&
      call.offsetNs <= offsetNs &&
      offsetNs <= call.offsetNs + (call.durationNs ?? 0) &&
      !freeing.test(call.func),
  );
  return around < 0 ? calls.length - 1 : around;
}

/** The last socket that was named after the packet had come in; one from before is the sender's. */
function receiverOf({ calls, sockets }: BareLife): number {
  const entry = calls.findLast(({ func }) => {
    const milestone = milestoneOf(func);
    return milestone === 'device' || milestone === 'stack';
  });
  const last = sockets.length - 1;
  return (sockets[last]?.seq ?? -1) > (entry?.seq ?? -1) ? last : -1;
}

function takesForSocket(func: string | undefined): boolean {
  const milestone = func === undefined ? undefined : milestoneOf(func);
  return milestone === 'socket' || milestone === 'read';
}

/** The last device that the calls were at. */
const placeAt = (calls: readonly Call[]): Call['device'] | undefined =>
  (calls.findLast(({ device }) => device.ifindex !== 0) ?? calls.at(-1))?.device;

function isTap(life: BareLife, lives: readonly BareLife[]): boolean {
  const { parent } = life;
  if (parent === undefined) return false;
  if (life.sockets.at(-1)?.family === 'packet') return true;
  if (life.calls.some(({ func }) => tapMaker.test(func))) return true;
  let at: Call['parent'] = parent;
  // A call cannot run in itself; a recording could say so.
  for (let steps = 0; at !== undefined && steps < 64; steps++) {
    const maker: Call | undefined = lives[at.life]?.calls[at.call];
    if (maker !== undefined && tapMaker.test(maker.func)) return true;
    at = maker?.parent;
  }
  return false;
}

const ranks: readonly Outcome['kind'][] = [
  'unknown',
  'consumed',
  'dropped',
  'transmitted',
  'delivered',
];

export function findOutcome(path: { readonly lives: readonly BareLife[] }): PacketPath['outcome'] {
  const { lives } = path;
  let best: Outcome | undefined;
  for (const [index, life] of lives.entries()) {
    if ((index > 0 && isTap(life, lives)) || isStation(index, lives)) continue;
    const outcome = outcomeOf(life, index, lives);
    if (best === undefined || ranks.indexOf(outcome.kind) > ranks.indexOf(best.kind))
      best = outcome;
  }
  return best ?? { ...nothing, kind: 'unknown', life: 0, offsetNs: 0 };
}
