import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';

const script = fileURLToPath(new URL('../../scripts/setup.sh', import.meta.url));

/** A folder of programs to put first in PATH: name -> shell script. */
function programs(t: TestContext, scripts: Readonly<Record<string, string>>): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-path-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  for (const [name, body] of Object.entries(scripts)) {
    writeFileSync(join(folder, name), `#!/bin/sh\n${body}\n`);
    chmodSync(join(folder, name), 0o755);
  }
  return folder;
}

/** Were it to install anything, it would say so on standard output. */
function assertRefused(
  run: { status: number | null; stdout: string; stderr: string },
  want: RegExp,
): void {
  assert.equal(run.status, 1, run.stderr);
  assert.match(run.stderr, want);
  assert.match(run.stderr, /^skbspan: .+\n {2}.+\n$/);
  assert.equal(run.stdout, '');
}

test('set-up refuses what it cannot work with, before it changes anything', (t) => {
  const table: readonly (readonly [Record<string, string>, RegExp])[] = [
    [{ uname: 'echo riscv64' }, /riscv64 is not supported/],
    [{ id: 'echo 1000' }, /root is needed/],
  ];
  for (const [scripts, want] of table) {
    const PATH = `${programs(t, scripts)}:${process.env['PATH'] ?? ''}`;
    const run = spawnSync('sh', [script], { encoding: 'utf8', env: { ...process.env, PATH } });
    assertRefused(run, want);
  }
});

test('set-up refuses a machine without apt', (t) => {
  const PATH = programs(t, {});
  for (const tool of ['dirname', 'uname', 'id', 'sh'])
    symlinkSync(`/usr/bin/${tool}`, join(PATH, tool));
  const run = spawnSync('/bin/sh', [script], { encoding: 'utf8', env: { PATH } });
  assertRefused(run, /there is no apt-get/);
});

test('set-up refuses a kernel without BTF', () => {
  const hide = 'mount -t tmpfs none /sys/kernel/btf && exec sh "$0"';
  const run = spawnSync('unshare', ['--mount', 'sh', '-c', hide, script], { encoding: 'utf8' });
  assertRefused(run, /BTF/);
});

test('set-up refuses a word that it does not know', () => {
  const run = spawnSync('sh', [script, 'everything'], { encoding: 'utf8' });
  assertRefused(run, /unknown set-up 'everything'/);
});
