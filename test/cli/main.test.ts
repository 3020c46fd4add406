import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import test from 'node:test';
import { fileURLToPath } from 'node:url';

const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

function skbspan(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], { encoding: 'utf8' });
}

test('help goes to standard output and exits 0', () => {
  for (const args of [['--help'], ['trace', '--help'], ['demo', '--help'], ['functions', '-h']]) {
    const { status, stdout, stderr } = skbspan(...args);
    assert.equal(status, 0, args.join(' '));
    assert.match(stdout, /^Usage: skbspan/);
    assert.equal(stderr, '');
  }
});

test('wrong usage exits 2, says what is wrong on standard error and prints nothing else', () => {
  const table: readonly (readonly [string[], RegExp])[] = [
    [['trase'], /unknown command 'trase'/],
    [['trace', '--ring-mb', '3', '--wrong'], /unknown option --wrong\n {2}--ring-mb: want a power/],
    [['trace', '--backend'], /argument missing/],
    [['check', 'everything'], /unexpected argument everything/],
    [['functions', 'ip_('], /Invalid regular expression/],
    [['functions', '--backend', 'x'], /--backend: want kprobe-session/],
    [['demo', '--wrong'], /unknown option --wrong/],
    [[], /Usage: skbspan/],
  ];
  for (const [args, want] of table) {
    const { status, stdout, stderr } = skbspan(...args);
    assert.equal(status, 2, args.join(' '));
    assert.match(stderr, want);
    assert.equal(stdout, '');
  }
});

test('the version is that of package.json', () => {
  assert.match(skbspan('--version').stdout, /^\d+\.\d+\.\d+\n$/);
});
