import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import { connect } from 'node:net';
import { once } from 'node:events';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { runProgram } from '../../src/cli/demo-network.ts';
import { main, startTrace } from './running-trace.ts';

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

/** Pings, a TCP connection with some megabytes, a packet that nobody wants. */
async function makeTraffic(t: TestContext): Promise<void> {
  const server: Server = createServer((_request, response) => {
    response.end(Buffer.alloc(3_000_000, 'x'));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  t.after(() => server.close());
  const address = server.address();
  const port = typeof address === 'object' ? (address?.port ?? 0) : 0;
  await runProgram('ping', '-n', '-q', '-i', '0.002', '-c', '20', '127.0.0.1');
  await runProgram('ping', '-n', '-q', '-i', '0.002', '-c', '5', '::1').catch(() => undefined);
  const body = await (await fetch(`http://127.0.0.1:${port}/`)).arrayBuffer();
  assert.equal(body.byteLength, 3_000_000);
  const refused = connect(1, '127.0.0.1');
  await once(refused, 'error').catch(() => undefined);
}

/** Segments that this kernel's TCP sent again, so far. */
function retransmissions(): number {
  const [names = [], values = []] = readFileSync('/proc/net/snmp', 'utf8')
    .split('\n')
    .filter((line) => line.startsWith('Tcp: '))
    .map((line) => line.split(' '));
  return Number(values[names.indexOf('RetransSegs')]);
}

/** Runs the command to its end. */
function skbspan(...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, [main, ...args], {
    encoding: 'utf8',
    maxBuffer: 256 * 1024 * 1024,
  });
}

const tshark = (file: string, filter: string, ...fields: string[]): Promise<string> =>
  runProgram(
    'tshark',
    ...['-n', '-r', file, '-Y', filter, '-T', 'fields'],
    ...fields.flatMap((field) => ['-e', field]),
  );

test('a recording gives the JSON that the live trace gave, byte for byte', async (t) => {
  const folder = folderOf(t);
  const recording = join(folder, 'run.pcapng.zst');
  const trace = await startTrace(t, '--pcapng', recording, '--pcapng-mode', 'hop');
  await makeTraffic(t);
  await trace.end('SIGINT');
  const converted = skbspan('convert', recording, '--json');
  assert.equal(converted.status, 0, converted.stderr);
  assert.equal(converted.stdout, readFileSync(trace.jsonFile, 'utf8'));
  assert.ok(trace.paths().length > 30);
});

test('a recording becomes text and path mode as the live trace writes them', async (t) => {
  const folder = folderOf(t);
  const recording = join(folder, 'run.pcapng.gz');
  const before = retransmissions();
  const trace = await startTrace(t, '--pcapng', recording, '--pcapng-mode', 'hop');
  await makeTraffic(t);
  const { stdout } = await trace.end('SIGINT');

  const text = skbspan('convert', recording, '--no-color');
  assert.equal(text.stdout, stdout);
  const packets = join(folder, 'packets.pcapng');
  assert.equal(skbspan('convert', recording, '--pcapng', packets).status, 0);
  // Others may ping, too.
  assert.ok((await tshark(packets, 'icmp.type == 8', 'frame.number').then(lines)) >= 20);
  // Segments are big (GSO) and cut at the snap length. None is there twice, but for those that TCP itself sent again.
  const segments = await tshark(packets, 'tcp.len > 0', 'tcp.srcport', 'tcp.seq_raw', 'tcp.len');
  const rows = segments.split('\n').slice(0, -1);
  assert.ok(rows.filter((row) => Number(row.split('\t')[2]) > 10_000).length > 5);
  const starts = rows.map((row) => row.split('\t').slice(0, 2).join());
  const again = starts.length - new Set(starts).size;
  assert.ok(again <= retransmissions() - before, `${again} segments are there twice`);
});

test('packets come by a pipe while the trace runs, and a reader that goes ends it', (t) => {
  const folder = folderOf(t);
  const script =
    'ping -n -q -i 0.01 127.0.0.1 >/dev/null & ping=$!; ' +
    '"$0" "$1" trace --backend tracepoint --pcapng - 2>"$2/stderr" | tshark -n -c 5 -r - 2>/dev/null | cat; ' +
    'echo "status ${PIPESTATUS[0]}"; kill $ping';
  const run = spawnSync('bash', ['-c', script, process.execPath, main, folder], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  const stderr = readFileSync(join(folder, 'stderr'), 'utf8');
  assert.equal(lines(run.stdout), 6, run.stdout + stderr);
  assert.match(run.stdout, /Echo \(ping\)/);
  assert.match(run.stdout, /status 0$/m);
  assert.match(stderr, /packets, .* events in/);
  assert.doesNotMatch(stderr, /EPIPE|error|cannot/i);
});

test('head ends a trace by pcapng cleanly', (t) => {
  const folder = folderOf(t);
  const script =
    'ping -n -q -i 0.01 127.0.0.1 >/dev/null & ping=$!; ' +
    '"$0" "$1" trace --backend tracepoint --pcapng - --pcapng-mode hop 2>"$2/stderr" | head -c 4000 | wc -c; ' +
    'echo "status ${PIPESTATUS[0]}"; kill $ping';
  const run = spawnSync('bash', ['-c', script, process.execPath, main, folder], {
    encoding: 'utf8',
    timeout: 30_000,
  });
  const stderr = readFileSync(join(folder, 'stderr'), 'utf8');
  assert.match(run.stdout, /^4000\nstatus 0$/m);
  assert.match(stderr, /packets, .* events in/);
  assert.doesNotMatch(stderr, /EPIPE|error|cannot/i);
});

const lines = (text: string): number => text.split('\n').length - 1;
