/** Options of pwru that skbspan does not have, and what to do instead: nobody should have to guess. docs/pwru.md has all. */
const missing: Readonly<Record<string, string>> = {
  '--kernel-btf': 'skbspan reads the running kernel only',
  '--filter-track-skb-by-stackid': 'not supported: packets are followed by their lives',
  '--filter-track-bpf-helpers': 'not supported yet',
  '--filter-trace-tc': 'not supported yet',
  '--filter-trace-xdp': 'not supported yet',
  '--filter-xdp-expr': 'not supported yet',
  '--filter-kprobe-batch': 'not needed: kprobes are attached 64 at a time',
  '--output-xdp-metadata': 'not supported yet',
  '--netns-names-max-length': 'not needed: names are not cut',
  '--set-percpu-buf': 'not needed',
  '--debug': 'not supported',
};

/** Names of all of them. */
export const missingPwruFlags = Object.keys(missing);

/** What to add to "unknown option": empty if pwru has no such option either. */
export function pwruHint(option: string): string {
  const reason = missing[option.split('=')[0] ?? option];
  return reason === undefined ? '' : ` (pwru has it; skbspan: ${reason}; see docs/pwru.md)`;
}
