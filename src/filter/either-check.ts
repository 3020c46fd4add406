/** What a packet must be for WINDOW_EITHER in bpf/filter.h; either-window.ts says why. */
import type { Assembler, Label } from './assembler.ts';
import type { PacketLoads } from './packet-loads.ts';

/** Of the Ethernet header. */
export const etherType = { offset: 12, ip: 0x0800, ip6: 0x86dd } as const;
/** Of the first byte of IP. */
export const versionBits = { mask: 0xf0, ip: 0x40, ip6: 0x60 } as const;

/**
 * If X is not 0: goes to `unknown` unless the packet is IP by its type, and by the version in what follows the header. Leaves A and X at
 * 0, as a program begins.
 */
export function checkIp(
  to: Assembler,
  loads: PacketLoads,
  { a, x }: { readonly a: number; readonly x: number },
  linkHeaderBytes: number,
  unknown: Label,
): void {
  const checked = to.label();
  const isIp = to.label();
  to.jumpIf32('eq', x, 0, checked);
  loads.at(etherType.offset, 'half', a);
  loads.at(linkHeaderBytes, 'byte', x);
  to.alu32('and', x, versionBits.mask);
  to.jumpIf32('eq', a, etherType.ip, isIp);
  to.jumpIf32('ne', a, etherType.ip6, unknown);
  to.jumpIf32('ne', x, versionBits.ip6, unknown);
  to.alu32('mov', x, versionBits.ip);
  to.place(isIp);
  to.jumpIf32('ne', x, versionBits.ip, unknown);
  to.alu32('mov', a, 0);
  to.alu32('mov', x, 0);
  to.place(checked);
}
