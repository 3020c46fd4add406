import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../src/cli/demo-network.ts';
import { main, startTrace } from './running-trace.ts';

const pingLoopback = (count: number): Promise<string> =>
  runProgram('ping', '-n', '-q', '-i', '0.002', '-c', String(count), '127.0.0.1');

/** Packets on loopback until the test is over. */
function keepPinging(t: TestContext): void {
  const child = spawn('ping', ['-n', '-q', '-i', '0.01', '127.0.0.1'], { stdio: 'ignore' });
  t.after(() => child.kill());
}

async function programIds(): Promise<Set<number>> {
  const listed = JSON.parse(await runProgram('bpftool', '-j', 'prog', 'list')) as { id: number }[];
  return new Set(listed.map(({ id }) => id));
}

/** Which of `ids` are still loaded; the kernel frees programs a moment after their last user has gone. */
async function stillLoaded(ids: ReadonlySet<number>): Promise<number[]> {
  const end = Date.now() + 5000;
  while (true) {
    const now = await programIds();
    const left = [...ids].filter((id) => now.has(id));
    if (left.length === 0 || Date.now() > end) return left;
    await sleep(50);
  }
}

test('the ready file holds the process id and comes only when packets are recorded', async (t) => {
  const trace = await startTrace(t);
  assert.equal(readFileSync(trace.readyFile, 'utf8'), `${trace.pid}\n`);
  await pingLoopback(1);
  await trace.end('SIGTERM');
  assert.ok(trace.paths().length >= 2);
});

test('SIGINT ends it in under a second, with status 0 and the summary', async (t) => {
  const trace = await startTrace(t);
  await pingLoopback(5);
  const { status, stderr, stdout, exitMs } = await trace.end('SIGINT');
  assert.equal(status, 0);
  assert.ok(exitMs < 1000, `took ${exitMs} ms`);
  assert.match(stderr, /\d+ packets, \d[\d,]* events in [\d.]+ m?s \(\d[\d,]* events\/s\)\n/);
  assert.match(stderr, /nothing lost\n$/);
  assert.match(stdout, /127\.0\.0\.1/);
});

test('--duration ends it by itself', async (t) => {
  const trace = await startTrace(t, '--duration', '300ms');
  const { status, stderr, exitMs } = await trace.end();
  assert.equal(status, 0);
  assert.ok(exitMs < 2000, `took ${exitMs} ms`);
  assert.match(stderr, /; for 300 ms\n/);
});

test('--output-limit-lines ends it after exactly that many lines', async (t) => {
  keepPinging(t);
  const trace = await startTrace(t, '--format', 'table', '--output-limit-lines', '7');
  const { status, stdout } = await trace.end();
  assert.equal(status, 0);
  assert.equal(stdout.split('\n').length - 1, 7);
});

test('output to head ends cleanly when head has gone', (t) => {
  keepPinging(t);
  const command = '"$0" "$1" trace --backend tracepoint | head -n 3; exit "${PIPESTATUS[0]}"';
  const { status, stdout, stderr } = spawnSync('bash', ['-c', command, process.execPath, main], {
    encoding: 'utf8',
    timeout: 20_000,
  });
  assert.equal(status, 0, stderr);
  assert.equal(stdout.split('\n').length - 1, 3);
  assert.match(stderr, /packets, .* events in/);
  assert.doesNotMatch(stderr, /EPIPE|error|cannot/i);
});

for (const signal of ['SIGINT', 'SIGKILL'] as const) {
  test(`nothing stays in the kernel after ${signal}`, async (t) => {
    const before = await programIds();
    const trace = await startTrace(t);
    const made = new Set([...(await programIds())].filter((id) => !before.has(id)));
    assert.ok(made.size > 0, 'no program was loaded');
    await trace.end(signal);
    assert.deepEqual(await stillLoaded(made), []);
  });
}

test('what cannot be done is refused with advice and status 1 or 2', () => {
  const table: readonly (readonly [string[], number, RegExp])[] = [
    [['--json', '/no/such/folder/file'], 1, /cannot write to \/no\/such\/folder\/file.*\n {2}.+/],
    [['--filter-netns', '/no/such/netns'], 2, /\/no\/such\/netns/],
    [['--backend', 'tracepoint', '--filter-func', 'no_such_.*'], 2, /matches nothing/],
    [['--otlp', 'ftp://host'], 2, /OTLP endpoint 'ftp:\/\/host'/],
    [['--ready-file', '/no/such/folder/ready'], 1, /cannot create the ready file/],
  ];
  for (const [args, want, message] of table) {
    const run = spawnSync(process.execPath, [main, 'trace', ...args], { encoding: 'utf8' });
    assert.equal(run.status, want, `${args.join(' ')}: ${run.stderr}`);
    assert.match(run.stderr, message);
    assert.doesNotMatch(run.stderr, /\n {4}at /);
  }
});
