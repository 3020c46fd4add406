/**
 * The span of the application that a packet carries: W3C trace context in plaintext, or OpenTelemetry's TCP option.
 *
 *   option   = kind:u8 (25), length:u8 (26 | 27), trace_id[16], span_id[8] [, flags:u8]
 *              ; as OpenTelemetry's eBPF instrumentation (OBI, Beyla) writes it; without flags: sampled
 *   http/1.1 = CRLF "traceparent:" OWS value          ; the name in any case
 *   h2c      = name value                             ; HPACK (RFC 7541, 5.2), each as it is or in Huffman's code:
 *   name     = 0x0b "traceparent" | 0x88 huffman("traceparent")
 *   value    = 0x37 text[55] | (0x80 | length):u8 huffman(text)
 *   text     = version "-" 32 hex "-" 16 hex "-" flags   ; W3C Trace Context, 3.2
 *
 * A header in HTTP/2 that was sent before on the connection is only a number in the next request, and one that is split over
 * two segments is in neither: these are not found. Neither is what TLS hides, but the TCP option is outside of it.
 */
import type { PacketPath, PacketSight } from '../../event/packet-path.ts';

export interface ApplicationContext {
  /** Ids in lower-case hex: 32 digits and 16. */
  readonly traceId: string;
  readonly spanId: string;
  readonly source: 'tcp-option' | 'http' | 'h2c';
}

const TCP_OPTION = 25;
const OPTION_BYTES = 26;
const TEXT_BYTES = 55;
const NOTHING = 0;
const NO_OPERATION = 1;

/** The context in the first packet of a path that has one. */
export function findApplicationContext(path: PacketPath): ApplicationContext | undefined {
  for (const { packets } of path.lives)
    for (const sight of packets) {
      if (sight.flow?.transport !== 'tcp') continue;
      const found = readSight(sight);
      if (found !== undefined) return found;
    }
  return undefined;
}

/** Where the TCP header begins: where the kernel says, else behind an IPv4 or IPv6 header without extensions. */
function tcpOffset({ bytes, networkOffset: at, transportOffset }: PacketSight): number | undefined {
  if (transportOffset !== undefined && (at === undefined || transportOffset > at))
    return transportOffset;
  if (at === undefined) return undefined;
  const first = bytes[at] ?? 0;
  return at + (first >> 4 === 6 ? 40 : (first & 15) * 4);
}

function readSight(sight: PacketSight): ApplicationContext | undefined {
  const { bytes } = sight;
  const at = tcpOffset(sight);
  if (at === undefined) return undefined;
  const end = at + ((bytes[at + 12] ?? 0) >> 4) * 4;
  if (end < at + 20 || end > bytes.length) return undefined;
  return readOptions(bytes, at + 20, end) ?? readPayload(bytes, end);
}

const hex = (bytes: Uint8Array, from: number, to: number): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset + from, to - from).toString('hex');

/** Ids of only zeros are none. */
const valid = (context: ApplicationContext): ApplicationContext | undefined =>
  /^0+$/.test(context.traceId) || /^0+$/.test(context.spanId) ? undefined : context;

function readOptions(bytes: Uint8Array, from: number, end: number): ApplicationContext | undefined {
  for (let at = from; at < end;) {
    const kind = bytes[at] ?? NOTHING;
    if (kind === NOTHING) return undefined;
    const length = kind === NO_OPERATION ? 1 : (bytes[at + 1] ?? 0);
    if (kind !== NO_OPERATION && length < 2) return undefined;
    if (kind === TCP_OPTION && at + length <= end && (length - OPTION_BYTES) >> 1 === 0)
      return valid({
        traceId: hex(bytes, at + 2, at + 18),
        spanId: hex(bytes, at + 18, at + 26),
        source: 'tcp-option',
      });
    at += length;
  }
  return undefined;
}

function readPayload(bytes: Uint8Array, from: number): ApplicationContext | undefined {
  if (bytes.length - from < huffmanName.length + 1) return undefined;
  const payload = Buffer.from(bytes.buffer, bytes.byteOffset + from, bytes.length - from);
  const text = payload.toString('latin1');
  const line = /\r\ntraceparent:[ \t]*([^\r\n]*)/i.exec(text)?.[1];
  if (line !== undefined) return parseText(line.trim(), 'http');
  const plain = text.indexOf(plainName);
  if (plain !== -1) return parseHpack(payload, plain + plainName.length);
  const coded = payload.indexOf(huffmanName);
  return coded === -1 ? undefined : parseHpack(payload, coded + huffmanName.length);
}

function parseText(
  text: string,
  source: ApplicationContext['source'],
): ApplicationContext | undefined {
  const [, version, traceId, spanId] =
    /^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?:-|$)/.exec(text) ?? [];
  if (version === undefined || version === 'ff' || traceId === undefined || spanId === undefined)
    return undefined;
  return valid({ traceId, spanId, source });
}

function parseHpack(payload: Buffer, at: number): ApplicationContext | undefined {
  const prefix = payload[at] ?? 0;
  const length = prefix & 0x7f;
  const value = payload.subarray(at + 1, at + 1 + length);
  if (value.length < length) return undefined;
  return parseText(prefix < 0x80 ? value.toString('latin1') : decodeHuffman(value), 'h2c');
}

/** RFC 7541, appendix B, as far as the name and its values need it: code -> character, by length of the code. */
const codes: Readonly<Record<number, string>> = {
  5: '012aceiost',
  // From 0b010100 on.
  6: ' %-./3456789=A_bdfghlmnpru',
};
const FIRST_6 = 0b010100;

function encodeHuffman(text: string): Buffer {
  let bits = '';
  for (const character of text) {
    const short = codes[5]?.indexOf(character) ?? -1;
    const long = FIRST_6 + (codes[6]?.indexOf(character) ?? 0);
    bits += short === -1 ? long.toString(2).padStart(6, '0') : short.toString(2).padStart(5, '0');
  }
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1');
  return Buffer.from(padded.match(/.{8}/g)?.map((byte) => parseInt(byte, 2)) ?? []);
}

/** What is beyond the characters that a value can have ends the text. */
function decodeHuffman(bytes: Uint8Array): string {
  let text = '';
  let window = 0;
  let bits = 0;
  let at = 0;
  while (text.length <= TEXT_BYTES) {
    while (bits < 6 && at < bytes.length) {
      window = ((window << 8) | (bytes[at++] ?? 0)) & 0xffff;
      bits += 8;
    }
    if (bits < 5) return text;
    const five = (window >> (bits - 5)) & 31;
    const short = codes[5]?.[five];
    if (short !== undefined) {
      text += short;
      bits -= 5;
      continue;
    }
    const long = bits < 6 ? undefined : codes[6]?.[((window >> (bits - 6)) & 63) - FIRST_6];
    if (long === undefined) return text;
    text += long;
    bits -= 6;
  }
  return text;
}

const name = 'traceparent';
const plainName = `\x0b${name}`;
const coded = encodeHuffman(name);
const huffmanName = Buffer.concat([Buffer.of(0x80 | coded.length), coded]);
