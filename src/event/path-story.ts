/** What a packet's path means: derived from its calls and sights by story.ts, part of PacketPath. */
import type { Device, Flow, Task } from './packet-path.ts';

/** Where a packet can lie and wait: */
export type WaitPlace =
  /** a device's queueing discipline, for its turn */
  | 'qdisc'
  /** a CPU's backlog, for the softirq to receive it */
  | 'backlog'
  /** a socket's receive queue, for a process to read it */
  | 'socket'
  /** the hands of a driver or its ring, to be sent, received by its peer or cleaned up */
  | 'driver'
  /** the neighbour table, for an address to be resolved */
  | 'neighbour'
  /** GRO, for more of its flow */
  | 'gro'
  /** TCP's retransmission queue, for the acknowledgement */
  | 'ack';

/** A time in which nothing was done with the packet because it lay in a queue. */
export interface Wait {
  readonly place: WaitPlace;
  readonly offsetNs: number;
  readonly durationNs: number;
  /** Index of the call that queued it, in the same life. */
  readonly after: number;
  /** Index of the call that went on with it; -1: none, the life ended there. */
  readonly before: number;
  readonly device: Device;
}

/** A packet is somewhere else than before; `call` is the index of the first call there. */
export interface Crossing {
  /** What is another one: the namespace (and with it the device), the device alone, the CPU. */
  readonly kind: 'netns' | 'device' | 'cpu';
  readonly call: number;
  readonly offsetNs: number;
  readonly from: Device;
  readonly to: Device;
  readonly fromCpu: number;
  readonly toCpu: number;
}

/** The packet's addresses are not what they were. */
export interface HeaderChange {
  /** `nat`: rewritten; the others: a packet was put around it, or taken off. */
  readonly kind: 'nat' | 'encapsulated' | 'decapsulated';
  readonly offsetNs: number;
  /** Index of the last call that began before: it, or what it called, did it. -1: none on this life, a clone begins so. */
  readonly call: number;
  readonly before: Flow;
  readonly after: Flow;
  /** undefined for `nat`. */
  readonly tunnel: Tunnel | undefined;
}

export interface Tunnel {
  readonly kind: 'vxlan' | 'geneve' | 'gre' | 'ipip' | 'ip6tnl' | 'sit';
  /** VNI, or GRE's key; undefined: has none. */
  readonly id: number | undefined;
}

export interface Outcome {
  /**
   * delivered: a socket got it. transmitted: a device took it, and nobody here saw it again. consumed: the kernel itself used
   * it up. dropped: see the life's end. unknown: its end was not seen.
   */
  readonly kind: 'delivered' | 'transmitted' | 'consumed' | 'dropped' | 'unknown';
  /** Index of the life that tells. */
  readonly life: number;
  /** Index of the call that tells, in that life; -1: none. */
  readonly call: number;
  readonly offsetNs: number;
  /** delivered, dropped: where it came in last; transmitted: what took it. undefined: not known. */
  readonly device: Device | undefined;
  /** delivered: index into the life's sockets; -1: not known. */
  readonly socket: number;
  /** delivered: who read it; undefined: nobody did yet, or not seen. */
  readonly task: Task | undefined;
  /** The function that took, sent, consumed or dropped it; empty: not known. */
  readonly by: string;
}
