/**
 * Where a packet lay in a queue, from its calls.
 *
 * Whoever has put a packet into a queue must not touch it any more: it may be gone the next moment. So after the return of
 * the function that queued it, the next call on its life is by whoever took it out, and what lies between is the wait. That
 * needs no list of all that may take from a queue, only one of what queues: below. The function that does it is mostly
 * wrapped in others, so the return that counts is the earliest one among them (dev_qdisc_enqueue around fq_codel_enqueue).
 *
 * A queue in another queue's function replaces it: `dev_hard_start_xmit` hands to a driver, but if veth's puts the packet into
 * the backlog from in there, it is the backlog in which it waits.
 *
 * Two do not fit. TCP keeps the packet that it sent for a retransmission and looks at it in between: its takers are named.
 * And where returns are not seen (enter-only, tracepoints), a nested call looks like a taker: there all takers are named, and
 * drivers, GRO and the neighbour table are left out, since nothing tells whether they kept the packet.
 */
import type { Call, Life, Wait, WaitPlace } from './packet-path.ts';

interface Queue {
  readonly place: WaitPlace;
  readonly puts: RegExp;
  /** Who goes on with it, where not everybody does. */
  readonly takes?: RegExp;
  readonly always?: true;
  /** What it returned says that it kept the packet. */
  readonly kept?: (returnValue: bigint) => boolean;
  /** Without the returns nothing can be said. */
  readonly needsExit?: true;
}

const low = (register: bigint): bigint => register & 0xffff_ffffn;

const queues: readonly Queue[] = [
  {
    place: 'qdisc',
    puts: /^(?!(?:sk_|skb_|tcp_|udp_|msg_)).*_enqueue$/,
    takes: /^(?:sch_direct_xmit|dev_hard_start_xmit|qdisc:qdisc_dequeue|net:net_dev_start_xmit)$/,
    // NET_XMIT_SUCCESS, or NET_XMIT_CN: kept, but another one of the flow was not.
    kept: (value) => low(value) === 0n || low(value) === 2n,
  },
  {
    place: 'backlog',
    puts: /^(?:enqueue_to_backlog|netif_rx(?:_internal)?|__netif_rx|net:netif_rx|gro_cells_receive)$/,
    takes: /^(?:__)?netif_receive_skb|^net:netif_receive_skb|^napi_gro_receive$/,
    kept: (value) => low(value) === 0n, // NET_RX_SUCCESS
  },
  {
    place: 'socket',
    puts: /^(?:(?:__)?sock_queue_rcv_skb(?:_reason)?|__udp_enqueue_schedule_skb|packet_rcv|tcp_add_backlog|tcp_rcv_(?:established|state_process))$/,
    takes:
      /^(?:__)?skb_(?:copy_|datagram_)|^skb:skb_copy_datagram_iovec$|^skb_consume_udp$|^tcp_eat_recv_skb$/,
  },
  {
    place: 'driver',
    puts: /^(?:dev_hard_start_xmit|__dev_direct_xmit)$/,
    needsExit: true,
  },
  {
    place: 'neighbour',
    puts: /^__neigh_event_send$/,
    kept: (value) => (value & 0xffn) !== 0n,
    needsExit: true,
  },
  { place: 'gro', puts: /^napi_gro_(?:receive|frags)$/, needsExit: true },
  {
    place: 'ack',
    puts: /^__tcp_transmit_skb$/,
    takes:
      /^(?:__)?tcp_(?:rate_skb_delivered|retransmit_skb|mark_skb_lost|sack|rack|clean_rtx|shifted_skb|tx_timestamp|ack_tstamp)|^tcp:tcp_retransmit_skb$/,
    always: true,
    needsExit: true,
  },
];

interface Role {
  readonly queue: Queue | undefined;
  readonly takesFrom: ReadonlySet<WaitPlace>;
}

const roles = new Map<string, Role>();
/** Functions there are a few thousand of; tests make up more. */
const ROLES_MAX = 16_384;

function roleOf(func: string): Role {
  let role = roles.get(func);
  if (role === undefined) {
    const takers = queues.filter(({ takes }) => takes?.test(func) === true);
    role = {
      queue: queues.find(({ puts }) => puts.test(func)),
      takesFrom: new Set(takers.map(({ place }) => place)),
    };
    if (roles.size >= ROLES_MAX) roles.clear();
    roles.set(func, role);
  }
  return role;
}

interface Pending {
  readonly queue: Queue;
  readonly after: number;
  readonly offsetNs: number;
  readonly hasExit: boolean;
}

function putBy(call: Call, index: number, queue: Queue): Pending | undefined {
  const hasExit = call.timing === 'exit';
  if (queue.needsExit === true && !hasExit) return undefined;
  if (hasExit && call.returnValue !== undefined && queue.kept?.(call.returnValue) === false)
    return undefined;
  const offsetNs = call.offsetNs + (hasExit ? (call.durationNs ?? 0) : 0);
  return { queue, after: index, offsetNs, hasExit };
}

const isTakenBy = ({ queue, hasExit, offsetNs }: Pending, call: Call, role: Role): boolean =>
  call.offsetNs >= offsetNs &&
  (role.takesFrom.has(queue.place) || (hasExit && queue.always !== true));

/** The waits of one life, in the order of time. */
export function findWaits({ calls, end }: Pick<Life, 'calls' | 'end'>): Wait[] {
  const waits: Wait[] = [];
  let pending: Pending | undefined;
  const over = (at: number, before: number): void => {
    const after = pending === undefined ? undefined : calls[pending.after];
    if (pending === undefined || after === undefined || at <= pending.offsetNs) return;
    const { offsetNs, queue } = pending;
    waits.push({
      place: queue.place,
      offsetNs,
      durationNs: at - offsetNs,
      after: pending.after,
      before,
      device: after.device,
    });
  };
  for (const [index, call] of calls.entries()) {
    const role = roleOf(call.func);
    if (pending !== undefined && isTakenBy(pending, call, role)) {
      // An inner queue function without exit stands for the same queue.
      const isSame = role.queue?.place === pending.queue.place && !pending.hasExit;
      if (!isSame) {
        over(call.offsetNs, index);
        pending = undefined;
      }
    }
    if (role.queue === undefined) continue;
    const put = putBy(call, index, role.queue);
    if (put === undefined) continue;
    const isEarlier = pending?.queue.place === put.queue.place && pending.offsetNs <= put.offsetNs;
    if (!isEarlier) pending = put;
  }
  if (end !== undefined && pending?.hasExit === true) over(end.offsetNs, -1);
  return waits;
}
