/** Two namespaces on a wire, skbspan on either, and an HTTP exchange between them. */
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import type { TestContext } from 'node:test';
import {
  createDemoNetwork,
  runProgram,
  type DemoHost,
  type DemoNetwork,
} from '../../src/cli/demo-network.ts';
import { startTrace, type PathRecord, type RunningTrace } from '../host/running-trace.ts';

export async function startNetwork(t: TestContext): Promise<DemoNetwork> {
  const network = await createDemoNetwork('skbspan-hosts');
  t.after(network.remove);
  return network;
}

/** skbspan as it would run on the host that this namespace plays. */
export async function startOn(
  t: TestContext,
  host: DemoHost,
  name: string,
  ...args: string[]
): Promise<RunningTrace> {
  process.env['OTEL_RESOURCE_ATTRIBUTES'] = `host.name=${name}`;
  try {
    return await startTrace(t, '--format', 'none', '--filter-netns', host.netnsPath, ...args);
  } finally {
    delete process.env['OTEL_RESOURCE_ATTRIBUTES'];
  }
}

export const traceIdsOf = (trace: RunningTrace, wanted: (path: PathRecord) => boolean): string[] =>
  (trace.paths() as (PathRecord & { trace_id: string })[])
    .filter(wanted)
    .map(({ trace_id: id }) => id);

/** A request from one namespace to a server in the other, by curl with these arguments, after the shell's commands `before`. */
export async function exchangeHttp(
  from: DemoHost,
  to: DemoHost,
  { options = [], before = '' }: { readonly options?: readonly string[]; readonly before?: string },
): Promise<void> {
  const server = spawn(
    'nsenter',
    [
      `--net=${to.netnsPath}`,
      process.execPath,
      '-e',
      `require('http').createServer((_, answer) => answer.end('hello')).listen(8081, '${to.address}', () => console.log('ready'))`,
    ],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  try {
    await once(server.stdout, 'data');
    const url = `http://${to.address}:8081/`;
    const client = ['nsenter', `--net=${from.netnsPath}`, 'curl', '-sS', ...options, url];
    const got = await runProgram('sh', '-c', `${before} exec "$@"`, 'sh', ...client);
    assert.equal(got, 'hello');
  } finally {
    server.kill('SIGKILL');
  }
}
