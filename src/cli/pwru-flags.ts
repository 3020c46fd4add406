/** Options of pwru that skbspan does not have, and what to do instead: nobody should have to guess. docs/pwru.md has all. */
const missing: Readonly<Record<string, string>> = {
  '--kernel-btf': 'skbspan reads the running kernel only',
  '--filter-non-skb-funcs': 'not supported yet',
  '--filter-track-skb-by-stackid': 'not supported: packets are followed by their lives',
  '--filter-track-bpf-helpers': 'not supported yet',
  '--filter-xdp-expr': 'not supported yet',
  '--filter-kprobe-batch': 'not needed: kprobes are attached 64 at a time',
  '--output-tunnel': 'not supported yet',
  '--output-skb': 'not supported yet: --json has the fields that are read',
  '--output-skb-shared-info': 'not supported yet: --json has the GSO fields',
  '--output-skb-cb': 'not supported yet',
  '--output-skb-metadata': 'not supported yet',
  '--output-xdp-metadata': 'not supported yet',
  '--output-stack': 'not supported yet: calls are shown nested',
  '--output-caller': 'not supported yet: calls are shown nested',
  '--output-bpfmap': 'not supported yet',
  '--output-netns-names': 'not needed: names are always shown',
  '--netns-names-max-length': 'not needed: names are not cut',
  '--output-file': 'not supported yet: --json FILE writes a file, text goes to standard output',
  '--output-file-max-size': 'not supported yet',
  '--output-file-max-backups': 'not supported yet',
  '--output-file-max-age': 'not supported yet',
  '--output-file-compress': 'not supported yet',
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
