/** Probes by which the backend `tracepoint` learns of links, on kernels that have trampolines (bpf/returns.h). */
import type { BpfObject } from '../ffi/libbpf.ts';
import { attachTracing, type BpfLink } from '../ffi/links.ts';
import { canWatchFunction, trampolines } from '../kernel/features.ts';
import type { RefusedProbe } from './probe-plan.ts';
import { allocators } from './roles.ts';

/** As in bpf/returns.h, whose programs are called `fexit_skb_clone` and so on. */
export const returnProbes = [
  ['fexit', 'skb_clone'],
  ['fexit', 'skb_copy'],
  ['fexit', '__pskb_copy_fclone'],
  ['fexit', 'skb_copy_expand'],
  ['fexit', 'skb_segment'],
  ['fexit', 'skb_segment_list'],
  ['fexit', 'ip_frag_next'],
  ['fexit', 'ip6_frag_next'],
  ['fexit', 'skb_gro_receive'],
  ['fexit', 'skb_gro_receive_list'],
  ['fexit', 'skb_morph'],
  ['fentry', 'ip_do_fragment'],
  ['fentry', 'ip6_fragment'],
  ['fentry', 'inet_frag_queue_insert'],
  ['fentry', 'skb_attempt_defer_free'],
  ...allocators.map((func) => ['fexit', func] as const),
] as const;

/** Runs that the kernel skipped of such a program are no loss: a birth that was missed is what this backend has without them. */
export const isBirth = (program: string): boolean =>
  allocators.some((func) => program === `fexit_${func}`);

/** The programs that this kernel can take: none without trampolines, and not those of functions that it lacks. */
export function returnPrograms(): readonly string[] {
  if (trampolines.probe().state !== 'yes') return [];
  return returnProbes
    .filter(([end, func]) => canWatchFunction(func, end))
    .map(([end, func]) => `${end}_${func}`);
}

/** One that the kernel refuses all the same leaves its links out. */
export function attachReturnProbes(
  object: BpfObject,
  programs: readonly string[],
): { readonly links: readonly BpfLink[]; readonly refused: readonly RefusedProbe[] } {
  const links: BpfLink[] = [];
  const refused: RefusedProbe[] = [];
  for (const name of programs) {
    try {
      links.push(attachTracing(object.program(name)));
    } catch (error) {
      refused.push({ name, reason: error instanceof Error ? error.message : String(error) });
    }
  }
  return { links, refused };
}
