import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test from 'node:test';
import { presetFunctions, presetNames } from '../../src/config/presets.ts';

const ours = ['all', 'bridge', 'drops', 'netfilter', 'path', 'tcp'];
const matches = (names: readonly string[], func: string): boolean =>
  new RegExp(`^(?:${presetFunctions(names)})$`).test(func);

test('our presets are there and have what they promise', () => {
  for (const name of ours) assert.ok(presetNames().includes(name), name);
  const table: readonly (readonly [string, string, boolean])[] = [
    ['path', 'ip_rcv', true],
    ['path', 'ip_rcv_core', false],
    ['path', 'veth_xmit', true],
    ['path', '__netif_receive_skb', true],
    ['path', 'tcp_v4_rcv', true],
    ['drops', 'kfree_skb_reason', true],
    ['drops', '__kfree_skb', true],
    ['tcp', 'tcp_ack', true],
    ['tcp', 'udp_rcv', false],
    ['bridge', 'br_handle_frame', true],
    ['netfilter', 'nf_hook_slow', true],
    ['all', 'whatever', true],
  ];
  for (const [name, func, want] of table)
    assert.equal(matches([name], func), want, `${name} ${func}`);
  assert.ok(matches(['tcp', 'bridge'], 'br_forward'));
});

test("a user's preset is a file, or replaces ours by its name", (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-presets-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'mine.yaml');
  writeFileSync(file, 'about: mine\nfunctions: [foo_.*, bar]\n');
  assert.equal(presetFunctions([file]), '(?:foo_.*)|(?:bar)');
  assert.equal(presetFunctions(['mine'], [folder]), '(?:foo_.*)|(?:bar)');
  writeFileSync(file, 'functions: ["a(", b]\nabout: 3\nmore: 1\n');
  assert.throws(() => presetFunctions([file]), {
    code: 'SKBSPAN_USAGE',
    message:
      /about: .*\n {2}functions\.0: this is no regular expression\n {2}more: there is no such key/,
  });
  assert.throws(() => presetFunctions(['nosuch']), {
    code: 'SKBSPAN_USAGE',
    message: "there is no preset 'nosuch'",
  });
});
