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
  /** Zeros up to the next multiple of four. */
  pad(): void;
  /** Overwrites what stands at `at`. */
  setU16(at: number, value: number): void;
  setU32(at: number, value: number): void;
  /** Forgets all from `length` on. */
  truncate(length: number): void;
  /** A copy of all bytes; the buffer is empty then. */
  take(): Uint8Array;
}

/** Above this many characters the native encoder is quicker than a loop over them. */
const SHORT_TEXT = 24;

export function createBlockBuffer(capacity = 64 * 1024): BlockBuffer {
  let memory = Buffer.allocUnsafe(capacity);
  let view = new DataView(memory.buffer, memory.byteOffset, memory.length);
  let at = 0;

  function reserve(more: number): void {
    if (at + more <= memory.length) return;
    const bigger = Buffer.allocUnsafe(Math.max(memory.length * 2, at + more));
    memory.copy(bigger, 0, 0, at);
    memory = bigger;
    view = new DataView(memory.buffer, memory.byteOffset, memory.length);
  }

  function shortText(value: string): boolean {
    for (let index = 0; index < value.length; index++) {
      const code = value.charCodeAt(index);
      if (code > 0x7f) return false;
      memory[at + index] = code;
    }
    return true;
  }

  const buffer: BlockBuffer = {
    get length() {
      return at;
    },
    u8(value) {
      reserve(1);
      memory[at++] = value;
    },
    u16(value) {
      reserve(2);
      view.setUint16(at, value, true);
      at += 2;
    },
    u32(value) {
      reserve(4);
      view.setUint32(at, value, true);
      at += 4;
    },
    u64(value) {
      reserve(8);
      view.setBigUint64(at, value, true);
      at += 8;
    },
    bytes(source) {
      reserve(source.length);
      memory.set(source, at);
      at += source.length;
    },
    text(value) {
      // A character of UTF-16 becomes three bytes of UTF-8 at most.
      reserve(value.length * 3);
      const length =
        value.length <= SHORT_TEXT && shortText(value)
          ? value.length
          : memory.write(value, at, 'utf8');
      at += length;
      return length;
    },
    pad() {
      reserve(3);
      while ((at & 3) !== 0) memory[at++] = 0;
    },
    setU16(position, value) {
      view.setUint16(position, value, true);
    },
    setU32(position, value) {
      view.setUint32(position, value, true);
    },
    truncate(length) {
      at = Math.min(at, length);
    },
    take() {
      const taken = Uint8Array.prototype.slice.call(memory, 0, at);
      at = 0;
      return taken;
    },
  };
  return buffer;
}
