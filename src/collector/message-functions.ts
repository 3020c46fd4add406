/**
 * Functions whose skb is a netlink message or that of a unix socket, not a packet: a third of all. No packet goes through them, and each
 * one that is watched all the same costs time at the start, most of all where it takes a kprobe of its own. Their other arguments tell
 * (BTF), or their names.
 */
import type { SkbFunction } from '../kernel/btf-functions.ts';

const alternatives = (...parts: readonly string[]): string => `(?:${parts.join('|')})`;

/**
 * By the kernel's own prefixes: include/net/netlink.h, genetlink.h, rtnetlink.h, devlink.h, net/dcb/, net/ethtool/, net/unix/,
 * net/netlabel/netlabel_*.c, net/mptcp/pm_netlink.c, kernel/audit.c, net/core/gen_stats.c. rtnl_kfree_skbs() is given packets, and so is
 * devlink_trap_report().
 */
const begins = alternatives(
  'nla_|nlmsg_|genl_|genlmsg_|rtnetlink_|netlink_|nfnl_|nfnetlink_|ethnl_|ctnetlink_|dcbnl_|put_nla_|sock_diag_',
  'rtnl_(?!kfree_skbs$)|devlink_(?!trap_report$)|(?:nf_tables|br|inet|inet6|ip6?mr|neightbl|nh|rt6|devl)_fill_',
  'stats?_put_|gnet_stats_|k?auditd?_|netlbl_(?:mgmt|unlabel|cipsov4|calipso)_|mptcp_(?:nl|event)_|unix_',
);

/** And the operations by which devices, tunnels, ciphers, classifiers and queues describe themselves; security hooks of messages. */
const ends = alternatives(
  'fill_(?:info|reply|encap(?:_info)?|devconf|mroute|linkxstats|node|rule|qdisc|tclass)|to_nlattr',
  'netlink_send|diag_put|(?<!^skb_)dump|dump_(?:1|old|terse|stats)|terse_dump',
);

/** Whole names: classifiers' chains, bridges, subflows, socket storage (bpf_sk_storage.c), task statistics, unix sockets. */
const whole = alternatives(
  'fib_(?:dump_info|nexthop_info|add_nexthop)|cn_rx_skb|uevent_net_rcv|nl_fib_input|crypto_\\w+_report',
  'tc_chain_notify|tcf_action_copy_stats|ndo_dflt_bridge_getlink|subflow_get_info',
  'diag_get|stat_put|mk_reply|maybe_add_creds',
);

const messageName = new RegExp(`^_*${begins}|_${ends}$|^${whole}$`);

/** What the kernel makes of each tracepoint, to run what hangs on it (include/trace/): not a place that a packet comes by. */
const machinery = /^(?:__traceiter|__bpf_trace|perf_trace|trace_event_raw_event)_/;

export const isMessageFunction = ({
  name,
  skbArg,
  isMessage,
}: Pick<SkbFunction, 'name' | 'skbArg' | 'isMessage'>): boolean =>
  isMessage === true || (skbArg > 0 && (messageName.test(name) || machinery.test(name)));
