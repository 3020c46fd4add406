/** The two probes that tell which rule of nftables dropped a packet (bpf/rule.h). */
import type { BpfObject } from '../ffi/libbpf.ts';
import { attachKprobeAsync, type BpfLink } from '../ffi/links.ts';
import type { BackendName } from './backend.ts';
import { moduleNames } from '../kernel/btf-source.ts';

const module = 'nf_tables';

export const ruleProbes = [
  { program: 'nft_chain', func: 'nft_do_chain' },
  { program: 'nft_immediate', func: 'nft_immediate_eval' },
] as const;

/** They are kprobes whatever the backend is; the backend `tracepoint` is for kernels that have none. */
export const canTellRules = (backend: BackendName): boolean =>
  backend !== 'tracepoint' && moduleNames().includes(module);

/** Either both or none; then a drop by nftables names no rule, and `refused` says why. */
export async function attachRuleProbes(object: BpfObject): Promise<{
  readonly links: readonly BpfLink[];
  readonly refused: readonly { name: string; reason: string }[];
}> {
  const links: BpfLink[] = [];
  for (const { program, func } of ruleProbes) {
    try {
      const target = { func, module, address: undefined, cookie: 0n, retprobe: false };
      links.push(await attachKprobeAsync(object.program(program), target));
    } catch (error) {
      for (const link of links) link.close();
      const reason = error instanceof Error ? error.message : String(error);
      return { links: [], refused: [{ name: func, reason }] };
    }
  }
  return { links, refused: [] };
}
