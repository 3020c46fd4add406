/** One word of a comment (words.ts), straight to bytes: there are thirty of them per call of a kernel function. */
import type { BlockBuffer } from './block-buffer.ts';
import type { WordKey } from './word-keys.ts';
import { encodeWord } from './words.ts';

export function putNumber(out: BlockBuffer, key: WordKey, value: number): void {
  out.number(key, value);
}

export function putTime(out: BlockBuffer, key: WordKey, value: number): void {
  out.number(key, value);
  out.bytes(unit);
}

const unit = Uint8Array.of(0x6e, 0x73); // ns

export function putHex(out: BlockBuffer, key: WordKey, value: number | bigint): void {
  out.key(key);
  out.hex(value);
}

/** Names come again and again; beyond this many different ones the memory begins anew. */
const KNOWN_MAX = 16_384;
/** Longer ones hardly come again. */
const KNOWN_LENGTH_MAX = 64;
const known = new Map<string, Uint8Array>();

/** Any text; it is escaped. */
export function putText(out: BlockBuffer, key: WordKey, value: string): void {
  out.key(key);
  const { length } = value;
  if (length === 0) return;
  if (length > KNOWN_LENGTH_MAX) {
    out.text(encodeWord(value));
    return;
  }
  let bytes = known.get(value);
  if (bytes === undefined) {
    bytes = Uint8Array.from(Buffer.from(encodeWord(value)));
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(value, bytes);
  }
  out.bytes(bytes);
}

/** A big number, which is rare. */
export function putBig(out: BlockBuffer, key: WordKey, value: bigint): void {
  out.key(key);
  out.text(String(value));
}

const SLASH = 0x2f;

/** `in=0/3` */
export function putPair(out: BlockBuffer, key: WordKey, first: number, second: number): void {
  putNumber(out, key, first);
  out.u8(SLASH);
  out.decimal(second);
}
