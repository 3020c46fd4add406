import { room, type JsonBytes } from './bytes.ts';

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
/** The two characters of each 12 bits, the first one in the lower byte. */
const pairs = Uint16Array.from(
  { length: 4096 },
  (_, bits) => ALPHABET.charCodeAt(bits >> 6) | (ALPHABET.charCodeAt(bits & 63) << 8),
);
const QUOTE = 0x22;
const PADDING = 0x3d;
const TWO_PADDINGS = PADDING | (PADDING << 8);

/** `"AAEC"`: the first bytes of a packet are too few to be worth a call and a text. */
export function putBase64(out: JsonBytes, bytes: Uint8Array): void {
  const { length } = bytes;
  room(out, Math.ceil(length / 3) * 4 + 2);
  const { view } = out;
  let { at } = out;
  view.setUint8(at++, QUOTE);
  const threes = length - (length % 3);
  for (let index = 0; index < threes; index += 3, at += 4) {
    const high = ((bytes[index] ?? 0) << 4) | ((bytes[index + 1] ?? 0) >> 4);
    const low = (((bytes[index + 1] ?? 0) & 0xf) << 8) | (bytes[index + 2] ?? 0);
    view.setUint16(at, pairs[high] ?? 0, true);
    view.setUint16(at + 2, pairs[low] ?? 0, true);
  }
  if (threes < length) {
    const second = bytes[threes + 1];
    view.setUint16(at, pairs[((bytes[threes] ?? 0) << 4) | ((second ?? 0) >> 4)] ?? 0, true);
    view.setUint16(at + 2, TWO_PADDINGS, true);
    // Its low character is the third one, its high one the padding.
    if (second !== undefined) view.setUint8(at + 2, (pairs[(second & 0xf) << 8] ?? 0) & 0xff);
    at += 4;
  }
  view.setUint8(at, QUOTE);
  out.at = at + 1;
}
