import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { main } from './running-trace.ts';

const skbspan = (...args: string[]) =>
  spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });

test('check shows every backend, which one is taken and what is missing for a better one', () => {
  const { status, stdout, stderr } = skbspan('check');
  assert.equal(status, 0, stderr);
  const works = [
    ...stdout.matchAll(/^(kprobe-session|kprobe-multi|kprobe|tracepoint) +(yes|no)$/gm),
  ];
  assert.equal(works.length, 4);
  const best = works.findIndex(([, , answer]) => answer === 'yes');
  assert.match(stdout, new RegExp(`^skbspan trace takes ${String(works[best]?.[1])}\\.$`, 'm'));
  for (const [, backend] of works.slice(0, best)) {
    assert.match(stdout, new RegExp(`^ {2}${String(backend)} needs\\n {4}\\S`, 'm'));
  }
});

test('check says how many programs are loaded and whether this kernel lets them be traced', () => {
  const { stdout } = skbspan('check');
  assert.match(
    stdout,
    /^Loaded: \d+ tc programs? and \d+ XDP programs?; (?:this kernel lets them be traced\.|they cannot be traced here: .+)$/m,
  );
});

test('functions lists what would be attached, restricted by the expression', () => {
  const all = skbspan('functions', '--backend', 'tracepoint');
  assert.equal(all.status, 0, all.stderr);
  const lines = all.stdout.trim().split('\n');
  assert.ok(lines.length >= 15, `${lines.length} lines`);
  assert.ok(
    lines.every((line) => /^\w+ +tracepoint$/.test(line)),
    all.stdout,
  );
  assert.match(all.stderr, new RegExp(`tracepoint: ${lines.length} probes`));

  const some = skbspan('functions', '--backend', 'tracepoint', 'net_dev_.*');
  assert.ok(
    some.stdout
      .trim()
      .split('\n')
      .every((line) => line.startsWith('net_dev_')),
  );
  assert.equal(skbspan('functions', '--backend', 'tracepoint', 'net_dev').status, 2);
});
