import { existsSync, readdirSync, readFileSync, statfsSync, statSync } from 'node:fs';
import { UsageError } from '../errors.ts';
import { ownerOf } from './containers.ts';

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
  /**
   * `host`, the name that `ip netns` knows it by, that of the pod or container whose processes are in it (`pod:<uid>`,
   * `container:<12 digits of its id>`), or `netns:<inode>`.
   */
  name(inode: number): string;
}

export interface NamespaceNamesOptions {
  readonly folder?: string;
  readonly host?: () => number | undefined;
  /** Where processes are, as /proc. */
  readonly processes?: string;
  /** Milliseconds, monotonic. */
  readonly now?: () => number;
}

/** An inode that nobody knows makes it look again, at most this often: names may come after the first packet. */
const refreshMs = 200;
/** Processes are many: those are looked at still more rarely. */
const processesRefreshMs = 1000;

/** Kubernetes' network plugins give names that tell nothing: `cni-` and a random uuid. */
const saysNothing = (name: string): boolean => name.startsWith('cni-');

/** Namespaces of containers and pods by the processes in them. */
function containerNames(processes: string): Map<number, string> {
  const found = new Map<number, string>();
  let entries: string[] = [];
  try {
    entries = readdirSync(processes);
  } catch {
    return found;
  }
  for (const pid of entries) {
    if (!/^\d+$/.test(pid)) continue;
    const inode = inodeOf(`${processes}/${pid}/ns/net`);
    if (inode === undefined || found.has(inode)) continue;
    try {
      const { containerId, podUid } = ownerOf(
        readFileSync(`${processes}/${pid}/cgroup`, 'utf8').trim().replaceAll('\n', '/'),
      );
      if (podUid !== '') found.set(inode, `pod:${podUid}`);
      else if (containerId !== '') found.set(inode, `container:${containerId.slice(0, 12)}`);
    } catch {
      // The process is gone.
    }
  }
  return found;
}

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

  let lookedAtProcesses = -Infinity;
  const lookAtProcesses = (): void => {
    lookedAtProcesses = now();
    for (const [inode, name] of containerNames(options.processes ?? '/proc')) {
      // The host's own has containers' processes too (hostNetwork); and a name that a user gave is the better one.
      if (saysNothing(names.get(inode) ?? 'cni-')) names.set(inode, name);
    }
  };

  return {
    name(inode) {
      if (!names.has(inode) && now() - looked >= refreshMs) look();
      const isNamed = !saysNothing(names.get(inode) ?? 'cni-');
      if (!isNamed && now() - lookedAtProcesses >= processesRefreshMs) lookAtProcesses();
      return names.get(inode) ?? `netns:${inode}`;
    },
  };
};

const shared = createNamespaceNames();

/** Name of a network namespace: see NamespaceNames.name. */
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
