import assert from 'node:assert/strict';
import test from 'node:test';
import { verdictsOf } from '../../../src/exporters/pcapng/packet-verdicts.ts';
import { pingPath, programsPath } from '../../fixtures/packet-paths.ts';

test('each program of a life gives its verdict, functions give none', () => {
  const [frame, skb] = programsPath().lives;
  assert.deepEqual(verdictsOf(frame?.calls ?? []), { verdicts: [{ type: 2, value: 2n }] });
  assert.deepEqual(verdictsOf(skb?.calls ?? []), { verdicts: [{ type: 1, value: 2n }] });
  assert.deepEqual(verdictsOf(pingPath().lives[0]?.calls ?? []), {});
});

test('TC_ACT_UNSPEC is written as the 64 bits of -1', () => {
  const [call] = programsPath().lives[1]?.calls.slice(-1) ?? [];
  assert.ok(call !== undefined);
  const { verdicts } = verdictsOf([{ ...call, returnValue: 0xffff_ffffn }]);
  assert.deepEqual(verdicts, [{ type: 1, value: 0xffff_ffff_ffff_ffffn }]);
});
