import assert from 'node:assert/strict';
import { test } from 'node:test';
import { linkOperation } from '../../src/event/layout.ts';
import { pathsOf } from '../fixtures/collector.ts';
import {
  dropRecord,
  enterRecord,
  exitRecord,
  freeRecord,
  linkRecord,
} from '../fixtures/records.ts';

const program = 0x40000000 | 5;
/** REASON_VERDICT in bpf/verdict.h. */
const reasonVerdict = 0xfffffffe;

test('a verdict that ends an XDP frame is a drop with the word for its reason', () => {
  const [path] = pathsOf([
    enterRecord({ life: 1, seq: 0, timeNs: 100, probe: program }),
    exitRecord({ life: 1, seq: 0, timeNs: 300, probe: program, returnValue: 1n }),
    dropRecord({ life: 1, seq: 1, timeNs: 310, probe: program, reason: reasonVerdict, verdict: 1 }),
  ]);
  const [life] = path?.lives ?? [];
  assert.equal(life?.calls[0]?.kind, 'xdp');
  assert.equal(life.calls[0].verdict, 'XDP_DROP');
  assert.deepEqual(life.end, {
    offsetNs: 210,
    how: 'dropped',
    reason: 'XDP_DROP',
    reasonCode: undefined,
    location: undefined,
    program: 'xdp:5',
    rule: undefined,
  });
});

test('a frame that could not be redirected is a drop, with the error and the program', () => {
  const [path] = pathsOf([
    enterRecord({ life: 1, seq: 0, timeNs: 100, probe: program }),
    exitRecord({ life: 1, seq: 0, timeNs: 300, probe: program, returnValue: 4n }),
    linkRecord({
      life: 2,
      seq: 0,
      timeNs: 310,
      parent: 1,
      parentSeq: 0,
      operation: linkOperation.xdp,
      flags: 8,
    }),
    dropRecord({
      life: 2,
      seq: 1,
      timeNs: 320,
      probe: program,
      reason: reasonVerdict - 1,
      verdict: 100,
    }),
    freeRecord({ life: 1, seq: 1, timeNs: 330, how: 1 }),
  ]);
  const end = path?.lives[1]?.end;
  assert.equal(end?.how, 'dropped');
  assert.equal(end.reason, 'XDP_REDIRECT_ERR (ENETDOWN)');
  assert.equal(end.program, 'xdp:5');
  assert.equal(path?.outcome.kind, 'dropped');
  assert.equal(path.outcome.life, 1);
});

test("an skb that a program drops keeps the kernel's reason, and names the program", () => {
  const drop = [
    enterRecord({ life: 1, seq: 0, timeNs: 100, probe: 3 }),
    enterRecord({ life: 1, seq: 1, timeNs: 110, probe: program }),
    exitRecord({ life: 1, seq: 1, timeNs: 130, probe: program, returnValue: 0n }),
    dropRecord({ life: 1, seq: 2, timeNs: 140, reason: 8 }),
    exitRecord({ life: 1, seq: 0, timeNs: 150, probe: 3 }),
  ];
  const [path] = pathsOf(drop);
  assert.equal(path?.lives[0]?.end?.reason, 'REASON_8');
  assert.equal(path.lives[0].end.program, 'xdp:5');
});

test('a program that let the packet pass has nothing to do with its drop', () => {
  const [path] = pathsOf([
    enterRecord({ life: 1, seq: 0, timeNs: 110, probe: program }),
    exitRecord({ life: 1, seq: 0, timeNs: 130, probe: program, returnValue: 2n }),
    dropRecord({ life: 1, seq: 1, timeNs: 140, reason: 8 }),
  ]);
  assert.equal(path?.lives[0]?.end?.how, 'dropped');
  assert.equal(path.lives[0].end.program, undefined);
});

test('the skb that is built from a frame is its child', () => {
  const [path, ...more] = pathsOf([
    enterRecord({ life: 1, seq: 0, timeNs: 110, probe: program }),
    exitRecord({ life: 1, seq: 0, timeNs: 130, probe: program, returnValue: 2n }),
    linkRecord({
      life: 2,
      seq: 0,
      timeNs: 140,
      parent: 1,
      parentSeq: 0,
      operation: linkOperation.xdp,
    }),
    freeRecord({ life: 1, seq: 1, timeNs: 141 }),
    enterRecord({ life: 2, seq: 1, timeNs: 150, probe: 3 }),
    exitRecord({ life: 2, seq: 1, timeNs: 160, probe: 3 }),
    freeRecord({ life: 2, seq: 2, timeNs: 170 }),
  ]);
  assert.equal(more.length, 0);
  assert.equal(path?.ending, 'ended');
  assert.deepEqual(path.lives[1]?.parent, { life: 0, call: 0, operation: 'xdp' });
});
