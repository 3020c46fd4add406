// OpenTelemetry's TCP option on real packets, put there by a program of the cgroup, as eBPF instrumentation does; one Jaeger.
import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { runProgram } from '../../src/cli/demo-network.ts';
import type { SeenSpan } from '../exporters/otlp/seen-span.ts';
import { compileBpf } from '../filter/differential.ts';
import { jaegerMissing, startJaeger } from './jaeger.ts';
import { exchangeHttp, startNetwork, startOn, traceIdsOf } from './two-hosts.ts';

const skip = jaegerMissing ?? false;
const traceId = '4bf92f3577b34da6a3ce929d0e0e4736';
const spanId = '00f067aa0ba902b7';

/** A cgroup (v2) whose TCP connections carry the option; its folder. */
async function startCgroup(t: TestContext, program: string): Promise<string> {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-option-'));
  const object = join(folder, 'tcp-option.bpf.o');
  compileBpf(new URL('tcp-option.bpf.c', import.meta.url), object);
  const [root, bpf] = [join(folder, 'cgroup'), join(folder, 'bpf')];
  const pins = join(bpf, 'programs');
  mkdirSync(root);
  mkdirSync(bpf);
  await runProgram('mount', '-t', 'cgroup2', 'none', root);
  await runProgram('mount', '-t', 'bpf', 'none', bpf);
  const group = join(root, `skbspan-option-${process.pid}`);
  mkdirSync(group, { recursive: true });
  t.after(async () => {
    await sleep(100); // whoever ran in it is gone by then
    await runProgram('rmdir', group);
    await runProgram('umount', root, bpf);
    rmSync(folder, { recursive: true });
  });
  await runProgram('bpftool', 'prog', 'loadall', object, pins);
  const pinned = join(pins, program);
  await runProgram('bpftool', 'cgroup', 'attach', group, 'sock_ops', 'pinned', pinned);
  return group;
}

for (const [program, bytes] of [
  ['put_short', 26],
  ['put_long', 27],
] as const)
  test(
    `the TCP option of ${bytes} bytes leads to the application's span, from both hosts`,
    { skip },
    async (t) => {
      const jaeger = await startJaeger(t);
      const { a, b } = await startNetwork(t);
      const group = await startCgroup(t, program);
      const onA = await startOn(t, a, 'host-a', '--otlp', jaeger.endpoint);
      const onB = await startOn(t, b, 'host-b', '--otlp', jaeger.endpoint);
      await exchangeHttp(a, b, { before: `echo $$ >${group}/cgroup.procs;` });
      await sleep(300);
      for (const trace of [onA, onB]) assert.equal((await trace.end('SIGINT')).status, 0);

      for (const [trace, name] of [
        [onA, 'host-a'],
        [onB, 'host-b'],
      ] as const) {
        const packets: { readonly from: unknown; readonly links: SeenSpan['links'] }[] = [];
        for (const id of traceIdsOf(trace, ({ flow }) => flow?.transport === 'tcp')) {
          const roots = (await jaeger.spans(id)).filter(({ parentSpanId }) => parentSpanId === '');
          for (const { attributes, links } of roots)
            packets.push({ from: attributes['source.address'], links });
        }
        const linked = packets.filter(({ links }) => links.length > 0);
        // The request, the acknowledgement of the answer, and the end: all but the first two of the client's.
        assert.ok(linked.length >= 2, `${linked.length} of ${packets.length} packets on ${name}`);
        for (const { from, links } of linked) {
          assert.equal(from, a.address, 'only the client has the program');
          assert.deepEqual(links, [
            { traceId, spanId, attributes: { 'skbspan.link.source': 'tcp-option' } },
          ]);
        }
      }
    },
  );
