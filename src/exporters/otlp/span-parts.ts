import type { Attributes } from '@opentelemetry/api';
import type { Device } from '../../event/packet-path.ts';

/** Ids in lower-case hex: 32 digits and 16. */
export interface SpanContext {
  readonly traceId: string;
  readonly spanId: string;
}

/** Nanoseconds since 1970 as two 32-bit halves. */
export interface Epoch {
  readonly low: number;
  readonly high: number;
}

/** A span: what encode.ts writes. */
export interface SpanParts {
  readonly name: string;
  readonly context: SpanContext;
  /** undefined: the root of its trace. */
  readonly parent: SpanContext | undefined;
  /** When the path began; offsets count from there, in true nanoseconds. */
  readonly epoch: Epoch;
  readonly offsetNs: number;
  readonly endOffsetNs: number;
  readonly attributes: Attributes;
  /** Where it was: decides the resource. */
  readonly device: Device | undefined;
  /** Status ERROR with this message. */
  readonly error?: string | undefined;
  readonly links?: readonly SpanLink[];
  readonly events?: readonly {
    readonly name: string;
    readonly offsetNs: number;
    readonly attributes: Attributes;
  }[];
}

export interface SpanLink {
  readonly context: SpanContext;
  readonly attributes: Attributes;
}

export const toEpoch = (ns: bigint): Epoch => ({
  low: Number(ns & 0xffff_ffffn),
  high: Number(ns >> 32n),
});
