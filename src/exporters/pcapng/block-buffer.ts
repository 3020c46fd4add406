import type { WordKey } from './word-keys.ts';

/** Bytes that grow at their end; little-endian, as all that this exporter writes. Kept and emptied rather than made anew. */
export interface BlockBuffer {
  readonly length: number;
  u8(value: number): void;
  u16(value: number): void;
  u32(value: number): void;
  /** A u64 from a bigint of 0 and up. */
  u64(value: bigint): void;
  bytes(source: Uint8Array): void;
  /** Text as UTF-8; returns how many bytes that took. */
  text(value: string): number;
  /** ` key=` */
  key(key: WordKey): void;
  /** ` key=` and a number as `String(value)` gives it. */
  number(key: WordKey, value: number): void;
  /** A number as `String(value)` gives it. */
  decimal(value: number): void;
  /** `0x` and the digits of a number or a bigint of 0 and up. */
  hex(value: number | bigint): void;
  /** Zeros up to the next multiple of four. */
  pad(): void;
  /** Overwrites what stands at `at`. */
  setU16(at: number, value: number): void;
  setU32(at: number, value: number): void;
  /** Forgets all from `length` on. */
  truncate(length: number): void;
  u16At(at: number): number;
  /** The bytes from `from` to `to` as text of UTF-8. */
  textAt(from: number, to: number): string;
  /** A copy of all bytes; the buffer is empty then. */
  take(): Uint8Array;
}

/** Above this many characters the native encoder is quicker than a loop over them; of bytes, the native copy. */
const SHORT_TEXT = 8;
const SHORT_BYTES = 10;
/** Two eights for a key, and more than a number ever has. */
const NUMBER_BYTES = 48;
const EIGHT = 8;
const SMALL_MAX = 0x7fff_ffff;
const BILLION = 1e9;
const BILLION_DIGITS = 9;
const WORD = 0x1_0000_0000;
const U64_MAX = 0xffff_ffff_ffff_ffffn;
const ZERO = 48;
const HEX_LETTER = 87; // 10 becomes 'a'
const LETTER_X = 0x78;

/** The digits of 0 to 99 as they lie in memory. */
const pairs = Uint16Array.from(
  { length: 100 },
  (_, value) => (ZERO + Math.floor(value / 10)) | ((ZERO + (value % 10)) << 8),
);

/** A u64 in halves, low half first, without making bigints; machines of the other byte order are none of ours. */
const whole = new BigUint64Array(1);
const halves = new Uint32Array(whole.buffer);

/** How many decimal digits a number from 0 to SMALL_MAX has. */
function digitsOf(value: number): number {
  if (value < 10) return 1;
  if (value < 100) return 2;
  if (value < 1000) return 3;
  if (value < 10_000) return 4;
  if (value < 100_000) return 5;
  if (value < 1_000_000) return 6;
  if (value < 10_000_000) return 7;
  if (value < 100_000_000) return 8;
  return value < BILLION ? 9 : 10;
}

const hexDigitsOf = (value: number): number => Math.max(1, 8 - (Math.clz32(value) >> 2));

class GrowingBytes implements BlockBuffer {
  #memory: Buffer;
  #view: DataView;
  #at = 0;

  constructor(capacity: number) {
    this.#memory = Buffer.allocUnsafe(capacity);
    this.#view = viewOf(this.#memory);
  }

  get length(): number {
    return this.#at;
  }

  #reserve(more: number): void {
    if (this.#at + more > this.#memory.length) this.#grow(more);
  }

