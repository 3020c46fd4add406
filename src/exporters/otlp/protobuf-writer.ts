/** Writes a protobuf message from its end to its beginning: then a length is known when its turn comes, and nothing is moved. */
export interface ProtobufWriter {
  /** Bytes written so far. */
  readonly size: () => number;
  readonly byte: (value: number) => void;
  /** An integer from 0 up to 2^53. */
  readonly varint: (value: number) => void;
  fixed64(low: number, high: number): void;
  /** As an IEEE double. */
  double(value: number): void;
  /** UTF-8, with its length before it. */
  text(value: string): void;
  /** Eight bytes, the upper half first, with their length before them. */
  id(high: number, low: number): void;
  raw(value: Uint8Array): void;
  /** What was written since the last time, as bytes of its own. */
  take(): Uint8Array<ArrayBuffer>;
}

const utf8 = new TextEncoder();

export function createProtobufWriter(startBytes = 1 << 20): ProtobufWriter {
  let bytes = new Uint8Array(startBytes);
  let at = bytes.length;
  const double = new DataView(new ArrayBuffer(8));

  function room(count: number): void {
    if (at >= count) return;
    const used = bytes.length - at;
    const larger = new Uint8Array(Math.max(bytes.length * 2, used + count));
    larger.set(bytes.subarray(at), larger.length - used);
    bytes = larger;
    at = bytes.length - used;
  }

  function raw(value: Uint8Array): void {
    const { length } = value;
    room(length);
    at -= length;
    // Faster than set() for the few bytes of a key.
    if (length < 64) for (let i = 0; i < length; i++) bytes[at + i] = value[i] ?? 0;
    else bytes.set(value, at);
  }

  function varint(value: number): void {
    room(8);
    if (value < 0x80) {
      bytes[--at] = value;
      return;
    }
    let size = 1;
    for (let rest = value; rest >= 0x80; rest = Math.floor(rest / 0x80)) size++;
    at -= size;
    let rest = value;
    for (let i = 0; i < size - 1; i++) {
      bytes[at + i] = (rest % 0x80) | 0x80;
      rest = Math.floor(rest / 0x80);
    }
    bytes[at + size - 1] = rest;
  }

  function fixed32(value: number): void {
    at -= 4;
    bytes[at] = value;
    bytes[at + 1] = value >>> 8;
    bytes[at + 2] = value >>> 16;
    bytes[at + 3] = value >>> 24;
  }

  function fixed64(low: number, high: number): void {
    room(8);
    fixed32(high);
    fixed32(low);
  }

  return {
    size: () => bytes.length - at,
    byte(value) {
      room(1);
      bytes[--at] = value;
    },
    varint,
    fixed64,
    double(value) {
      double.setFloat64(0, value);
      fixed64(double.getUint32(4), double.getUint32(0));
    },
    text(value) {
      const { length } = value;
      room(length);
      const from = at - length;
      for (let i = 0; i < length; i++) {
        const code = value.charCodeAt(i);
        if (code >= 0x80) {
          const encoded = utf8.encode(value);
          raw(encoded);
          varint(encoded.length);
          return;
        }
        bytes[from + i] = code;
      }
      at = from;
      varint(length);
    },
    id(high, low) {
      room(9);
      at -= 9;
      bytes[at] = 8;
      for (let i = 0; i < 4; i++) {
        bytes[at + 1 + i] = high >>> (24 - 8 * i);
        bytes[at + 5 + i] = low >>> (24 - 8 * i);
      }
    },
    raw,
    take() {
      const taken = bytes.slice(at);
      at = bytes.length;
      return taken;
    },
  };
}
