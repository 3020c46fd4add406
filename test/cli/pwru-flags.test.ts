import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Command } from 'commander';
import { missingPwruFlags, pwruHint } from '../../src/cli/pwru-flags.ts';
import { parseTraceOptions } from '../../src/cli/trace-options.ts';
import { addTraceCommand } from '../../src/cli/trace.ts';

/** `pwru --help` of 1.0.12, and its two hidden ones. */
const pwru =
  'all-kmods backend debug filter-func filter-ifname filter-kprobe-batch filter-mark filter-netns filter-non-skb-funcs filter-skb-expr filter-trace-tc filter-trace-xdp filter-track-bpf-helpers filter-track-skb filter-track-skb-by-stackid filter-tunnel-pcap-l2 filter-tunnel-pcap-l3 filter-xdp-expr kernel-btf kmods netns-names-max-length output-bpfmap output-caller output-file output-file-compress output-file-max-age output-file-max-backups output-file-max-size output-json output-limit-lines output-meta output-netns-names output-skb output-skb-cb output-skb-metadata output-skb-shared-info output-stack output-tcp-flags output-tunnel output-tuple output-xdp-metadata ready-file set-percpu-buf timestamp'
    .split(' ')
    .map((name) => `--${name}`);

test('each option of pwru is either ours or refused by name', () => {
  const program = new Command();
  addTraceCommand(program, () => Promise.resolve());
  const ours = new Set(program.commands[0]?.options.map(({ long }) => long));
  for (const option of pwru) {
    assert.notEqual(ours.has(option), missingPwruFlags.includes(option), option);
  }
  assert.deepEqual(
    missingPwruFlags.filter((option) => !pwru.includes(option)),
    [],
  );
});

test('what is missing is said together with the reason', () => {
  assert.throws(() => parseTraceOptions({}, ['--kernel-btf', '--nonsense']), {
    code: 'SKBSPAN_USAGE',
    message: /unknown option --kernel-btf \(pwru has it; .*\)\n {2}unknown option --nonsense$/,
  });
  assert.match(pwruHint('--kernel-btf=x'), /running kernel/);
});

test('docs/pwru.md names every option of pwru', () => {
  const text = readFileSync(new URL('../../docs/pwru.md', import.meta.url), 'utf8');
  const table = text
    .split('\n')
    .filter((line) => line.startsWith('|'))
    .join('\n');
  for (const option of pwru) {
    // `--filter-tunnel-pcap-l2`, `-l3`: the second one is short for the whole.
    const short = option.replace(/^.*(-(?:l3|max-\w+|compress))$/, '$1');
    assert.ok(table.includes(`\`${option}`) || table.includes(`\`${short}`), option);
  }
});
