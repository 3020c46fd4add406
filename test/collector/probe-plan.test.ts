import assert from 'node:assert/strict';
import { test } from 'node:test';
import { planProbes } from '../../src/collector/probe-plan.ts';

test('a broken expression is a usage error that shows it', async () => {
  await assert.rejects(planProbes({ backend: 'tracepoint', functions: 'ip_(' }), {
    code: 'SKBSPAN_USAGE',
    message: /ip_\(/,
  });
});

test('an expression that matches nothing is a usage error', async () => {
  await assert.rejects(planProbes({ backend: 'tracepoint', functions: 'no_such' }), {
    code: 'SKBSPAN_USAGE',
  });
});

test('the expression must match the whole name', async () => {
  const plan = await planProbes({ backend: 'tracepoint', functions: 'netif_rx' });
  assert.deepEqual(
    plan.probes.map((probe) => probe.func),
    ['netif_rx'],
  );
});

test('what this kernel lacks is listed with the reason', async () => {
  const plan = await planProbes({ backend: 'tracepoint', functions: undefined });
  assert.ok(plan.probes.length >= 10);
  for (const { reason } of plan.refused) assert.match(reason, /no such tracepoint|argument/);
  assert.ok(plan.probes.every((probe) => probe.id >= 0x80000000));
});
