import type { Device } from '../../event/packet-path.ts';

/** Two 32-bit halves, signed as they come: to make a text of each span's id, and bytes of that, is a fifth of all work. */
export interface SpanId {
  readonly high: number;
  readonly low: number;
}

export interface SpanContext {
  /** 32 lower-case hex digits. */
  readonly traceId: string;
  readonly spanId: SpanId;
}

/** Nanoseconds since 1970 as two 32-bit halves. */
export interface Epoch {
  readonly low: number;
  readonly high: number;
}

export type AttributeValue = string | number | boolean | readonly (string | number | boolean)[];

/** Name, value, name, value, ...; no name twice. An object with names as keys takes five times as long to fill and to read. */
export type AttributeList = AttributeValue[];

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
  readonly attributes: Readonly<AttributeList>;
  /** Where it was: decides the resource. */
  readonly device: Device | undefined;
  /** Status ERROR with this message. */
  readonly error?: string | undefined;
  readonly links?: readonly SpanLink[];
  readonly events?: readonly {
    readonly name: string;
    readonly offsetNs: number;
    readonly attributes: Readonly<AttributeList>;
  }[];
}

export interface SpanLink {
  readonly context: SpanContext;
  readonly attributes: Readonly<AttributeList>;
}

export const toEpoch = (ns: bigint): Epoch => ({
  low: Number(ns & 0xffff_ffffn),
  high: Number(ns >> 32n),
});
