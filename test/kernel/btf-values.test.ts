import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import test from 'node:test';
import { kinds } from '../../src/kernel/btf.ts';
import { loadKernelBtf } from '../../src/kernel/btf-source.ts';
import { findType, structField, structSize } from '../../src/kernel/btf-types.ts';
import { readStruct } from '../../src/kernel/btf-values.ts';

const skip = existsSync('/sys/kernel/btf/vmlinux') ? false : 'this kernel has no BTF';

test('members of an sk_buff stand where BTF says; those that are 0 are left out', { skip }, () => {
  const btf = loadKernelBtf();
  const id = findType(btf, 'sk_buff', kinds.struct) ?? 0;
  const bytes = new Uint8Array(structSize(btf, 'sk_buff') ?? 0);
  assert.deepEqual(readStruct(btf, id, bytes), {});
  const view = new DataView(bytes.buffer);
  const at = (name: string): number => (structField(btf, 'sk_buff', name)?.offsetBits ?? 0) >> 3;
  view.setUint32(at('len'), 1500, true);
  view.setInt32(at('skb_iif'), -2, true);
  view.setBigUint64(at('head'), 0xffff_8881_0000_1000n, true);
  bytes[at('cb') + 1] = 0xab;
  const pktType = structField(btf, 'sk_buff', 'pkt_type')?.offsetBits ?? 0;
  bytes[pktType >> 3] = 4 << (pktType & 7);
  const read = readStruct(btf, id, bytes);
  assert.equal(read['len'], 1500);
  assert.equal(read['skb_iif'], -2);
  assert.equal(read['head'], '0xffff888100001000');
  assert.equal(read['cb'], `00ab${'00'.repeat(46)}`);
  assert.equal(read['pkt_type'], 4);
  assert.equal('data_len' in read, false);
});

test('arrays of structs keep their places; cut memory reads as 0', { skip }, () => {
  const btf = loadKernelBtf();
  const id = findType(btf, 'skb_shared_info', kinds.struct) ?? 0;
  const bytes = new Uint8Array(structSize(btf, 'skb_shared_info') ?? 0);
  const frags = (structField(btf, 'skb_shared_info', 'frags')?.offsetBits ?? 0) >> 3;
  new DataView(bytes.buffer).setUint32(frags + 16 + 8, 77, true);
  const read = readStruct(btf, id, bytes);
  const [first, second] = read['frags'] as readonly unknown[];
  assert.equal(first, 0);
  assert.ok(Object.values(second as object).includes(77));
  assert.deepEqual(readStruct(btf, id, bytes.subarray(0, frags)), {});
});
