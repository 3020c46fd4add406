// Runs inside the guest: two network namespaces joined by a veth pair, and skbspan itself as a child process.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a scenario works with in the guest. `a` (10.0.0.1, device va) and `b` (10.0.0.2, device vb) are namespaces. */
export interface Lab {
  /** Folder whose files come back to the host. */
  readonly folder: string;
  readonly backend: string;
  /** Runs a command to its end; throws with its output if it fails. */
  run(command: string): string;
  /** Starts a command that runs beside; ended with the scenario at the latest. */
  background(command: string): ChildProcess;
  /** Starts `skbspan trace`; resolves when it is recording. */
  trace(args?: readonly string[]): Promise<RunningTrace>;
  /** Puts facts on record for the host side. */
  record(name: string, content: unknown): void;
}

export interface RunningTrace {
  readonly pid: number;
  /** From spawning the process to its ready file. */
  readonly readyMs: number;
  /** Sends the signal and waits for the end. */
  stop(
    signal?: NodeJS.Signals,
  ): Promise<{ readonly status: number | null; readonly exitMs: number }>;
}

const READY_TIMEOUT_MS = 120_000;
const STOP_TIMEOUT_MS = 60_000;

/** Calls `ready` every few ms until it gives something else than undefined. */
export async function until<T>(
  what: string,
  timeoutMs: number,
  ready: () => T | undefined,
): Promise<T> {
  for (const end = Date.now() + timeoutMs; Date.now() < end; await sleep(5)) {
    const found = ready();
    if (found !== undefined) return found;
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`);
}

/** `filter` is skbspan's --filter-func for this machine; undefined: all functions. */
export async function withLab(
  folder: string,
  backend: string,
  filter: string | undefined,
  use: (lab: Lab) => Promise<void>,
): Promise<void> {
  const children: ChildProcess[] = [];
  mkdirSync(folder, { recursive: true });
  const run = (command: string): string => {
    try {
      return execFileSync('sh', ['-c', command], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
      throw new Error(`${command}\n${stdout}${stderr}`, { cause: error });
    }
  };
  const lab: Lab = {
    folder,
    backend,
    run,
    background: (command) => {
      const child = spawn('sh', ['-c', `exec ${command}`], { stdio: 'ignore' });
      children.push(child);
      return child;
    },
    trace: (args = []) => startTrace(folder, backend, filter, args, children),
    record: (name, content) => {
      const text = typeof content === 'string' ? content : JSON.stringify(content, undefined, 1);
      writeFileSync(join(folder, name), text);
    },
  };
  try {
    run(`ip netns add a; ip netns add b
      ip link add va netns a type veth peer name vb netns b
      ip -n a addr add 10.0.0.1/24 dev va; ip -n b addr add 10.0.0.2/24 dev vb
      for n in a b; do
        ip netns exec $n sysctl -qw net.ipv6.conf.all.disable_ipv6=1
        ip -n $n link set lo up; ip -n $n link set v$n up
      done`);
    await use(lab);
  } finally {
    for (const child of children) child.kill('SIGKILL');
    run('ip netns del a; ip netns del b');
  }
}

async function startTrace(
  folder: string,
  backend: string,
  filter: string | undefined,
  args: readonly string[],
  children: ChildProcess[],
): Promise<RunningTrace> {
  const ready = join(folder, 'ready');
  rmSync(ready, { force: true });
  const log = openSync(join(folder, 'skbspan.log'), 'w');
  const wanted = filter === undefined ? [] : ['--filter-func', filter];
  const outputs = ['--json', join(folder, 'paths.jsonl'), '--ready-file', ready];
  // On 6.1 returns are only watched when asked for.
  const exits = backend === 'kprobe' ? ['--kprobe-exits'] : [];
  const command = [
    'src/cli/main.ts',
    'trace',
    '--backend',
    backend,
    ...wanted,
    ...outputs,
    ...exits,
    ...args,
  ];
  const started = performance.now();
  const child = spawn(process.execPath, command, { stdio: ['ignore', log, log] });
  children.push(child);
  const ended = new Promise<number | null>((resolve) => child.on('exit', resolve));
  let over = false;
  void ended.then(() => {
    over = true;
  });
  const logged = (): string => readFileSync(join(folder, 'skbspan.log'), 'utf8');
  await until('skbspan is ready', READY_TIMEOUT_MS, () => {
    if (over) throw new Error(`skbspan ended before it was ready:\n${logged()}`);
    return existsSync(ready) && statSync(ready).size > 0 ? true : undefined;
  });
  const readyMs = performance.now() - started;
  return {
    pid: child.pid ?? 0,
    readyMs,
    stop: async (signal = 'SIGINT') => {
      if (over) throw new Error(`skbspan ended by itself:\n${logged()}`);
      const asked = performance.now();
      child.kill(signal);
      const late = sleep(STOP_TIMEOUT_MS, 'late' as const, { ref: false });
      const status = await Promise.race([ended, late]);
      if (status === 'late') throw new Error(`skbspan did not end on ${signal}:\n${logged()}`);
      return { status, exitMs: performance.now() - asked };
    },
  };
}
