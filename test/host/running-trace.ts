// Runs skbspan as a user does: a process of its own, asked to stop by a signal, its output read afterwards.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

export const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

/** The part of docs/json.md that the tests read. */
export interface PathRecord {
  readonly direction: string;
  readonly ending: string;
  readonly losses: readonly unknown[];
  readonly flow: FlowRecord | null;
  readonly lives: readonly LifeRecord[];
}

export interface FlowRecord {
  readonly transport: string;
  readonly source_address: string;
  readonly source_port: number | null;
  readonly destination_address: string;
  readonly destination_port: number | null;
  readonly tcp_flags: string | null;
  readonly detail: string;
}

export interface LifeRecord {
  readonly packets: readonly { readonly bytes: string }[];
  readonly calls: readonly {
    readonly func: string;
    readonly kind: string;
    readonly timing: string;
    readonly verdict: string | null;
    readonly offset_ns: number;
    readonly device: { readonly netns: number; readonly netns_name: string; readonly name: string };
  }[];
  readonly end: { readonly how: string; readonly reason: string | null } | null;
}

export interface SummaryRecord {
  readonly events: number;
  readonly paths: number;
  readonly drops: Readonly<Record<string, number>>;
  readonly losses: Readonly<Record<string, number>>;
}

export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
  /** From the signal to the end. */
  readonly exitMs: number;
}

export interface RunningTrace {
  readonly pid: number;
  readonly readyFile: string;
  readonly jsonFile: string;
  /** Sends `signal` (none: waits for an end of its own) and waits. */
  end(signal?: NodeJS.Signals): Promise<Ended>;
  /** What `--json` wrote, once it has ended. */
  paths(): PathRecord[];
  summary(): SummaryRecord;
}

const readyMs = 20_000;

function isSummary(record: unknown): record is SummaryRecord {
  return typeof record === 'object' && record !== null && 'events' in record;
}

/** Starts `skbspan trace` with the tracepoint backend and JSON into a file; resolves when it is recording. */
export async function startTrace(t: TestContext, ...args: string[]): Promise<RunningTrace> {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-test-'));
  const readyFile = join(folder, 'ready');
  const jsonFile = join(folder, 'paths.jsonl');
  const fixed = ['--backend', 'tracepoint', '--ready-file', readyFile, '--json', jsonFile];
  const child = spawn(process.execPath, [main, 'trace', ...fixed, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const closed = once(child, 'close');
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text));
  t.after(async () => {
    child.kill('SIGKILL');
    await closed;
    rmSync(folder, { recursive: true });
  });

  const giveUpAt = Date.now() + readyMs;
  while (!existsSync(readyFile)) {
    if (child.exitCode !== null || Date.now() > giveUpAt) {
      throw new Error(`did not start:\n${stderr}`);
    }
    await sleep(5);
  }

  const records = (): unknown[] =>
    readFileSync(jsonFile, 'utf8')
      .split('\n')
      .filter((line) => line !== '')
      .map((line): unknown => JSON.parse(line));
  return {
    pid: child.pid ?? 0,
    readyFile,
    jsonFile,
    async end(signal) {
      const began = performance.now();
      if (signal !== undefined) child.kill(signal);
      await closed;
      const exitMs = performance.now() - began;
      return { status: child.exitCode, signal: child.signalCode, stdout, stderr, exitMs };
    },
    paths: () => records().filter((record) => !isSummary(record)) as PathRecord[],
    summary() {
      const found = records().find(isSummary);
      if (found === undefined) throw new Error(`no summary in ${jsonFile}`);
      return found;
    },
  };
}

/** A packet handed to a program: the only thing that the tracepoint backend sees of a raw socket's clone. */
export const isCopiedToUser = (call: { readonly func: string }): boolean =>
  call.func === 'skb:skb_copy_datagram_iovec';

/** The namespaces that the path's calls ran in, each once, in order. */
export function namespacesOf(path: PathRecord): string[] {
  const calls = path.lives.flatMap((life) => life.calls);
  const names = calls
    .filter(({ device }) => device.netns !== 0)
    .sort((left, right) => left.offset_ns - right.offset_ns)
    .map(({ device }) => device.netns_name);
  return [...new Set(names)];
}

/** Everything that was lost, by cause, without the causes that lost nothing. */
export function lossesOf(summary: SummaryRecord): Record<string, number> {
  return Object.fromEntries(Object.entries(summary.losses).filter(([, count]) => count > 0));
}
