import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../src/cli/demo-network.ts';
import { main } from './running-trace.ts';

async function demoNamespaces(): Promise<string[]> {
  const listed = await runProgram('ip', 'netns', 'list');
  return [...listed.matchAll(/^skbspan-demo-\S+/gm)].map(([name]) => name);
}

/** Where the demo leaves its pcapng. */
function demoFolder(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

test('the demo shows a ping, a TCP connection and a drop, and removes all it made', async (t) => {
  const folder = demoFolder(t);
  const { status, stdout, stderr } = spawnSync(process.execPath, [main, 'demo'], {
    encoding: 'utf8',
    cwd: folder,
  });
  assert.equal(status, 0, stderr);
  assert.match(stdout, /echo request/);
  assert.match(stdout, /echo reply/);
  assert.match(stdout, /10\.7\.0\.1:\d+ .*10\.7\.0\.2:8080/);
  assert.match(stdout, /NETFILTER_DROP/);
  assert.match(stderr, /nothing lost/);
  assert.deepEqual(await demoNamespaces(), []);

  // What it shows is in the pcapng that it says it wrote.
  assert.match(stderr, /they are in skbspan-demo\.pcapng, too, for Wireshark/);
  const file = join(folder, 'skbspan-demo.pcapng');
  const tshark = async (filter: string): Promise<string> =>
    await runProgram(
      'tshark',
      '-n',
      '-r',
      file,
      '-Y',
      filter,
      '-T',
      'fields',
      '-e',
      'frame.comment',
    );
  assert.match(await tshark('frame.comment contains "reason=NETFILTER_DROP"'), /at nft_do_chain/);
  assert.match(await tshark('icmp.type == 8'), /6 calls .*-a:veth-a -> .*-b:veth-b/);
  assert.match(await tshark('tcp.dstport == 8080 && tcp.len > 0'), /task=tcp-client /);
});

test('a demo that is interrupted cleans up; what a killed one left goes with the next', async (t) => {
  const folder = demoFolder(t);
  const start = async (): Promise<{ readonly kill: (signal: NodeJS.Signals) => Promise<void> }> => {
    const child = spawn(process.execPath, [main, 'demo'], { stdio: 'ignore', cwd: folder });
    const closed = once(child, 'close');
    t.after(() => child.kill('SIGKILL'));
    const pattern = `skbspan-demo-${child.pid ?? 0}-b`;
    while (!(await demoNamespaces()).includes(pattern)) {
      assert.equal(child.exitCode, null, 'the demo ended too early');
      await sleep(2);
    }
    return {
      async kill(signal) {
        child.kill(signal);
        await closed;
      },
    };
  };

  await (await start()).kill('SIGINT');
  assert.deepEqual(await demoNamespaces(), []);

  await (await start()).kill('SIGKILL');
  assert.equal((await demoNamespaces()).length, 2);
  await (await start()).kill('SIGINT');
  assert.deepEqual(await demoNamespaces(), []);
});
