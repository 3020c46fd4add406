/** Times since 1970 in nanoseconds, as text and as JSON bytes. */
import { put, putText, type JsonBytes } from './bytes.ts';
import { halvesOf, putNineDigits, putNumber } from './numbers.ts';
import { piece, type Piece } from './pieces.ts';

const NS_DIGITS = 9;
const NS = 1_000_000_000;

let textSeconds = 0;
let text = '1970-01-01T00:00:00';

function secondsText(seconds: number): string {
  if (seconds !== textSeconds) {
    text = new Date(seconds * 1_000).toISOString().slice(0, 19);
    textSeconds = seconds;
  }
  return text;
}

/** `2026-08-21T22:13:20.123456789Z` of nanoseconds since 1970. */
export function isoTime(epochNs: bigint): string {
  const digits = epochNs.toString();
  const seconds = Number(digits.slice(0, -NS_DIGITS));
  return `${secondsText(seconds)}.${digits.slice(-NS_DIGITS).padStart(NS_DIGITS, '0')}Z`;
}

const BETWEEN = piece('Z","start_time_ns":"');
const END = piece('"');
let lastSeconds = -1;
let lastPiece: Piece = END;

/** `"2026-08-21T22:13:20.123456789Z","start_time_ns":"1787350400123456789"` */
export function putTimes(out: JsonBytes, epochNs: bigint): void {
  const halves = halvesOf(epochNs);
  const high = halves?.[1] ?? 0;
  const low = halves?.[0] ?? 0;
  // Division by hand, 16 bits after 16 bits: each step is exact in a double, and none makes a bigint.
  let rest = high >>> 16;
  let seconds = 0;
  for (const next of [high & 0xffff, low >>> 16, low & 0xffff]) {
    const value = rest * 0x1_0000 + next;
    const times = Math.floor(value / NS);
    seconds = seconds * 0x1_0000 + times;
    rest = value - times * NS;
  }
  if (seconds === 0) {
    // Not a time of these days.
    putText(out, `"${isoTime(epochNs)}","start_time_ns":"${epochNs}"`);
    return;
  }
  if (seconds !== lastSeconds) {
    lastSeconds = seconds;
    lastPiece = piece(`"${secondsText(seconds)}.`);
  }
  put(out, lastPiece);
  putNineDigits(out, rest);
  put(out, BETWEEN);
  putNumber(out, seconds);
  putNineDigits(out, rest);
  put(out, END);
}
