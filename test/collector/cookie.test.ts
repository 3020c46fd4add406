import assert from 'node:assert/strict';
import { test } from 'node:test';
import { attachCookie } from '../../src/collector/cookie.ts';
import type { PlannedProbe } from '../../src/collector/probe-plan.ts';
import { probeRole } from '../../src/event/layout.ts';

const probe: PlannedProbe = {
  id: 0x1234,
  kind: 'function',
  func: 'skb_clone',
  module: undefined,
  address: 0xffffffff81000000n,
  skbArg: 2,
  sockArg: 5,
  role: probeRole.clone,
  silent: false,
};

test('each field stands at its bits of the cookie', () => {
  assert.equal(attachCookie(probe, false), 0x04_52_00001234n);
  assert.equal(attachCookie(probe, true), 0x1_04_52_00001234n);
  assert.equal(attachCookie({ ...probe, silent: true }, false), 0x2_04_52_00001234n);
});
