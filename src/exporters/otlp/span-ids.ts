import type { Epoch, SpanId } from './span-parts.ts';

/** Sequence number that stands for a life itself; calls never get that far. */
export const LIFE_ITSELF = 0xffff_ffff;
/** And for what a trace has no room for. */
export const LEFT_OUT = 0xffff_fffc;
/** And, counting down, for the waits of a life. */
export const WAITS = 0xfff0_0000;

/** Any constants. */
const SEQ = 0x2545_f491;
const LIFE = 0x4f6c_dd1d;

const OWN_TRACE_HIGH = 0xffff_fffe;
const OWN_TRACE_LOW = 0xffff_fffd;

/** Gives a span's id from the life and the sequence number of its call, the same one each time. */
export type SpanIds = (life: number, seq: number) => SpanId;

/** Spreads each bit over the whole word; a bijection (an xor-shift-multiply round of odd constants). */
function mix(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x7feb_352d);
  x = Math.imul(x ^ (x >>> 15), 0x846c_a68b);
  return x ^ (x >>> 16);
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');
const word = (digits: string, index: number): number =>
  parseInt(digits.slice(index * 8, index * 8 + 8), 16) | 0;

/** 16 lower-case hex digits. */
export const spanIdText = ({ high, low }: SpanId): string => hex(high) + hex(low);
export const parseSpanId = (digits: string): SpanId => ({
  high: word(digits, 0),
  low: word(digits, 1),
});

/**
 * Span ids are a hash of (trace id, start of the path, life, seq), not random: a request that is sent again
 * names the same span by the same id, and links can be written before their target. The start tells apart what two hosts send
 * for one trace (--trace-id content). 64 bits: two of a million spans of
 * one trace meet with a chance of 1 in 37 million.
 */
export function createSpanIds(traceId: string, epoch: Epoch = { low: 0, high: 0 }): SpanIds {
  const left = mix(mix(mix(word(traceId, 0)) ^ word(traceId, 1)) ^ epoch.low);
  const right = mix(
    mix(mix(word(traceId, 2)) ^ word(traceId, 3)) ^ epoch.low ^ Math.imul(epoch.high, 0x9e37_79b1),
  );
  return (life, seq) => {
    const low = life | 0;
    const high = Math.floor(life / 0x1_0000_0000);
    // Mixed before they meet: small numbers that are only xored would give neighbours the same half by the thousand.
    const a = mix(mix(mix(left ^ low) ^ high) ^ mix(seq ^ SEQ));
    const b = mix(mix(mix(right + seq) ^ mix(low ^ LIFE)) + high);
    // All zeros is the one id that OTel forbids.
    return { high: a, low: a === 0 && b === 0 ? 1 : b };
  };
}

/** The trace id of a clone that has its own trace. */
export function ownTraceId(ids: SpanIds, life: number): string {
  return spanIdText(ids(life, OWN_TRACE_HIGH)) + spanIdText(ids(life, OWN_TRACE_LOW));
}
