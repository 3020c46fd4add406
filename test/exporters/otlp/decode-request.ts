// Reads the bytes of an ExportTraceServiceRequest field by field; what has its default value reads as if it were not there.

type Value = bigint | Uint8Array;
type Message = ReadonlyMap<number, readonly Value[]>;

const text = new TextDecoder();

function readVarint(bytes: Uint8Array, from: number): { value: bigint; next: number } {
  let value = 0n;
  for (let at = from, shift = 0n; ; at++, shift += 7n) {
    const byte = bytes[at];
    if (byte === undefined) throw new Error('a varint has no end');
    value |= BigInt(byte & 0x7f) << shift;
    if (byte < 0x80) return { value, next: at + 1 };
  }
}

function read(bytes: Uint8Array): Message {
  const fields = new Map<number, Value[]>();
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  for (let at = 0; at < bytes.length;) {
    const tag = readVarint(bytes, at);
    at = tag.next;
    const wire = Number(tag.value & 7n);
    let value: Value;
    if (wire === 0) ({ value, next: at } = readVarint(bytes, at));
    else if (wire === 1) {
      value = view.getBigUint64(at, true);
      at += 8;
    } else if (wire === 5) {
      value = BigInt(view.getUint32(at, true));
      at += 4;
    } else {
      if (wire !== 2) throw new Error(`wire type ${wire} at ${at}`);
      const length = readVarint(bytes, at);
      at = length.next + Number(length.value);
      if (at > bytes.length) throw new Error(`a field ends at ${at} of ${bytes.length}`);
      value = bytes.subarray(length.next, at);
    }
    const number = Number(tag.value >> 3n);
    fields.set(number, [...(fields.get(number) ?? []), value]);
  }
  return fields;
}

const messages = (from: Message, field: number): Message[] =>
  (from.get(field) ?? []).map((value) => read(value as Uint8Array));
const bytesOf = (from: Message, field: number): Uint8Array =>
  (from.get(field)?.[0] ?? new Uint8Array()) as Uint8Array;
const hex = (from: Message, field: number): string =>
  Buffer.from(bytesOf(from, field)).toString('hex');
const string = (from: Message, field: number): string => text.decode(bytesOf(from, field));
const number = (from: Message, field: number): bigint => (from.get(field)?.[0] ?? 0n) as bigint;

function anyValue(message: Message): unknown {
  const [[field, [value]] = [0, []]] = [...message];
  switch (field) {
    case 1:
      return text.decode(value as Uint8Array);
    case 2:
      return value === 1n;
    case 3:
      return BigInt.asIntN(64, value as bigint);
    case 4: {
      const view = new DataView(new ArrayBuffer(8));
      view.setBigUint64(0, value as bigint);
      return view.getFloat64(0);
    }
    case 5:
      return messages(read(value as Uint8Array), 1).map(anyValue);
    default:
      return undefined;
  }
}

const attributes = (from: Message, field: number): [string, unknown][] =>
  messages(from, field).map((pair) => [string(pair, 1), anyValue(read(bytesOf(pair, 2)))]);

const span = (from: Message): object => ({
  traceId: hex(from, 1),
  spanId: hex(from, 2),
  parent: hex(from, 4),
  name: string(from, 5),
  kind: number(from, 6),
  start: number(from, 7),
  end: number(from, 8),
  attributes: attributes(from, 9),
  events: messages(from, 11).map((event) => ({
    time: number(event, 1),
    name: string(event, 2),
    attributes: attributes(event, 3),
  })),
  links: messages(from, 13).map((link) => ({
    traceId: hex(link, 1),
    spanId: hex(link, 2),
    attributes: attributes(link, 4),
    flags: number(link, 6),
  })),
  status: messages(from, 15).map((status) => ({
    message: string(status, 2),
    code: number(status, 3),
  })),
  flags: number(from, 16),
});

/** All of a request that OpenTelemetry's serializer and skbspan's encoder both know of. A status without a code is none. */
export const decodeRequest = (bytes: Uint8Array): unknown =>
  messages(read(bytes), 1).map((resourceSpans) => ({
    resource: messages(resourceSpans, 1).map((resource) => attributes(resource, 1)),
    scopes: messages(resourceSpans, 2).map((scopeSpans) => ({
      scope: messages(scopeSpans, 1).map((scope) => [string(scope, 1), string(scope, 2)]),
      spans: messages(scopeSpans, 2).map((message) => {
        const read = span(message) as { status: { code: bigint }[] };
        return { ...read, status: read.status.filter(({ code }) => code !== 0n) };
      }),
    })),
  }));
