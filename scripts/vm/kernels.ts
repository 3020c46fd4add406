import { execFileSync } from 'node:child_process';
import {
  cpSync,
  existsSync,
  globSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { openSuite, type Suite } from './debian.ts';

/** The kernels we test on, by the version they have at the time of writing; the suite decides what really comes. */
export const kernelNames = ['6.1', '6.12', '7.2'] as const;
export type KernelName = (typeof kernelNames)[number];

const SUITES: Record<KernelName, Suite> = { '6.1': 'bookworm', '6.12': 'trixie', '7.2': 'sid' };

export interface Kernel {
  readonly name: KernelName;
  /** As `uname -r` says. */
  readonly release: string;
  readonly vmlinuz: string;
  /** Folder with the modules, not compressed, and depmod's files; belongs at /usr/lib/modules/<release>. */
  readonly modules: string;
}

/** The folders of modules the guests get: all of the network, and what it and the results' disk need. */
const MODULE_FOLDERS = [
  'net',
  'drivers/net',
  'drivers/virtio',
  'drivers/block',
  'lib',
  'crypto',
  'arch',
  'fs/9p',
  'fs/overlayfs',
];

/**
 * Debian's cloud kernel of a suite, unpacked below `cache`, one folder per version. Fetches it when the suite has a
 * version not seen yet.
 *
 * @throws Error when apt or unpacking fails
 */
export function fetchKernel(name: KernelName, cache: string): Kernel {
  const suite = openSuite(SUITES[name], cache);
  const meta = suite.show('linux-image-cloud-amd64');
  const image = /linux-image-\S+-cloud-amd64/.exec(meta.get('Depends') ?? '')?.[0];
  if (image === undefined) throw new Error(`Debian ${SUITES[name]} has no cloud kernel`);
  const home = join(cache, 'kernels', `${name}-${meta.get('Version') ?? ''}`);
  if (!existsSync(home)) {
    // From 7.x on the image package only points to others: linux-binary-*, linux-modules-*, linux-base-*.
    const parts = (suite.show(image).get('Depends') ?? '').matchAll(/linux-\w+-\d\S+-cloud-amd64/g);
    mkdirSync(dirname(home), { recursive: true });
    const unpacked = mkdtempSync(`${home}.unpack-`);
    try {
      suite.unpack([image, ...new Set(Array.from(parts, ([part]) => part))], unpacked);
      const arranged = mkdtempSync(`${home}.new-`);
      arrange(unpacked, arranged);
      renameSync(arranged, home);
    } finally {
      rmSync(unpacked, { recursive: true });
    }
  }
  const modules = globSync(join(home, 'usr/lib/modules/*'))[0];
  if (modules === undefined) throw new Error(`${home} is damaged: remove it`);
  return { name, release: basename(modules), vmlinuz: join(home, 'vmlinuz'), modules };
}

/** Brings the kernel's files, which lie differently in each release, to one form. */
function arrange(from: string, to: string): void {
  const vmlinuz = globSync([
    join(from, 'boot/vmlinuz-*'),
    join(from, 'usr/lib/modules/*/vmlinuz'),
  ])[0];
  const modules = globSync([join(from, 'lib/modules/*'), join(from, 'usr/lib/modules/*')])[0];
  if (vmlinuz === undefined || modules === undefined)
    throw new Error(`no kernel in ${readdirSync(from).join(' ')}`);
  const release = basename(modules);
  const target = join(to, 'usr/lib/modules', release);
  mkdirSync(target, { recursive: true });
  cpSync(vmlinuz, join(to, 'vmlinuz'));
  for (const file of globSync(join(modules, 'modules.*')))
    cpSync(file, join(target, basename(file)));
  for (const folder of MODULE_FOLDERS) {
    const source = join(modules, 'kernel', folder);
    if (existsSync(source)) cpSync(source, join(target, 'kernel', folder), { recursive: true });
  }
  const packed = globSync(join(target, '**/*.ko.xz'));
  if (packed.length > 0) execFileSync('xz', ['-d', '-T0', ...packed]);
  // depmod looks below lib/, which is usr/lib on every system of today.
  symlinkSync('usr/lib', join(to, 'lib'));
  execFileSync('depmod', ['-b', to, release]);
}
