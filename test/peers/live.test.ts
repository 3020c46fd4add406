// What this host's kernel did, by skbspan to a real Jaeger, against what the same run wrote as JSON.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { runProgram } from '../../src/cli/demo-network.ts';
import { checkSpans, type PathRecord } from '../exporters/otlp/check-spans.ts';
import { lossesOf, startTrace } from '../host/running-trace.ts';
import { jaegerMissing, startJaeger } from './jaeger.ts';

const skip =
  jaegerMissing ??
  (process.getuid?.() !== 0
    ? 'needs root, to load BPF programs'
    : !existsSync('/sys/kernel/btf/vmlinux')
      ? 'this kernel has no BTF'
      : false);

for (const way of ['gRPC', 'HTTP'] as const)
  test(
    `a live ping and TCP exchange by ${way}: Jaeger has every path of the run as JSON has it`,
    { skip },
    async (t) => {
      const jaeger = await startJaeger(t);
      const trace = await startTrace(
        t,
        '--otlp',
        way === 'gRPC' ? jaeger.endpoint : `${jaeger.httpEndpoint}/v1/traces`,
      );
      await runProgram('ping', '-n', '-q', '-c', '3', '-i', '0.01', '127.0.0.1');
      // A question to Jaeger is TCP on loopback.
      await assert.rejects(jaeger.spans('0'.repeat(31) + '1'), /404/);
      const { status, stderr } = await trace.end('SIGINT');
      assert.equal(status, 0, stderr);
      assert.deepEqual(lossesOf(trace.summary()), {});

      const records = trace.paths() as unknown as PathRecord[];
      const requests = records.filter(({ flow }) => flow?.transport === 'icmp');
      assert.ok(requests.length >= 6, `${requests.length} echo requests and replies`);
      assert.ok(records.some(({ flow }) => flow?.transport === 'tcp'));
      for (const record of records) checkSpans(record, await jaeger.spans(record.trace_id));
    },
  );
