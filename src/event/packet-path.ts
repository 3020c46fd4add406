/**
 * PacketPath: what exporters get. One packet's way through the kernel: all lives that came from one packet, joined by links.
 *
 * Times: `startTimeNs` is nanoseconds since the Unix epoch (bigint). Everything inside a path counts from it as a plain
 * number of nanoseconds (`offsetNs`), exact as long as a path lasts less than 104 days. Life ids are below 2^48 and fit a
 * number exactly. Kernel addresses are bigint.
 *
 * All of it is read-only for exporters: several of them see the same object.
 */
import type { Crossing, HeaderChange, Outcome, Wait } from './path-story.ts';

export type { Crossing, HeaderChange, Outcome, Tunnel, Wait, WaitPlace } from './path-story.ts';

import type { CallDetail } from './call-detail.ts';

/** How two lives of a path hang together; `link_operation` in bpf/event.h, bpf/links.h tells what each means. */
export const linkOperations = [
  'clone',
  'copy',
  'segment',
  'morph',
  'xdp',
  'gro',
  'reassembly',
  'fragment',
] as const;
export type LinkOperation = (typeof linkOperations)[number];

/** How a life can end; `free_how` in bpf/event.h, and drops. */
export const lifeEnds = ['dropped', 'consumed', 'released', 'memory', 'reused', 'morphed'] as const;

/** Why a path was handed out: all its lives ended | nothing heard for the idle time | memory was needed | tracing stopped. */
export type PathEnding = 'ended' | 'idle' | 'evicted' | 'stopped';

/** How a call's end is known: seen | the kernel tells no exit, so it ends where the next call on its life begins | a
 * tracepoint is an instant | its exit was not seen (lost, or still running). */
export type CallTiming = 'exit' | 'enter-only' | 'point' | 'unfinished';

/** `tc` and `xdp` are BPF programs. */
export type CallKind = 'function' | 'tracepoint' | 'tc' | 'xdp';

export interface PacketPath {
  /** Life id of the packet's first life: unique in one run. */
  readonly id: number;
  /** 16 bytes in lower-case hex, unique over runs and hosts: the OTel trace id. */
  readonly traceId: string;
  readonly startTimeNs: bigint;
  readonly durationNs: number;
  /** Root first, each parent before its children. Never empty. */
  readonly lives: readonly Life[];
  readonly ending: PathEnding;
  /** Empty if everything that the kernel recorded of this path is here. */
  readonly losses: readonly PathLoss[];
  /** The flow of the first packet headers seen; undefined if none were. */
  readonly flow: Flow | undefined;
  /** transmit: it was made on this host; receive: it came in by a device; unknown. As seen at the path's start. */
  readonly direction: 'transmit' | 'receive' | 'unknown';
  /** What became of the packet, whatever became of copies that a tap took of it (outcome.ts has the rules). */
  readonly outcome: Outcome;
  /** Whose path it is, if it was read from records of several hosts; left out: this host's. */
  readonly origin?: Origin;
}

/** A host, and which of its boots: life ids, skb addresses and clocks mean something within one of them only. */
export interface Origin {
  readonly host: string;
  /** Empty: unknown. */
  readonly bootId: string;
}

export type PathLoss =
  /**
   * `count` records of a life are missing after sequence number `afterSeq` (-1: from the start). They lie between the calls
   * `before` and `after` of that life (indices; -1: there is none on that side), of which therefore some is uncertain: what
   * ran between them, what `after` runs in, and, if its timing is enter-only, how long `before` took.
   */
  | {
      readonly cause: 'events';
      /** Index into `lives`, here and below. */
      readonly life: number;
      readonly afterSeq: number;
      readonly count: number;
      readonly before: number;
      readonly after: number;
    }
  /** The record that says which life this one came from is missing. */
  | { readonly cause: 'link'; readonly life: number }
  /** The path's record store was full: `count` records were thrown away. */
  | { readonly cause: 'memory'; readonly count: number }
  /** An earlier part of this path, or of what this life is linked to, was already handed out (`ending` idle or evicted). */
  | { readonly cause: 'continued'; readonly life: number };

