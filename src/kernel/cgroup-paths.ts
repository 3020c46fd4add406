/**
 * Owners of cgroups by their ids, looked up when a packet names one: the id is the inode of the group's folder, so the tree
 * of folders is read, again when an unknown id comes up, but not more often than every second. A host with cgroup v1 has
 * all tasks in the root of v2, if in any: there /proc says.
 */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { cgroupRoot } from './cgroups.ts';
import { nobody, ownerOf, type Owner } from './containers.ts';

export interface CgroupOwners {
  /** `tgid`: of a process in it, 0: not known. Total. */
  owner(cgroup: bigint, tgid: number): Owner;
}

export interface CgroupOwnersOptions {
  /** undefined: no cgroup2 here. */
  readonly root?: string | undefined;
  readonly processes?: string;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

const LOOK_AGAIN_MS = 1000;
/** A tree that is read takes some microseconds per group. */
const GROUPS_MAX = 50_000;
const KNOWN_MAX = 65_536;
/** The root of cgroup v2 has this inode. */
const ROOT_ID = 1n;

function safeRoot(): string | undefined {
  try {
    return cgroupRoot();
  } catch {
    return undefined;
  }
}

/** The lines of /proc/<pid>/cgroup: hierarchy, controllers, path. */
function ownerOfProcess(file: string): Owner {
  try {
    for (const line of readFileSync(file, 'utf8').split('\n')) {
      const owner = ownerOf(line.split(':').slice(2).join(':'));
      if (owner !== nobody) return owner;
    }
  } catch {
    // The process is gone.
  }
  return nobody;
}

export function createCgroupOwners(options: CgroupOwnersOptions = {}): CgroupOwners {
  const root = 'root' in options ? options.root : safeRoot();
  const processes = options.processes ?? '/proc';
  const now = options.now ?? (() => performance.now());
  const owners = new Map<bigint, Owner>();
  const rootOwners = new Map<number, Owner>();
  let looked = -Infinity;

  const look = (top: string): void => {
    looked = now();
    // Groups that are gone keep their owner until here: sockets outlive them.
    if (owners.size > KNOWN_MAX) owners.clear();
    const left = [''];
    for (let count = 0; count < GROUPS_MAX; count++) {
      const path = left.pop();
      if (path === undefined) return;
      try {
        const folder = join(top, path);
        owners.set(statSync(folder, { bigint: true }).ino, ownerOf(path));
        for (const entry of readdirSync(folder, { withFileTypes: true }))
          if (entry.isDirectory()) left.push(`${path}/${entry.name}`);
      } catch {
        // It was removed meanwhile.
      }
    }
  };

  const ownerInRoot = (tgid: number): Owner => {
    if (tgid === 0) return nobody;
    let owner = rootOwners.get(tgid);
    if (owner === undefined) {
      owner = ownerOfProcess(`${processes}/${tgid}/cgroup`);
      if (rootOwners.size >= KNOWN_MAX) rootOwners.clear();
      rootOwners.set(tgid, owner);
    }
    return owner;
  };

  return {
    owner(cgroup, tgid) {
      if (cgroup <= ROOT_ID) return ownerInRoot(tgid);
      if (!owners.has(cgroup) && root !== undefined && now() - looked >= LOOK_AGAIN_MS) look(root);
      const owner = owners.get(cgroup);
      return owner ?? (tgid === 0 ? nobody : ownerOfProcess(`${processes}/${tgid}/cgroup`));
    },
  };
}