  #grow(more: number): void {
    const bigger = Buffer.allocUnsafe(Math.max(this.#memory.length * 2, this.#at + more));
    this.#memory.copy(bigger, 0, 0, this.#at);
    this.#memory = bigger;
    this.#view = viewOf(bigger);
  }

  u8(value: number): void {
    this.#reserve(1);
    this.#memory[this.#at++] = value;
  }

  u16(value: number): void {
    this.#reserve(2);
    this.#view.setUint16(this.#at, value, true);
    this.#at += 2;
  }

  u32(value: number): void {
    this.#reserve(4);
    this.#view.setUint32(this.#at, value, true);
    this.#at += 4;
  }

  u64(value: bigint): void {
    this.#reserve(8);
    this.#view.setBigUint64(this.#at, value, true);
    this.#at += 8;
  }

  bytes(source: Uint8Array): void {
    const { length } = source;
    this.#reserve(length);
    if (length > SHORT_BYTES) this.#memory.set(source, this.#at);
    else {
      for (let index = 0; index < length; index++)
        this.#memory[this.#at + index] = source[index] ?? 0;
    }
    this.#at += length;
  }

  text(value: string): number {
    // A character of UTF-16 becomes three bytes of UTF-8 at most.
    this.#reserve(value.length * 3);
    const length =
      value.length <= SHORT_TEXT && this.#shortText(value)
        ? value.length
        : this.#memory.write(value, this.#at, 'utf8');
    this.#at += length;
    return length;
  }

  #shortText(value: string): boolean {
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      this.#memory[this.#at + index] = code;
    }
    return true;
  }

  key(key: WordKey): void {
    this.#reserve(NUMBER_BYTES);
    // Eight bytes at once; what is behind the key is overwritten by what comes next.
    this.#view.setFloat64(this.#at, key.first, true);
    if (key.length > EIGHT) this.#view.setFloat64(this.#at + EIGHT, key.second, true);
    this.#at += key.length;
  }

  number(key: WordKey, value: number): void {
    this.key(key);
    this.decimal(value);
  }

  decimal(value: number): void {
    this.#reserve(NUMBER_BYTES);
    if (value >= 0 && value <= SMALL_MAX && (value | 0) === value) {
      this.#digits(value, digitsOf(value));
    } else if (value > SMALL_MAX && Number.isSafeInteger(value)) {
      const billions = Math.floor(value / BILLION);
      this.#digits(billions, digitsOf(billions));
      this.#digits(value - billions * BILLION, BILLION_DIGITS);
    } else this.text(String(value));
  }

  /** The last `count` decimal digits of a number from 0 to SMALL_MAX. */
  #digits(value: number, count: number): void {
    const from = this.#at;
    let rest = value;
    let place = from + count;
    for (; place >= from + 2; place -= 2) {
      const next = (rest / 100) | 0;
      this.#view.setUint16(place - 2, pairs[rest - next * 100] ?? 0, true);
      rest = next;
    }
    if (place > from) this.#memory[from] = ZERO + (rest % 10);
    this.#at = from + count;
  }

  hex(value: number | bigint): void {
    this.#reserve(NUMBER_BYTES);
    this.#memory[this.#at++] = ZERO;
    this.#memory[this.#at++] = LETTER_X;
    let low = 0;
    let high = 0;
    if (typeof value === 'number') {
      if (!(value >= 0 && Number.isSafeInteger(value))) {
        this.text(value.toString(16));
        return;
      }
      low = value >>> 0;
      high = (value - low) / WORD;
    } else {
      if (value < 0n || value > U64_MAX) {
        this.text(value.toString(16));
        return;
      }
      whole[0] = value;
      low = halves[0] ?? 0;
      high = halves[1] ?? 0;
    }
    if (high !== 0) this.#hexDigits(high, hexDigitsOf(high));
    this.#hexDigits(low, high === 0 ? hexDigitsOf(low) : 8);
  }

  /** The low `count` hex digits of a u32. */
  #hexDigits(value: number, count: number): void {
    for (let shift = (count - 1) * 4; shift >= 0; shift -= 4) {
      const digit = (value >>> shift) & 0xf;
      this.#memory[this.#at++] = digit + (digit < 10 ? ZERO : HEX_LETTER);
    }
  }

  pad(): void {
    this.#reserve(3);
    while ((this.#at & 3) !== 0) this.#memory[this.#at++] = 0;
  }

  setU16(at: number, value: number): void {
    this.#view.setUint16(at, value, true);
  }

  setU32(at: number, value: number): void {
    this.#view.setUint32(at, value, true);
  }

  truncate(length: number): void {
    this.#at = Math.min(this.#at, length);
  }

  u16At(at: number): number {
    return this.#view.getUint16(at, true);
  }

  textAt(from: number, to: number): string {
    return this.#memory.toString('utf8', from, to);
  }

  take(): Uint8Array {
    const taken = Uint8Array.prototype.slice.call(this.#memory, 0, this.#at);
    this.#at = 0;
    return taken;
  }
}

const viewOf = (memory: Buffer): DataView =>
  new DataView(memory.buffer, memory.byteOffset, memory.length);

export const createBlockBuffer = (capacity = 64 * 1024): BlockBuffer => new GrowingBytes(capacity);
