import { existsSync, readdirSync, statfsSync, statSync } from 'node:fs';
import { UsageError } from '../errors.ts';

/** Where `ip netns add` keeps its namespaces, one file each. */
const namedFolder = '/run/netns';

/** The initial namespaces' numbers where they are fixed: that of processes always was, that of the network since 6.18. */
const initialProcesses = 0xeffffffc;
const initialNetwork = 0xeffffff9;

/** Looking at a file does not open it: no descriptor can leak here. */
const inodeOf = (path: string): number | undefined => {
  try {
    return statSync(path).ino;
  } catch {
    return undefined;
  }
};

/**
 * The initial network namespace as far as it can be seen from here: init's, or if that may not be looked at (it has a
 * capability that we lack) that of kthreadd. In a container these two are other processes, and nobody tells.
 */
const hostInode = (): number | undefined => {
  if (inodeOf('/proc/self/ns/pid') !== initialProcesses) return undefined;
  return inodeOf('/proc/1/ns/net') ?? inodeOf('/proc/2/ns/net');
};

export interface NamespaceNames {
  /** `host`, the name that `ip netns` knows it by, or `netns:<inode>`. */
  name(inode: number): string;
}

export interface NamespaceNamesOptions {
  readonly folder?: string;
  readonly host?: () => number | undefined;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

/** An inode that nobody knows makes it look again, at most this often: names may come after the first packet. */
const refreshMs = 200;

/** Names of network namespaces by their inode numbers. A namespace that is gone keeps its name until another takes the inode. */
export const createNamespaceNames = (options: NamespaceNamesOptions = {}): NamespaceNames => {
  const folder = options.folder ?? namedFolder;
  const now = options.now ?? (() => performance.now());
  const names = new Map<number, string>([[initialNetwork, 'host']]);
  let looked = -Infinity;

  const look = (): void => {
    looked = now();
    let entries: string[] = [];
    try {
      entries = readdirSync(folder);
    } catch {
      // No such folder: nobody has named a namespace yet.
    }
    for (const entry of entries) {
      const inode = inodeOf(`${folder}/${entry}`);
      if (inode !== undefined) names.set(inode, entry);
    }
    const host = (options.host ?? hostInode)();
    if (host !== undefined) names.set(host, 'host');
  };

  return {
    name(inode) {
      if (!names.has(inode) && now() - looked >= refreshMs) look();
      return names.get(inode) ?? `netns:${inode}`;
    },
  };
};

const shared = createNamespaceNames();

/** Name of a network namespace: `host`, the name that `ip netns` knows it by, or `netns:<inode>`. */
export const namespaceName = (inode: number): string => shared.name(inode);

const advice =
  'Give a path (/proc/<pid>/ns/net, /run/netns/<name>), a process id, inode:<number>, a name that `ip netns` lists, host or self.';

const nsfsMagic = 0x6e736673;

const isNamespace = (path: string): boolean => {
  try {
    return statfsSync(path).type === nsfsMagic;
  } catch {
    return false;
  }
};

const pathOf = (spec: string): string => {
  if (spec.startsWith('/')) return spec;
  if (/^\d+$/.test(spec)) return `/proc/${spec}/ns/net`;
  if (spec === 'self') return '/proc/self/ns/net';
  if (spec === 'host') return '/proc/1/ns/net';
  return `${namedFolder}/${spec}`;
};

/** Inode number of the network namespace that a user means. Throws UsageError with the forms that are understood. */
export const resolveNetns = (spec: string): number => {
  const number = /^inode:(\d+)$/.exec(spec)?.[1];
  if (number !== undefined) return Number(number);
  const path = pathOf(spec);
  const known = spec !== '' && !spec.startsWith('inode:');
  const inode = known ? (inodeOf(path) ?? unreadableHost(path)) : undefined;
  if (inode === undefined) throw new UsageError(`no network namespace "${spec}"`, { advice });
  if (existsSync(path) && !isNamespace(path))
    throw new UsageError(`"${spec}" is not a network namespace`, { advice });
  return inode;
};

const unreadableHost = (path: string): number | undefined =>
  path === '/proc/1/ns/net' ? hostInode() : undefined;
