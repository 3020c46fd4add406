/** Control groups (v2) by what a user calls them. A group's id is the inode of its folder; its level the depth below the root. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { isAbsolute, join, relative } from 'node:path';
import { UsageError } from '../errors.ts';

export interface Cgroup {
  readonly id: bigint;
  readonly level: number;
}

/** Where cgroup2 is mounted; undefined: nowhere. A line of mountinfo: id parent device root mountpoint ... - type ... */
export function cgroupRoot(
  mountInfo = readFileSync('/proc/self/mountinfo', 'utf8'),
): string | undefined {
  for (const line of mountInfo.split('\n')) {
    const [mount, kind] = line.split(' - ');
    if (kind?.startsWith('cgroup2 ') === true) return mount?.split(' ')[4];
  }
  return undefined;
}

function knownRoot(root: string | undefined): string {
  if (root !== undefined) return root;
  throw new UsageError('no cgroup2 file system is mounted', {
    advice: 'mount -t cgroup2 none /sys/fs/cgroup',
  });
}

/** A group by the path of its folder, or by its path below the root. Throws UsageError. */
export function resolveCgroup(spec: string, root = cgroupRoot()): Cgroup {
  const top = knownRoot(root);
  const below = isAbsolute(spec) ? relative(top, spec) : spec;
  // An absolute path may be meant from the root of the groups too, as /proc/PID/cgroup writes it.
  for (const path of [join(top, below), join(top, spec)]) {
    const inside = relative(top, path);
    if (inside.startsWith('..')) continue;
    try {
      const { ino } = statSync(path, { bigint: true });
      return { id: ino, level: inside === '' ? 0 : inside.split('/').length };
    } catch {
      // Not there: the other way of reading it.
    }
  }
  throw new UsageError(`no cgroup "${spec}"`, {
    advice: `Give a folder below ${top}, or a path as in /proc/<pid>/cgroup.`,
  });
}

/** The group of a container: the one whose folder has the container's id in its name. Throws UsageError for none or several. */
export function containerCgroup(id: string, root = cgroupRoot()): Cgroup {
  const top = knownRoot(root);
  const found: string[] = [];
  const walk = (path: string): void => {
    for (const entry of readdirSync(join(top, path), { withFileTypes: true })) {
      if (!entry.isDirectory()) continue;
      const inside = join(path, entry.name);
      // `docker-<id>.scope`, `cri-containerd-<id>.scope`, `<id>`; what is below belongs to the same container.
      if (new RegExp(`(^|[-:])${id.replaceAll('.', '\\.')}`).test(entry.name)) found.push(inside);
      else walk(inside);
    }
  };
  walk('');
  const [only, ...more] = found;
  if (only === undefined) {
    throw new UsageError(`no cgroup of a container "${id}"`, {
      advice: 'Give the id as the container engine prints it; its first 4 characters or more.',
    });
  }
  if (more.length > 0) {
    throw new UsageError(`"${id}" stands for ${found.length} containers`, {
      advice: 'Give more of the id.',
    });
  }
  return resolveCgroup(only, top);
}
