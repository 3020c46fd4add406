/** Numbers as JSON bytes (bytes.ts), without making text of them first. */
import { put, putNull, putText, room, type JsonBytes } from './bytes.ts';
import { piece } from './pieces.ts';
import { hex } from './text.ts';

const GROUP = 10_000;

/** The four digits of each number below 10 000, the first one in the lowest byte. */
const fourDigits = Int32Array.from({ length: GROUP }, (_, value) => {
  const digit = (of: number): number => 0x30 + (Math.trunc(value / of) % 10);
  return digit(1000) | (digit(100) << 8) | (digit(10) << 16) | (digit(1) << 24);
});
/** How many digits each has: looked up, since the processor would guess branches wrong. */
const digitsOf = Uint8Array.from({ length: GROUP }, (_, value) => `${value}`.length);
/** Without the zeros before it. */
const shortDigits = fourDigits.map(
  (digits, value) => digits >>> (8 * (4 - (digitsOf[value] ?? 0))),
);

/** More than any step here puts. */
const DIGITS_MOST = 12;
const TWO_GROUPS = GROUP * GROUP;
/** Below it a quotient by 10 000 is never rounded up to the next whole number. */
const WHOLE_MOST = 2 ** 48;

/** Any finite number; JSON has no others. */
export function putNumber(out: JsonBytes, value: number): void {
  // Most are small whole numbers.
  if (value >= 0 && value < TWO_GROUPS && (value | 0) === value) {
    room(out, DIGITS_MOST);
    const { at, view } = out;
    if (value < GROUP) {
      view.setInt32(at, shortDigits[value] ?? 0, true);
      out.at = at + (digitsOf[value] ?? 0);
      return;
    }
    const high = (value / GROUP) | 0;
    const digits = digitsOf[high] ?? 0;
    view.setInt32(at, shortDigits[high] ?? 0, true);
    view.setInt32(at + digits, fourDigits[value - high * GROUP] ?? 0, true);
    out.at = at + digits + 4;
    return;
  }
  if (!(value >= 0 && value < WHOLE_MOST && Math.floor(value) === value)) {
    putText(out, `${value}`);
    return;
  }
  const high = Math.floor(value / GROUP);
  putNumber(out, high);
  room(out, 4);
  out.view.setInt32(out.at, fourDigits[value - high * GROUP] ?? 0, true);
  out.at += 4;
}

export function putNumberOrNull(out: JsonBytes, value: number | undefined): void {
  if (value === undefined) putNull(out);
  else putNumber(out, value);
}

/** The last nine digits of a whole number, zeros among them. */
export function putNineDigits(out: JsonBytes, value: number): void {
  room(out, DIGITS_MOST);
  const high = (value / GROUP) | 0;
  const first = (high / GROUP) | 0;
  out.bytes[out.at] = 0x30 + (first % 10);
  out.view.setInt32(out.at + 1, fourDigits[high - first * GROUP] ?? 0, true);
  out.view.setInt32(out.at + 5, fourDigits[value - high * GROUP] ?? 0, true);
  out.at += 9;
}

const whole = new BigUint64Array(1);
/** The lower one first, as on all machines that run Node.js and a kernel with BTF. */
const halves = new Uint32Array(whole.buffer);
const U64_MOST = 0xffff_ffff_ffff_ffffn;

/** The halves of a number of 64 bits without sign, the lower one first, until the next one is asked for; undefined: it is none. */
export function halvesOf(value: bigint): Uint32Array | undefined {
  if (value < 0n || value > U64_MOST) return undefined;
  whole[0] = value;
  return halves;
}

/** The two hex digits of each byte, the first one in the lower byte. */
const hexDigits = Uint16Array.from({ length: 256 }, (_, value) => {
  const [high = '0', low = '0'] = value.toString(16).padStart(2, '0');
  return high.charCodeAt(0) | (low.charCodeAt(0) << 8);
});
const QUOTED_HEX_BYTES = 20;
const HEX_0 = piece('"0x0"');
const QUOTE_0X = piece('"0x');
const QUOTE = 0x22;

function putHalf(view: DataView, at: number, half: number): void {
  view.setUint16(at, hexDigits[half >>> 24] ?? 0, true);
  view.setUint16(at + 2, hexDigits[(half >>> 16) & 0xff] ?? 0, true);
  view.setUint16(at + 4, hexDigits[(half >>> 8) & 0xff] ?? 0, true);
  view.setUint16(at + 6, hexDigits[half & 0xff] ?? 0, true);
}

/** `"0x1f"` */
export function putHex(out: JsonBytes, value: bigint): void {
  if (value === 0n) {
    put(out, HEX_0);
    return;
  }
  const both = halvesOf(value);
  const high = both?.[1] ?? 0;
  // Addresses of the kernel, and negative numbers, have all sixteen digits; of others there are few.
  if (both === undefined || high < 0x1000_0000) {
    putText(out, `"${hex(value)}"`);
    return;
  }
  put(out, QUOTE_0X);
  room(out, QUOTED_HEX_BYTES);
  const { at, view } = out;
  putHalf(view, at, high);
  putHalf(view, at + 8, both[0] ?? 0);
  out.bytes[at + 16] = QUOTE;
  out.at = at + 17;
}