export interface Life {
  readonly id: number;
  /** Address of the sk_buff, or of the first byte of a packet that is an XDP frame in no sk_buff; never an identity. */
  readonly skb: bigint;
  /** Index into PacketPath.lives and into that life's calls; `call` is -1 if the call was not seen. */
  readonly parent:
    { readonly life: number; readonly call: number; readonly operation: LinkOperation } | undefined;
  /**
   * What this life went into, by which of its own calls (-1: not seen): GRO and reassembly make one packet of several. Such
   * a life was a packet of its own, so mostly it has no `parent`; `life` may stand before it or after.
   */
  readonly mergedInto:
    { readonly life: number; readonly call: number; readonly operation: LinkOperation } | undefined;
  readonly offsetNs: number;
  /** In order of their beginning; nesting by `depth` and `parent`. */
  readonly calls: readonly Call[];
  /** Headers and first bytes as seen; the first is the life's first sight, later ones tell of changed headers. */
  readonly packets: readonly PacketSight[];
  /** undefined: still alive when the path was handed out. */
  readonly end: LifeEnd | undefined;
  /** Sockets that it belonged to or was given to, in the order of their sight. */
  readonly sockets: readonly SocketSight[];
  /** Its connection as connection tracking knew it, again whenever the status changed. */
  readonly conntracks: readonly ConntrackSight[];
  /** Derived from the above (story.ts), in the order of time: where it lay in a queue, ... */
  readonly waits: readonly Wait[];
  /** ... where it went over to another namespace, device or CPU, ... */
  readonly crossings: readonly Crossing[];
  /** ... and where its addresses became others. */
  readonly changes: readonly HeaderChange[];
}

export interface Call {
  /** Kernel function; tracepoint as `group:name` where known; BPF program as `tc:name` or `xdp:name`. */
  readonly func: string;
  /** Kernel module, undefined for vmlinux. */
  readonly module: string | undefined;
  readonly kind: CallKind;
  readonly seq: number;
  readonly offsetNs: number;
  /** undefined only for timing `unfinished`. 0 for `point`. */
  readonly durationNs: number | undefined;
  readonly timing: CallTiming;
  /** 0: not inside another call of the same path. */
  readonly depth: number;
  /** The call this one runs in: it may be on another life of the path (a clone made and used inside the parent's call). */
  readonly parent: { readonly life: number; readonly call: number } | undefined;
  readonly cpu: number;
  readonly task: Task;
  readonly device: Device;
  readonly len: number;
  readonly mark: number;
  /** Ethertype; 0: not set yet. */
  readonly protocol: number;
  /** Raw register; undefined without an exit. */
  readonly returnValue: bigint | undefined;
  /** What a tc or XDP program returned, in words (`TC_ACT_SHOT`, `XDP_DROP`); undefined of others and without an exit. */
  readonly verdict: string | undefined;
  /** Index into Life.packets of the headers as they were at this call; -1: none seen yet. */
  readonly packet: number;
  /** Only if something of it was asked for. */
  readonly detail?: CallDetail;
}

/** The task the CPU ran. In softirq it is whom the packet interrupted, not who sent it. */
export interface Task {
  /** 0: the idle task. */
  readonly tid: number;
  /** 0: unknown. */
  readonly tgid: number;
  /** Empty: unknown. */
  readonly comm: string;
  /** cgroup v2 id; 0n: unknown. */
  readonly cgroup: bigint;
  /** Full id of the container that the cgroup belongs to; empty: none, or unknown. */
  readonly containerId: string;
  /** Kubernetes' uid of its pod; empty: none, or unknown. */
  readonly podUid: string;
}

/** Where an skb was. */
export interface Device {
  /** Inode number of the network namespace; 0: unknown. */
  readonly netns: number;
  /** `host` for the initial one, `ip netns` name, or `netns:<inode>`; empty if unknown. */
  readonly netnsName: string;
  /** 0: no device. */
  readonly ifindex: number;
  /** Empty: none or unknown. */
  readonly name: string;
  /** 0: unknown. */
  readonly mtu: number;
  /** Kind of a virtual device as `ip -d link` calls it (`veth`, `bridge`, `vxlan`); empty: hardware, loopback or unknown. */
  readonly kind: string;
}

export interface LifeEnd {
  readonly offsetNs: number;
  /** morphed: the sk_buff lives on with another packet's content. */
  readonly how: (typeof lifeEnds)[number];
  /**
   * Decoded name without SKB_DROP_REASON_ (`NETFILTER_DROP`), or `reason <n>`; the verdict (`XDP_DROP`) where no skb was there
   * for the kernel to give a reason, and `XDP_REDIRECT_ERR (<errno>)` where it refused a redirect; undefined unless dropped.
   */
  readonly reason: string | undefined;
  /** Number as the kernel gave it; undefined unless dropped. */
  readonly reasonCode: number | undefined;
  /** Who freed it: `nf_hook_slow+0x5a`; undefined if unknown. */
  readonly location: CodeLocation | undefined;
  /** The tc or XDP program whose verdict it was, named as its call; undefined if none dropped it. */
  readonly program: string | undefined;
  /** The rule of nftables that dropped it; undefined: none did, or the kernel does not tell. */
  readonly rule: FilterRule | undefined;
}

