import { execFile } from 'node:child_process';
import { readdir, stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { SkbspanError } from '../errors.ts';

const execute = promisify(execFile);

/** Where `ip netns` keeps the namespaces it named. */
const netnsDirectory = '/run/netns';

/** A network namespace with one end of the veth pair in it. */
export interface DemoHost {
  readonly netns: string;
  /** For `nsenter --net=`. */
  readonly netnsPath: string;
  /** Number of the namespace, as packets carry it. */
  readonly inode: number;
  readonly device: string;
  readonly address: string;
}

export interface DemoNetwork {
  readonly a: DemoHost;
  readonly b: DemoHost;
  /** UDP packets to this port are dropped by a firewall rule in `b`. */
  readonly blockedPort: number;
  /** Removes everything. Safe twice. */
  readonly remove: () => Promise<void>;
}

/** Runs one program to its end and returns what it wrote. Throws SKBSPAN_SYSCALL with its words if it fails. */
export async function runProgram(program: string, ...args: string[]): Promise<string> {
  try {
    const { stdout } = await execute(program, args);
    return stdout;
  } catch (error) {
    const missing = error instanceof Error && 'code' in error && error.code === 'ENOENT';
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim() : '';
    throw new SkbspanError(
      'SKBSPAN_SYSCALL',
      `${program} ${args.join(' ')} failed: ${said || String(error)}`,
      {
        advice: missing
          ? 'Run npm run setup: it installs what is missing.'
          : 'This needs root with CAP_NET_ADMIN and CAP_SYS_ADMIN.',
        cause: error,
      },
    );
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/** Removes the namespaces of runs that were killed before they could do it themselves; with them go their devices. */
export async function removeLeftovers(prefix: string): Promise<void> {
  const names = await readdir(netnsDirectory).catch(() => []);
  for (const name of names) {
    const pid = name.startsWith(`${prefix}-`)
      ? /^(\d+)-[ab]$/.exec(name.slice(prefix.length + 1))
      : null;
    if (pid !== null && !isAlive(Number(pid[1]))) await runProgram('ip', 'netns', 'delete', name);
  }
}

/**
 * Two network namespaces `<prefix>-<pid>-a` and `-b`, joined by a veth pair, with a firewall rule in b. Nothing is left if
 * it fails halfway.
 */
export async function createDemoNetwork(prefix: string): Promise<DemoNetwork> {
  const blockedPort = 9;
  const made: string[] = [];
  const remove = async (): Promise<void> => {
    for (const name of made.splice(0)) await runProgram('ip', 'netns', 'delete', name);
  };

  async function addNamespace(letter: 'a' | 'b'): Promise<string> {
    const name = `${prefix}-${process.pid}-${letter}`;
    await runProgram('ip', 'netns', 'add', name);
    made.push(name);
    return name;
  }
  async function setUp(netns: string, device: string, address: string): Promise<DemoHost> {
    const netnsPath = `${netnsDirectory}/${netns}`;
    // Not `ip -n`: that remounts things, which not every container allows.
    const ip = (...args: string[]) => runProgram('nsenter', `--net=${netnsPath}`, 'ip', ...args);
    // Without a link-local address there is no IPv6 chatter between the packets that matter.
    await ip('link', 'set', device, 'addrgenmode', 'none');
    await ip('address', 'add', `${address}/24`, 'dev', device);
    await ip('link', 'set', 'lo', 'up');
    await ip('link', 'set', device, 'up');
    return { netns, netnsPath, inode: (await stat(netnsPath)).ino, device, address };
  }

  try {
    const a = await addNamespace('a');
    const b = await addNamespace('b');
    const pair = ['veth-a', 'netns', a, 'type', 'veth', 'peer', 'name', 'veth-b', 'netns', b];
    await runProgram('ip', 'link', 'add', ...pair);
    const hostA = await setUp(a, 'veth-a', '10.7.0.1');
    const hostB = await setUp(b, 'veth-b', '10.7.0.2');
    const rules = `table inet skbspan_demo { chain input { type filter hook input priority 0; udp dport ${blockedPort} drop; }; }`;
    await runProgram('nsenter', `--net=${hostB.netnsPath}`, 'nft', rules);
    return { a: hostA, b: hostB, blockedPort, remove };
  } catch (error) {
    await remove();
    throw error;
  }
}
