import assert from 'node:assert/strict';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { UsageError } from '../../src/errors.ts';
import { createNamespaceNames, resolveNetns } from '../../src/kernel/namespaces.ts';

const createFolder = (t: TestContext): string => {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-netns-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
};

/** Makes a file that stands for a namespace: its inode number. */
const addName = (folder: string, name: string): number => {
  const path = join(folder, name);
  writeFileSync(path, '');
  return statSync(path).ino;
};

test('names: host, named ones, numbers for the rest', (t) => {
  const folder = createFolder(t);
  const blue = addName(folder, 'blue');
  const names = createNamespaceNames({ folder, host: () => 42 });
  assert.equal(names.name(42), 'host');
  assert.equal(names.name(blue), 'blue');
  assert.equal(names.name(7), 'netns:7');
  assert.equal(names.name(0xeffffff9), 'host', 'the number that is fixed since 6.18');
});

test('a name that comes later is found, by one look per 200 ms', (t) => {
  const folder = createFolder(t);
  let time = 0;
  let looks = 0;
  const host = (): undefined => {
    looks++;
  };
  const names = createNamespaceNames({ folder, host, now: () => time });
  assert.equal(names.name(7), 'netns:7');
  const late = addName(folder, 'late');
  time = 199;
  assert.equal(names.name(late), `netns:${late}`);
  assert.equal(looks, 1);
  time = 200;
  assert.equal(names.name(late), 'late');
  time = 1000;
  assert.equal(names.name(late), 'late');
  assert.equal(looks, 2, 'a known one makes nobody look');
});

test('looking does not leak descriptors', (t) => {
  const folder = createFolder(t);
  addName(folder, 'one');
  let time = 0;
  const names = createNamespaceNames({ folder, now: () => (time += 1000) });
  names.name(1);
  const before = readdirSync('/proc/self/fd').length;
  for (let i = 0; i < 500; i++) names.name(1);
  assert.equal(readdirSync('/proc/self/fd').length, before);
});

test('what a user may write for a namespace', () => {
  const own = statSync('/proc/self/ns/net').ino;
  const table = ['self', String(process.pid), `/proc/${process.pid}/ns/net`, `inode:${own}`];
  for (const spec of table) assert.equal(resolveNetns(spec), own, spec);
  assert.equal(resolveNetns('inode:17'), 17);
});

test('what no user should write', () => {
  const table = ['', 'no-such-name', '/etc/passwd', '999999999', 'inode:x', '/proc/self/ns/none'];
  const isUsage = (error: unknown): boolean =>
    error instanceof UsageError && /inode:<number>/.test(error.advice ?? '');
  for (const spec of table) assert.throws(() => resolveNetns(spec), isUsage, spec);
});

test("unnamed ones, and those that a network plugin named, are called by their processes' pod or container", (t) => {
  const folder = createFolder(t);
  const processes = createFolder(t);
  const id = 'c0ffee42'.repeat(8);
  const uid = '0b3f2c1a-1111-4222-8333-944455556666';
  const plugin = addName(folder, 'cni-5f1f8c0d');
  const named = addName(folder, 'blue');
  const addProcess = (pid: string, netns: string, cgroup: string): number => {
    mkdirSync(join(processes, pid, 'ns'), { recursive: true });
    writeFileSync(join(processes, pid, 'cgroup'), cgroup);
    symlinkSync(netns, join(processes, pid, 'ns/net'));
    return statSync(join(processes, pid, 'ns/net')).ino;
  };
  addProcess('11', join(folder, 'cni-5f1f8c0d'), `0::/kubepods/pod${uid}/${id}\n`);
  addProcess('12', join(folder, 'blue'), `0::/docker/${id}\n`);
  const unnamed = addProcess('13', join(processes, '13/cgroup'), `0::/docker/${id}\n`);
  const bare = addProcess('14', join(processes, '14/cgroup'), '0::/system.slice/ssh.service\n');
  const names = createNamespaceNames({ folder, processes, host: () => undefined });
  assert.equal(names.name(plugin), `pod:${uid}`);
  assert.equal(names.name(named), 'blue');
  assert.equal(names.name(unnamed), 'container:c0ffee42c0ff');
  assert.equal(names.name(bare), `netns:${bare}`);
});
