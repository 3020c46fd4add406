// Runs inside the guest: two network namespaces joined by a veth pair, and skbspan itself as a child process.
import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/** What a scenario works with in the guest. `a` (10.0.0.1, device va) and `b` (10.0.0.2, device vb) are namespaces. */
export interface Lab {
  /** Folder whose files come back to the host. */
  readonly folder: string;
  readonly backend: string;
  /** skbspan's --filter-func for this machine; undefined: all functions. */
  readonly filter: string | undefined;
  /** Whether skbspan was asked to trace a function. */
  readonly wants: (func: string) => boolean;
  /** Runs a command to its end; throws with its output if it fails. */
  run(command: string): string;
  /** The same, while this process goes on: for a tracer in it. */
  finished(command: string): Promise<void>;
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
  const end = Date.now() + timeoutMs;
  while (Date.now() < end) {
    const found = ready();
    if (found !== undefined) return found;
    await sleep(5);
  }
  throw new Error(`${what}: not within ${timeoutMs} ms`);
}

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
    filter,
    wants: (func) => filter === undefined || new RegExp(`^(?:${filter})$`).test(func),
    run,
    finished: async (command) => {
      const child = spawn('sh', ['-c', command], { stdio: 'inherit' });
      children.push(child);
      const [status] = (await once(child, 'exit')) as [number | null];
      if (status !== 0) throw new Error(`${command}: status ${status}`);
    },
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

/** A tracer to be started: skbspan, or one to compare with. */
export interface Tracer {
  readonly command: readonly [string, ...string[]];
  /** Created by the tracer when it records. */
  readonly readyFile: string;
  /** Files for its stdout and stderr. */
  readonly output: string;
  readonly log: string;
}

async function startTrace(
  folder: string,
  backend: string,
  filter: string | undefined,
  args: readonly string[],
  children: ChildProcess[],
): Promise<RunningTrace> {
  const readyFile = join(folder, 'ready');
  const wanted = filter === undefined ? [] : ['--filter-func', filter];
  // On 6.1 returns are only watched when asked for.
  const exits = backend === 'kprobe' ? ['--kprobe-exits'] : [];
  const options = ['--backend', backend, ...wanted, ...exits, ...args, '--ready-file', readyFile];
  return startTracer(
    {
      command: [process.execPath, 'dist/cli/main.js', 'trace', ...options, '--json'],
      readyFile,
      output: join(folder, 'paths.jsonl'),
      log: join(folder, 'skbspan.log'),
    },
    children,
  );
}

/**
 * Node itself dies at its start once in about a hundred times under QEMU's emulation, in V8's book-keeping of code pages and
 * before a line of ours ran; never seen on a real CPU. Such a start, and no other failure, is tried again, and said.
 */
const emulatorCrash = /Check failed: it->second\.Size\(\) > offset/;

/** Starts a tracer, resolves when it is ready. It stands in `children` from its start. */
export async function startTracer(tracer: Tracer, children: ChildProcess[]): Promise<RunningTrace> {
  for (let attempt = 1; ; attempt++) {
    try {
      return await startOnce(tracer, children);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      if (attempt === 3 || !emulatorCrash.test(message)) throw error;
      console.log(`Node died at its start under emulation (V8 code pages), attempt ${attempt}`);
    }
  }
}

async function startOnce(tracer: Tracer, children: ChildProcess[]): Promise<RunningTrace> {
  const [program, ...args] = tracer.command;
  rmSync(tracer.readyFile, { force: true });
  const files = [openSync(tracer.output, 'w'), openSync(tracer.log, 'w')];
  const started = performance.now();
  const child = spawn(program, args, { stdio: ['ignore', ...files] });
  for (const file of files) closeSync(file);
  children.push(child);
  let over: string | undefined;
  const ended = new Promise<number | null>((resolve) => {
    child.on('exit', (status, signal) => {
      over = `with ${signal ?? status}`;
      resolve(status);
    });
  });
  const logged = (): string => `${program}:\n${readFileSync(tracer.log, 'utf8')}`;
  await until(`${program} is ready`, READY_TIMEOUT_MS, () => {
    if (over !== undefined) throw new Error(`ended ${over} before it was ready: ${logged()}`);
    return existsSync(tracer.readyFile) ? true : undefined;
  });
  const readyMs = performance.now() - started;
  return {
    pid: child.pid ?? 0,
    readyMs,
    stop: async (signal = 'SIGINT') => {
      if (over !== undefined) throw new Error(`ended by itself ${over}: ${logged()}`);
      const asked = performance.now();
      child.kill(signal);
      const late = sleep(STOP_TIMEOUT_MS, 'late' as const, { ref: false });
      const status = await Promise.race([ended, late]);
      if (status === 'late') throw new Error(`did not end on ${signal}: ${logged()}`);
      return { status, exitMs: performance.now() - asked };
    },
  };
}
