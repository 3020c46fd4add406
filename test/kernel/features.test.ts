import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { openHandles } from '../../src/ffi/handles.ts';
import {
  checkCapabilities,
  checkKallsyms,
  checkLockdown,
  detectBackends,
  features,
} from '../../src/kernel/features.ts';

test('capabilities: root, the two that suffice, and less', () => {
  const table: [string, string][] = [
    ['000001ffffffffff', 'yes'],
    ['0000000000200000', 'yes'],
    ['000000c000000000', 'yes'],
    ['0000008000000000', 'no'],
    ['0000000000000000', 'no'],
  ];
  for (const [mask, state] of table)
    assert.equal(checkCapabilities(`Name:\tx\nCapEff:\t${mask}\n`).state, state, mask);
});

test('lockdown: only confidentiality stands in the way', () => {
  const table: [string | undefined, string][] = [
    [undefined, 'yes'],
    ['[none] integrity confidentiality\n', 'yes'],
    ['none [integrity] confidentiality\n', 'yes'],
    ['none integrity [confidentiality]\n', 'no'],
  ];
  for (const [text, state] of table) assert.equal(checkLockdown(text).state, state);
});

test('kallsyms: shown, hidden, absent', (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-kallsyms-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const path = join(folder, 'kallsyms');
  writeFileSync(path, '0000000000000000 A percpu\nffffffff81000000 T _text\n');
  assert.equal(checkKallsyms(path).state, 'yes');
  writeFileSync(path, '0000000000000000 A percpu\n0000000000000000 T _text\n');
  assert.match(checkKallsyms(path).detail, /CAP_SYSLOG/);
  assert.equal(checkKallsyms(join(folder, 'none')).state, 'no');
});

const needsRoot = process.getuid?.() === 0 ? false : 'trials need root';

test('every feature answers, and the trials leave nothing behind', { skip: needsRoot }, () => {
  const ask = () => features.map((one) => [one.name, one.probe().state]);
  const before = readdirSync('/proc/self/fd').length;
  const first = ask();
  assert.equal(readdirSync('/proc/self/fd').length, before);
  assert.deepEqual(ask(), first, 'a certain answer stays');
  for (const { name, since, why } of features) assert.ok(name !== '' && since !== '' && why !== '');
  assert.deepEqual(openHandles(), []);
});

test('backends: best first; what is missing is named', { skip: needsRoot }, () => {
  const backends = detectBackends();
  assert.deepEqual(
    backends.map((one) => one.backend),
    ['kprobe-session', 'kprobe-multi', 'kprobe', 'tracepoint'],
  );
  for (const { available, missing } of backends) assert.equal(available, missing.length === 0);
  assert.equal(backends.at(-1)?.available, true, 'tracepoints work wherever BTF does');
  const names = features.map((one) => one.name);
  for (const line of backends.flatMap((one) => one.missing))
    assert.ok(
      names.some((name) => line.startsWith(`${name}: `)),
      line,
    );
});
