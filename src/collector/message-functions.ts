/**
 * Functions whose skb is a netlink message, not a packet: a quarter of all. No packet goes through them, and each one that is
 * watched all the same costs time at the start, most of all where it takes a kprobe of its own. Their other arguments tell (BTF), or
 * their names.
 */
import type { SkbFunction } from '../kernel/btf-functions.ts';

/**
 * Those that read and write messages and have no argument that says so: by the kernel's own prefixes (include/net/netlink.h,
 * genetlink.h, rtnetlink.h), and the operations by which devices, tunnels, ethtool and connection tracking describe themselves.
 * rtnl_kfree_skbs() is given packets.
 */
const messageName =
  /^_*(?:nla|nlmsg|genl|genlmsg|rtnl|rtnetlink|netlink|nfnl|nfnetlink|ethnl|ctnetlink)_(?!kfree_skbs$)|^(?:nf_tables|br|inet|inet6|ip6?mr|neightbl)_fill_|_(?:fill_(?:info|reply|encap(?:_info)?|devconf|mroute|linkxstats)|to_nlattr)$/;

export const isMessageFunction = ({
  name,
  skbArg,
  isMessage,
}: Pick<SkbFunction, 'name' | 'skbArg' | 'isMessage'>): boolean =>
  isMessage === true || (skbArg > 0 && messageName.test(name));
