/** The detail records of one call as exporters see them. */
import type { CallDetail, MapAccess, MetadataValue, StructValue } from '../event/call-detail.ts';
import { detail as part, detailEvent, detailMap } from '../event/layout.ts';
import type { Call, CodeLocation } from '../event/packet-path.ts';
import { parseFlow } from '../event/packet-headers.ts';
import { partOf } from './path-records.ts';

export interface DetailReader {
  /** `records` are the word positions of a call's detail records. */
  read(
    words: Uint32Array,
    records: readonly number[],
    call: Pick<Call, 'func' | 'kind'>,
  ): CallDetail;
}

export interface DetailReaderOptions {
  readonly location: (address: bigint) => CodeLocation;
  /** Is the whole stack wanted, or the caller alone? */
  readonly stack: boolean;
  readonly caller: boolean;
  /** Expressions in the order of their values. */
  readonly metadata: readonly { readonly text: string; readonly signed: boolean }[];
  readonly skb: (bytes: Uint8Array) => StructValue;
  readonly sharedInfo: (bytes: Uint8Array) => StructValue;
}

/** What runs between a tracepoint and its program. */
const machinery =
  /^(?:bpf_prog_|bpf_get_stack|bpf_trace_run|__bpf_trace_|__traceiter_|bpf_trampoline)/;
/** The probed function comes first, unless the kernel puts its own machinery before it. */
const machineryMost = 8;

/** The frames above the probed function, or, for a tracepoint, from the one that it stands in on. */
function ownStack(
  stack: readonly CodeLocation[],
  call: Pick<Call, 'func' | 'kind'>,
): CodeLocation[] {
  const before = stack.slice(0, machineryMost);
  const last =
    call.kind === 'function'
      ? before.findIndex(({ func }) => func === call.func)
      : before.findLastIndex(({ func }) => machinery.test(func));
  return stack.slice(last + 1);
}

function readMap(view: DataView, bytes: Buffer, value: Buffer | undefined): MapAccess {
  const name = bytes.subarray(detailMap.name, detailMap.size);
  const end = name.indexOf(0);
  return {
    id: view.getUint32(detailMap.id, true),
    name: name.toString('latin1', 0, end < 0 ? name.length : end),
    type: view.getUint32(detailMap.type, true),
    keyBytes: view.getUint32(detailMap.keyBytes, true),
    valueBytes: view.getUint32(detailMap.valueBytes, true),
    key: bytes.toString('hex', detailMap.size),
    value: value?.toString('hex'),
  };
}

/** Reads what the programs of this run were asked to tell. */
export function createDetailReader(options: DetailReaderOptions): DetailReader {
  const metadataOf = (view: DataView): MetadataValue[] => {
    const readable = view.getBigUint64(0, true);
    return options.metadata.map(({ text, signed }, index) => {
      const value = view.getBigUint64(8 + 8 * index, true);
      const isReadable = (readable & (1n << BigInt(index))) !== 0n;
      const exact = signed ? BigInt.asIntN(64, value) : value;
      return { expression: text, value: isReadable ? exact : undefined };
    });
  };

  return {
    read(words, records, call) {
      const data = new Map<number, Buffer>();
      for (const at of records) {
        const bytes = words[at + (detailEvent.bytes >> 2)] ?? 0;
        const start = words.byteOffset + at * 4 + detailEvent.data;
        if (bytes > 0)
          data.set(partOf(words, at), Buffer.from(words.buffer as ArrayBuffer, start, bytes));
      }
      const viewOf = (bytes: Buffer): DataView =>
        new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
      const read = <T>(which: number, least: number, make: (bytes: Buffer) => T): T | undefined => {
        const bytes = data.get(which);
        return bytes === undefined || bytes.length < least ? undefined : make(bytes);
      };
      const stack = read(part.stack, 8, (bytes) => {
        const view = viewOf(bytes);
        const addresses = Array.from({ length: bytes.length >> 3 }, (_, index) =>
          options.location(view.getBigUint64(8 * index, true)),
        );
        return ownStack(addresses, call);
      });
      return {
        caller: options.caller ? stack?.[0] : undefined,
        stack: options.stack ? stack : undefined,
        tunnel: read(part.tunnel, 20, (bytes) =>
          parseFlow(bytes, { macOffset: undefined, networkOffset: 0, protocol: 0 }),
        ),
        controlBlock: read(part.cb, 48, (bytes) => {
          const view = viewOf(bytes);
          return Array.from({ length: 12 }, (_, index) => view.getUint32(4 * index, true));
        }),
        metadata: read(part.values, 8 * (1 + options.metadata.length), (bytes) =>
          metadataOf(viewOf(bytes)),
        ),
        skb: read(part.skb, 1, options.skb),
        sharedInfo: read(part.shared, 1, options.sharedInfo),
        map: read(part.map, detailMap.size, (bytes) =>
          readMap(viewOf(bytes), bytes, data.get(part.value)),
        ),
      };
    },
  };
}
