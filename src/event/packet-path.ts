/**
 * PacketPath: what exporters get. One packet's way through the kernel: all lives that came from one packet, joined by links.
 *
 * Times: `startTimeNs` is nanoseconds since the Unix epoch (bigint). Everything inside a path counts from it as a plain
 * number of nanoseconds (`offsetNs`), exact as long as a path lasts less than 104 days. Life ids are below 2^48 and fit a
 * number exactly. Kernel addresses are bigint.
 *
 * All of it is read-only for exporters: several of them see the same object.
 */

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
  /** Address of the sk_buff; never an identity. */
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
}

export interface Call {
  /** Kernel function, or tracepoint as `group:name` where known. */
  readonly func: string;
  /** Kernel module, undefined for vmlinux. */
  readonly module: string | undefined;
  readonly kind: 'function' | 'tracepoint';
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
  /** Index into Life.packets of the headers as they were at this call; -1: none seen yet. */
  readonly packet: number;
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
}

export interface LifeEnd {
  readonly offsetNs: number;
  /** morphed: the sk_buff lives on with another packet's content. */
  readonly how: (typeof lifeEnds)[number];
  /** Decoded name without SKB_DROP_REASON_ (`NETFILTER_DROP`), or `reason <n>`; undefined unless dropped. */
  readonly reason: string | undefined;
  /** Number as the kernel gave it; undefined unless dropped. */
  readonly reasonCode: number | undefined;
  /** Who freed it: `nf_hook_slow+0x5a`; undefined if unknown. */
  readonly location: CodeLocation | undefined;
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
