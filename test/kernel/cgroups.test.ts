import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { cgroupRoot, containerCgroup, resolveCgroup } from '../../src/kernel/cgroups.ts';

const id = '0123456789abcdef0123456789abcdef';

function tree(t: TestContext): string {
  const root = mkdtempSync(join(tmpdir(), 'skbspan-cgroups-'));
  t.after(() => {
    rmSync(root, { recursive: true });
  });
  mkdirSync(join(root, `system.slice/docker-${id}.scope/init`), { recursive: true });
  mkdirSync(join(root, 'kubepods/pod1/cri-0fff.scope'), { recursive: true });
  mkdirSync(join(root, 'kubepods/pod2/cri-0ffe.scope'), { recursive: true });
  return root;
}

test('the mount of cgroup2 is found among those of version 1', () => {
  const text = [
    '30 25 0:26 / /sys/fs/cgroup rw,relatime - tmpfs tmpfs rw,mode=755',
    '31 30 0:27 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu',
    '32 30 0:28 / /sys/fs/cgroup/unified rw shared:4 - cgroup2 cgroup2 rw',
  ].join('\n');
  assert.equal(cgroupRoot(text), '/sys/fs/cgroup/unified');
  assert.equal(cgroupRoot('30 25 0:26 / / rw - ext4 /dev/vda rw'), undefined);
});

test('a group is found by its folder, or by its path below the root', (t) => {
  const root = tree(t);
  const path = `/system.slice/docker-${id}.scope`;
  const want = { id: statSync(root + path, { bigint: true }).ino, level: 2 };
  assert.deepEqual(resolveCgroup(root + path, root), want);
  assert.deepEqual(resolveCgroup(path, root), want);
  assert.deepEqual(resolveCgroup(path.slice(1), root), want);
  assert.equal(resolveCgroup('/', root).level, 0);
  for (const bad of ['nope', '/etc', '../..']) {
    assert.throws(() => resolveCgroup(bad, root), { code: 'SKBSPAN_USAGE' }, bad);
  }
  assert.throws(() => resolveCgroup('x', undefined), { code: 'SKBSPAN_USAGE' });
});

test('a container is found by the beginning of its id, if that is enough', (t) => {
  const root = tree(t);
  assert.equal(containerCgroup('0123456789', root).level, 2);
  assert.throws(() => containerCgroup('0ff', root), { message: /stands for 2 containers/ });
  assert.throws(() => containerCgroup('abcd', root), { message: /no cgroup of a container/ });
});
