import type { Call, CallKind } from './packet-path.ts';

export const callKinds = [
  'function',
  'tracepoint',
  'tc',
  'xdp',
] as const satisfies readonly CallKind[];

/** TC_ACT_* by number from -1 on, include/uapi/linux/pkt_cls.h; tcx programs return the same numbers. */
const tcActions = [
  'TC_ACT_UNSPEC',
  'TC_ACT_OK',
  'TC_ACT_RECLASSIFY',
  'TC_ACT_SHOT',
  'TC_ACT_PIPE',
  'TC_ACT_STOLEN',
  'TC_ACT_QUEUED',
  'TC_ACT_REPEAT',
  'TC_ACT_REDIRECT',
  'TC_ACT_TRAP',
] as const;

/** enum xdp_action, include/uapi/linux/bpf.h. */
const xdpActions = ['XDP_ABORTED', 'XDP_DROP', 'XDP_PASS', 'XDP_TX', 'XDP_REDIRECT'] as const;

/** The number that a program of this kind returned, as the kernel reads it: 32 bits, signed for tc. */
export const verdictNumber = (kind: CallKind, returnValue: bigint): number =>
  Number(kind === 'tc' ? BigInt.asIntN(32, returnValue) : BigInt.asUintN(32, returnValue));

/**
 * What a tc or XDP program returned, in words; a number that means nothing as `TC_ACT_<n>` or `XDP_<n>`; undefined for other
 * calls and without a return value.
 */
export function verdictName(kind: CallKind, returnValue: bigint | undefined): string | undefined {
  if (returnValue === undefined || (kind !== 'tc' && kind !== 'xdp')) return undefined;
  const verdict = verdictNumber(kind, returnValue);
  return kind === 'tc'
    ? (tcActions[verdict + 1] ?? `TC_ACT_${verdict}`)
    : (xdpActions[verdict] ?? `XDP_${verdict}`);
}

/** Verdicts after which the kernel drops the packet; XDP takes any unknown one for XDP_ABORTED. */
export const isDropVerdict = (verdict: string): boolean =>
  verdict === 'TC_ACT_SHOT' ||
  (verdict.startsWith('XDP_') && !/^XDP_(?:PASS|TX|REDIRECT)$/.test(verdict));

/** A call of a tc or XDP program. */
export const isProgram = ({ kind }: Call): boolean => kind === 'tc' || kind === 'xdp';
