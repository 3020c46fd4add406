/** Sequence number that stands for a life itself; calls never get that far. */
export const LIFE_ITSELF = 0xffff_ffff;
/** And for what a trace has no room for. */
export const LEFT_OUT = 0xffff_fffc;

const OWN_TRACE_HIGH = 0xffff_fffe;
const OWN_TRACE_LOW = 0xffff_fffd;

/** Gives a span's id (16 hex digits) from the life and the sequence number of its call, the same one each time. */
export type SpanIds = (life: number, seq: number) => string;

/** Spreads each bit over the whole word; a bijection (an xor-shift-multiply round of odd constants). */
function mix(word: number): number {
  let x = word;
  x = Math.imul(x ^ (x >>> 16), 0x7feb_352d);
  x = Math.imul(x ^ (x >>> 15), 0x846c_a68b);
  return x ^ (x >>> 16);
}

const hex = (word: number): string => (word >>> 0).toString(16).padStart(8, '0');

/**
 * Span ids are a hash of (trace id, life, seq), not random: a request that is sent again, or a path that comes in parts,
 * names the same span by the same id, and links can be written before their target. 64 bits: two of a million spans of
 * one trace meet with a chance of 1 in 37 million.
 */
export function createSpanIds(traceId: string): SpanIds {
  const word = (index: number): number => parseInt(traceId.slice(index * 8, index * 8 + 8), 16) | 0;
  const left = mix(mix(word(0)) ^ word(1));
  const right = mix(mix(word(2)) ^ word(3));
  return (life, seq) => {
    const low = life | 0;
    const high = Math.floor(life / 0x1_0000_0000);
    const a = mix(mix(mix(left ^ low) ^ high) ^ seq);
    const b = mix(mix(mix(right + seq) ^ low) + high);
    // All zeros is the one id that OTel forbids.
    return a === 0 && b === 0 ? '0000000000000001' : hex(a) + hex(b);
  };
}

/** The trace id of a clone that has its own trace. */
export function ownTraceId(ids: SpanIds, life: number): string {
  return ids(life, OWN_TRACE_HIGH) + ids(life, OWN_TRACE_LOW);
}
