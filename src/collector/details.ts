/** What is to be told of each call besides: what the programs are asked for, and how their answers are read. */
import type { MemberValue, StructValue } from '../event/call-detail.ts';
import { config, detail as part } from '../event/layout.ts';
import { injectFunction } from '../filter/inject.ts';
import type { SkbValues } from '../filter/skb-expression.ts';
import { type Btf, kinds } from '../kernel/btf.ts';
import { loadKernelBtf } from '../kernel/btf-source.ts';
import { findType, structSize } from '../kernel/btf-types.ts';
import { readStruct } from '../kernel/btf-values.ts';
import type { Symbols } from './path-builder.ts';
import { createDetailReader, type DetailReader } from './read-detail.ts';

export interface Details {
  readonly caller?: boolean;
  readonly stack?: boolean;
  readonly tunnel?: boolean;
  readonly controlBlock?: boolean;
  readonly skb?: boolean;
  readonly sharedInfo?: boolean;
  /** What is done to BPF maps. */
  readonly maps?: boolean;
  readonly metadata?: SkbValues | undefined;
}

/** Frames to ask the kernel for: some of the first are its own, between the probe and the program. */
const stackFrames = 64;
const callerFrames = 12;
const frameBytes = 8;

const skbStruct = 'sk_buff';
const sharedStruct = 'skb_shared_info';

let kernelBtf: Btf | undefined;
const vmlinux = (): Btf => (kernelBtf ??= loadKernelBtf());

/** enum detail of bpf/event.h: what is told of each call besides. */
export const partsOf = (details: Details): number =>
  (details.stack === true || details.caller === true ? part.stack : 0) |
  (details.tunnel === true ? part.tunnel : 0) |
  (details.metadata === undefined ? 0 : part.values) |
  (details.controlBlock === true ? part.cb : 0) |
  (details.skb === true ? part.skb : 0) |
  (details.sharedInfo === true ? part.shared : 0);

/** Writes struct config's members of the details. Before load. */
export function configureDetails(view: DataView, details: Details): void {
  view.setUint32(config.details, partsOf(details), true);
  const frames = details.stack === true ? stackFrames : callerFrames;
  view.setUint32(config.stackBytes, frames * frameBytes, true);
  view.setUint32(config.values, details.metadata?.fields.length ?? 0, true);
  if (details.skb === true) {
    view.setUint32(config.skbBytes, structSize(vmlinux(), skbStruct) ?? 0, true);
  }
  if (details.sharedInfo === true) {
    view.setUint32(config.sharedBytes, structSize(vmlinux(), sharedStruct) ?? 0, true);
  }
}

/** The object file with the code of the expressions in it, if there are any. */
export const injectDetails = (object: Uint8Array, { metadata }: Details): Uint8Array =>
  metadata === undefined ? object : injectFunction(object, 'skb_value', metadata.code);

/** Behind the fragments in use stands what was in the memory before. */
function withoutStaleFragments({ frags, ...rest }: StructValue): StructValue {
  const { nr_frags: count = 0 } = rest;
  if (!Array.isArray(frags) || typeof count !== 'number' || count === 0) return rest;
  return { ...rest, frags: (frags as readonly MemberValue[]).slice(0, count) };
}

/** Reads what comes back; undefined: nothing was asked for. */
export function detailReader(details: Details, symbols: Symbols): DetailReader | undefined {
  if (partsOf(details) === 0 && details.maps !== true) return undefined;
  const structReader = (name: string) => {
    const id = findType(vmlinux(), name, kinds.struct) ?? 0;
    return (bytes: Uint8Array) => readStruct(vmlinux(), id, bytes);
  };
  const readShared = structReader(sharedStruct);
  return createDetailReader({
    location: (address) => symbols.location(address),
    stack: details.stack === true,
    caller: details.caller === true,
    metadata: details.metadata?.fields ?? [],
    skb: structReader(skbStruct),
    sharedInfo: (bytes) => withoutStaleFragments(readShared(bytes)),
  });
}
