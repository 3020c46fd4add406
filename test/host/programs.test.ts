import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import test from 'node:test';
import { createDemoNetwork, runProgram } from '../../src/cli/demo-network.ts';
import { ping } from '../../src/cli/demo-traffic.ts';
import { compilePrograms, programsObject } from '../vm/programs.ts';
import { startTrace } from './running-trace.ts';

compilePrograms();

/** The trace's calls of tc programs, as `name verdict`. */
const decisions = (paths: ReturnType<Awaited<ReturnType<typeof startTrace>>['paths']>): string[] =>
  paths.flatMap(({ lives }) =>
    lives.flatMap(({ calls }) =>
      calls.filter(({ kind }) => kind === 'tc').map((call) => `${call.func} ${call.verdict}`),
    ),
  );

for (const wanted of [true, false]) {
  const name = wanted
    ? 'a tc program is traced, or named with the reason why this kernel cannot'
    : '--no-filter-trace-tc leaves it alone, without a word';
  test(name, async (t) => {
    const { a, b, remove } = await createDemoNetwork('skbspan-test');
    t.after(remove);
    const inB = (...command: string[]): Promise<string> =>
      runProgram('ip', 'netns', 'exec', b.netns, ...command);
    await inB('tc', 'qdisc', 'add', 'dev', b.device, 'clsact');
    const filter = ['dev', b.device, 'ingress', 'bpf', 'da', 'obj', programsObject];
    await inB('tc', 'filter', 'add', ...filter, 'sec', 'tc_pass');
    const others = execFileSync('bpftool', ['prog'], { encoding: 'utf8' });
    const option = wanted ? '--filter-trace-tc' : '--no-filter-trace-tc';
    const trace = await startTrace(t, option, 'icmp');
    await ping(a, b);
    const { status, stderr } = await trace.end('SIGINT');
    assert.equal(status, 0);
    const refused = /tc:lets_everything_pass \(id \d+\).* not traced: (.+)/.exec(stderr)?.[1];
    const icmp = trace.paths().filter(({ flow }) => flow?.transport === 'icmp');
    assert.ok(icmp.length >= 2, `the ping was traced in any case\n${stderr}\n${others}`);
    if (!wanted) {
      assert.equal(refused, undefined);
      assert.deepEqual(decisions(icmp), []);
    } else if (refused === undefined) {
      assert.deepEqual(decisions(icmp), ['tc:lets_everything_pass TC_ACT_OK']);
    } else {
      t.diagnostic(`this kernel traces no programs: ${refused}`);
      assert.match(refused, /EPERM|ENOTSUPP|not supported/);
      assert.deepEqual(decisions(icmp), []);
    }
    assert.deepEqual(
      Object.values(trace.summary().losses).filter((count) => count !== 0),
      [],
    );
  });
}
