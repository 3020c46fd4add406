import assert from 'node:assert/strict';
import { test } from 'node:test';
import { parseFunctionList, parseKprobeBlacklist } from '../../src/kernel/tracefs.ts';

test('wanted functions by name and module', () => {
  const text = Buffer.from(
    'ip_rcv\nveth_xmit [veth]\nnf_hook [nf_tables]\nother\nip_rcv [m]\nip_rcv\n',
  );
  assert.deepEqual(
    parseFunctionList(text, new Set(['ip_rcv', 'veth_xmit', 'absent'])),
    new Map([
      ['ip_rcv', ['', 'm', '']],
      ['veth_xmit', ['veth']],
    ]),
  );
});

test('the blacklist of kprobes', () => {
  const text = '0xffffffff81000000-0xffffffff81000010\tdo_int3\n0x1-0x2\tpage_fault\n';
  assert.deepEqual([...parseKprobeBlacklist(text)], ['do_int3', 'page_fault']);
});