/** A rule as `nft -a list ruleset` shows it. */
export interface FilterRule {
  /** `ip`, `ip6`, `inet`, `arp`, `bridge`, `netdev`. */
  readonly family: string;
  readonly table: string;
  readonly chain: string;
  /** 0: no rule, the chain's policy. */
  readonly handle: number;
}

export interface CodeLocation {
  readonly address: bigint;
  /** Function name; empty if no symbol covers the address. */
  readonly func: string;
  readonly offset: number;
  readonly module: string | undefined;
}

export interface PacketSight {
  readonly offsetNs: number;
  /** Sequence number on its life: calls with a greater one come after it. */
  readonly seq: number;
  readonly flow: Flow | undefined;
  /** Bytes of the whole packet from the start of `bytes`. */
  readonly len: number;
  /** Linear bytes, at most the snap length. */
  readonly bytes: Uint8Array;
  /** Offsets in `bytes`; undefined where the header is not set or not captured. */
  readonly macOffset: number | undefined;
  readonly networkOffset: number | undefined;
  readonly transportOffset: number | undefined;
  readonly protocol: number;
  readonly vlan: { readonly tci: number; readonly protocol: number } | undefined;
  readonly queue: number;
  readonly gso: { readonly size: number; readonly segments: number } | undefined;
  readonly hash: number;
  readonly mark: number;
  readonly device: Device;
  /** 0 host, 1 broadcast, 2 multicast, 3 other host, 4 outgoing (include/uapi/linux/if_packet.h). */
  readonly packetType: number;
  readonly socket: bigint;
}

/** Addresses of a packet, outermost network header. */
export interface Flow {
  readonly network: 'ipv4' | 'ipv6' | 'arp' | 'other';
  /** `tcp`, `udp`, `icmp`, `icmpv6`, `sctp`, `arp`, or the protocol's number in words (`ip-proto-47`, `ethertype-0x88cc`). */
  readonly transport: string;
  /** Text form; empty if unknown. */
  readonly sourceAddress: string;
  readonly destinationAddress: string;
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
  /** TCP flags as tcpdump writes them (`S`, `S.`, `P.`); undefined for others. */
  readonly tcpFlags: string | undefined;
  /** One more fact that a person wants to see: `echo request id 12 seq 1`, `who-has 10.0.0.2 tell 10.0.0.1`; may be empty. */
  readonly detail: string;
}

/** A socket as it was when a call named it. */
export interface SocketSight {
  readonly offsetNs: number;
  /** Sequence number on its life: the call before it was the first to name this socket. */
  readonly seq: number;
  /** Of the struct sock; never an identity. */
  readonly address: bigint;
  /** As `ss -e` shows it; 0: not (yet) in any process's hands. */
  readonly inode: number;
  /** Of the owner, in the initial user namespace; undefined: not told (a connection that is not accepted yet). */
  readonly uid: number | undefined;
  /** `ipv4`, `ipv6`, `packet`, or `family-38`. */
  readonly family: string;
  /** `stream`, `dgram`, `raw`, `seqpacket`, `packet`; empty: unknown. */
  readonly type: string;
  /** As in Flow.transport; empty for packet sockets. */
  readonly protocol: string;
  /** Of TCP as `ss` names it (`LISTEN`, `ESTAB`, `TIME-WAIT`); empty for others. */
  readonly state: string;
  /** Empty: none. */
  readonly localAddress: string;
  readonly localPort: number;
  /** Empty: not connected. */
  readonly remoteAddress: string;
  readonly remotePort: number;
  readonly netns: number;
  readonly netnsName: string;
  /** Of the process that made it; 0n: unknown. */
  readonly cgroup: bigint;
  readonly containerId: string;
  readonly podUid: string;
}

/** An entry of the kernel's connection table. */
export interface ConntrackSight {
  readonly offsetNs: number;
  readonly seq: number;
  /** What the packet is to its connection: `new`, `established`, `related`, `established reply`, `related reply`. */
  readonly info: string;
  /** Names of IPS_* bits in lower case: `confirmed`, `seen_reply`, `assured`, `src_nat`, `dst_nat`, ... */
  readonly status: readonly string[];
  readonly zone: number;
  readonly mark: number;
  /** As the first packet had it ... */
  readonly original: ConntrackTuple;
  /** ... and as answers come in: other than the reverse of the original where addresses are translated. */
  readonly reply: ConntrackTuple;
}

export interface ConntrackTuple {
  readonly transport: string;
  readonly sourceAddress: string;
  readonly destinationAddress: string;
  /** undefined: the protocol has no ports. */
  readonly sourcePort: number | undefined;
  readonly destinationPort: number | undefined;
}
