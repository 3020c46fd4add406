/** What the user asked to be told of each call besides (`--output-stack` and the like). */
import type { CodeLocation, Flow } from './packet-path.ts';

/** How many expressions may be told of each call; DETAIL_VALUES_MAX in bpf/event.h. */
export const metadataMost = 4;

/** Each part is undefined if it was not asked for, or if there was nothing to tell. */
export interface CallDetail {
  /** Who called the function; of a tracepoint, the function that it stands in. */
  readonly caller: CodeLocation | undefined;
  /** All of them, innermost first. */
  readonly stack: readonly CodeLocation[] | undefined;
  /** The packet in a tunnel. */
  readonly tunnel: Flow | undefined;
  /** skb->cb as 12 words of this machine's order. */
  readonly controlBlock: readonly number[] | undefined;
  /** Values of expressions over the skb, as written; undefined: a pointer on the way was NULL. */
  readonly metadata: readonly MetadataValue[] | undefined;
  readonly skb: StructValue | undefined;
  readonly sharedInfo: StructValue | undefined;
  /** The call is one on a BPF map. */
  readonly map: MapAccess | undefined;
}

export interface MetadataValue {
  readonly expression: string;
  readonly value: bigint | undefined;
}

/** Members of a struct by name, without those that are 0; addresses and numbers beyond 2^53 are hex text, bytes are hex. */
export interface StructValue {
  readonly [member: string]: MemberValue;
}
export type MemberValue = number | string | StructValue | readonly MemberValue[];

export interface MapAccess {
  readonly id: number;
  readonly name: string;
  /** enum bpf_map_type */
  readonly type: number;
  /** Whole sizes; of each at most 256 bytes are here. */
  readonly keyBytes: number;
  readonly valueBytes: number;
  /** Hex. */
  readonly key: string;
  /** Hex; undefined: a deletion, or a lookup that found nothing. */
  readonly value: string | undefined;
}
