import type { PlannedProbe } from './probe-plan.ts';

/*
 * The attach cookie, grammar in bpf/event.h:
 *   bits  0..31 probe id | 32..35 skb argument | 36..39 sock argument | 40..47 role | 48 exit watched | 49 silent
 */

/** What the programs are told about one probe; `exit`: its exit is watched too. */
export function attachCookie(probe: PlannedProbe, exit: boolean): bigint {
  return (
    BigInt(probe.id) |
    (BigInt(probe.skbArg) << 32n) |
    (BigInt(probe.sockArg) << 36n) |
    (BigInt(probe.role) << 40n) |
    (exit ? 1n << 48n : 0n) |
    (probe.silent ? 1n << 49n : 0n)
  );
}
