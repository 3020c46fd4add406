import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createCgroupOwners } from '../../src/kernel/cgroup-paths.ts';

const id = 'c0ffee42'.repeat(8);
const owned = { containerId: id, podUid: '' };
const nobody = { containerId: '', podUid: '' };

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-cgroups-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const inode = (path: string): bigint => statSync(path, { bigint: true }).ino;

test('a group is found by its id, one that comes later by one look per second', (t) => {
  const root = folderOf(t);
  const processes = folderOf(t);
  let time = 0;
  const owners = createCgroupOwners({ root, processes, now: () => time });
  mkdirSync(join(root, 'system.slice'), { recursive: true });
  assert.deepEqual(owners.owner(inode(join(root, 'system.slice')), 0), nobody);
  const group = join(root, 'system.slice', `docker-${id}.scope`);
  mkdirSync(group);
  const number = inode(group);
  time = 999;
  assert.deepEqual(owners.owner(number, 0), nobody);
  time = 1000;
  assert.deepEqual(owners.owner(number, 0), owned);
  rmSync(group, { recursive: true });
  time = 5000;
  assert.deepEqual(owners.owner(number, 0), owned, 'a socket outlives its group');
});

test('cgroup v1: the process says; so it does for a group too new to be known', (t) => {
  const processes = folderOf(t);
  mkdirSync(join(processes, '77'));
  writeFileSync(
    join(processes, '77/cgroup'),
    `12:cpu,cpuacct:/docker/${id}\n1:name=systemd:/docker/${id}\n0::/\n`,
  );
  const owners = createCgroupOwners({ root: undefined, processes });
  assert.deepEqual(owners.owner(1n, 77), owned);
  assert.deepEqual(owners.owner(1n, 78), nobody, 'that one is gone');
  assert.deepEqual(owners.owner(1n, 0), nobody);
  assert.deepEqual(owners.owner(4711n, 77), owned);
});
