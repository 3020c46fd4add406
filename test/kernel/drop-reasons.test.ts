import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseBtf } from '../../src/kernel/btf.ts';
import { createDropReasons } from '../../src/kernel/drop-reasons.ts';
import { createBtfWriter } from './btf-fixture.ts';

const createKernel = () => {
  const writer = createBtfWriter();
  writer.enum('skb_drop_reason', [
    ['SKB_NOT_DROPPED_YET', 0],
    ['SKB_CONSUMED', 1],
    ['SKB_DROP_REASON_NO_SOCKET', 3],
    ['SKB_DROP_REASON_MAX', 128],
    ['SKB_DROP_REASON_SUBSYS_MASK', 0xffff0000],
  ]);
  writer.enum('skb_drop_reason_subsys', [
    ['SKB_DROP_REASON_SUBSYS_CORE', 0],
    ['SKB_DROP_REASON_SUBSYS_MAC80211_UNUSABLE', 1],
    ['SKB_DROP_REASON_SUBSYS_OPENVSWITCH', 2],
    ['SKB_DROP_REASON_SUBSYS_NEWCOMER', 3],
    ['SKB_DROP_REASON_SUBSYS_NUM', 4],
  ]);
  return parseBtf(writer.bytes());
};

test('core reasons by name, the unknown by number', () => {
  const reasons = createDropReasons(createKernel());
  const table: [number, string][] = [
    [0, 'NOT_DROPPED_YET'],
    [1, 'CONSUMED'],
    [3, 'NO_SOCKET'],
    [4, 'reason 4'],
    [128, 'reason 128'],
    [0x20001, 'reason 131073'],
    [0xffffffff, 'reason 4294967295'],
    [-1, 'reason 4294967295'],
  ];
  for (const [code, name] of table) assert.equal(reasons.name(code), name);
});

test("a subsystem's reasons are in its module, looked up once", () => {
  const kernel = createKernel();
  const writer = createBtfWriter(kernel.endId, kernel.stringsEnd);
  writer.enum('ovs_drop_reason', [
    ['__OVS_DROP_REASON', 0x20000],
    ['OVS_DROP_LAST_ACTION', 0x20001],
  ]);
  writer.enum('newcomer_drop_reason', [['NEWCOMER_BAD', 0x30005]]);
  const module = parseBtf(writer.bytes(), kernel, 'openvswitch');
  let asked = 0;
  const reasons = createDropReasons(kernel, () => {
    asked++;
    return [module];
  });
  assert.equal(reasons.name(3), 'NO_SOCKET');
  assert.equal(asked, 0, 'core reasons need no module');
  assert.equal(reasons.name(0x20001), 'OVS_DROP_LAST_ACTION');
  assert.equal(reasons.name(0x20002), 'reason 131074');
  assert.equal(asked, 1);
  assert.equal(reasons.name(0x30005), 'NEWCOMER_BAD', 'an enum named after its subsystem');
  assert.equal(asked, 2);
});
