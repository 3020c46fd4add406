import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { test } from 'node:test';
import { parseBtf } from '../../src/kernel/btf.ts';
import { functionId, skbFunctions, tracepointArgs } from '../../src/kernel/btf-functions.ts';
import { loadKernelBtf } from '../../src/kernel/btf-source.ts';
import { enumValues, structField, structSize } from '../../src/kernel/btf-types.ts';
import { createBtfWriter } from './btf-fixture.ts';

const createSample = () => {
  const writer = createBtfWriter();
  const int = writer.int('int', 4);
  const skb = writer.struct('sk_buff', 224);
  const types = {
    int,
    skb: writer.pointer(skb),
    constSkb: writer.pointer(writer.const(skb)),
    taggedSkb: writer.pointer(writer.typeTag(writer.volatile(skb), 'rcu')),
    aliasSkb: writer.typedef('skb_ptr', writer.pointer(writer.typedef('skb_t', skb))),
    skbSkb: writer.pointer(writer.pointer(skb)),
    byValue: skb,
    sock: writer.pointer(writer.struct('sock', 700)),
    small: writer.struct('small', 8),
    pair: writer.typedef('sockptr_t', writer.struct('', 16)),
    big: writer.struct('big', 24),
    list: writer.pointer(writer.struct('list_head', 16)),
    headers: writer.pointer(writer.struct('sk_buff_head', 24)),
    opaque: writer.pointer(writer.forward('sk_buff')),
  };
  const declare = (name: string, ...params: (keyof typeof types)[]): void => {
    const proto = writer.proto(
      int,
      params.map((param, i) => [`p${i}`, types[param]] as const),
    );
    writer.func(name, proto);
  };
  return { writer, types, declare };
};

test('functions whose skb is a netlink message are told by what else they take', () => {
  const { writer, types, declare } = createSample();
  const all = {
    ...types,
    callback: writer.pointer(writer.struct('netlink_callback', 80)),
    header: writer.pointer(writer.struct('nlmsghdr', 16)),
    generic: writer.pointer(writer.const(writer.struct('genl_info', 100))),
    attribute: writer.pointer(writer.struct('nlattr', 4)),
  };
  const table = writer.pointer(all.attribute);
  const declareWith = (name: string, ...params: readonly number[]): void => {
    const proto = writer.proto(
      types.int,
      params.map((param, i) => [`p${i}`, param] as const),
    );
    writer.func(name, proto);
  };
  declareWith('dump', all.skb, all.callback);
  declareWith('request', all.skb, all.header, all.sock);
  declareWith('late', all.skb, all.int, all.int, all.int, all.int, all.generic);
  declareWith('change', all.skb, table);
  declareWith('execute', all.skb, all.attribute); // openvswitch runs actions on a packet
  declare('plain', 'skb');
  const found = skbFunctions(parseBtf(writer.bytes()), 'x64');
  const messages = found.filter(({ isMessage }) => isMessage === true).map(({ name }) => name);
  assert.deepEqual(messages, ['dump', 'request', 'late', 'change']);
  assert.equal(found.length, 6);
});

test('functions that take an skb, by register', () => {
  const { writer, declare } = createSample();
  declare('plain', 'skb');
  declare('constant', 'int', 'constSkb');
  declare('tagged', 'taggedSkb');
  declare('alias', 'aliasSkb');
  declare('fifth', 'int', 'int', 'int', 'int', 'skb');
  declare('sixth', 'int', 'int', 'int', 'int', 'int', 'skb');
  declare('pointer_to_pointer', 'skbSkb');
  declare('by_value', 'byValue');
  declare('queue', 'headers');
  declare('opaque', 'opaque');
  declare('output', 'int', 'sock', 'skb');
  declare('two', 'skb', 'sock', 'skb', 'skb');
  declare('after_small', 'small', 'skb');
  declare('after_pair', 'pair', 'skb');
  declare('after_big', 'big', 'skb');
  const btf = parseBtf(writer.bytes());
  const expected = [
    ['plain', 1, 0, undefined],
    ['constant', 2, 0, undefined],
    ['tagged', 1, 0, undefined],
    ['alias', 1, 0, undefined],
    ['fifth', 5, 0, undefined],
    ['opaque', 1, 0, undefined],
    ['output', 3, 2, undefined],
    ['two', 1, 2, 3],
    ['after_small', 2, 0, undefined],
    ['after_pair', 3, 0, undefined],
    ['after_big', 1, 0, undefined],
  ];
  const found = skbFunctions(btf, 'x64').map((one) => [
    one.name,
    one.skbArg,
    one.sockArg,
    one.secondSkbArg,
  ]);
  assert.deepEqual(found, expected);
  const onArm = skbFunctions(btf, 'arm64').find((one) => one.name === 'after_big');
  assert.equal(onArm?.skbArg, 2, 'a big struct travels by reference there');
});

test('functions that are given a list of skbs, or the place of one', () => {
  const { writer, types, declare } = createSample();
  declare('ip_list_rcv', 'list', 'int');
  declare('ip_list_rcv_finish', 'int', 'sock', 'list');
  declare('of_something_else', 'list');
  declare('gro_receive', 'list', 'skb');
  declare('puts_one', 'skbSkb');
  const place = (name: string) => writer.proto(types.int, [[name, types.skbSkb]]);
  writer.func('rx_handler', place('pskb'));
  writer.func('enqueue', place('to_free'));
  const found = skbFunctions(parseBtf(writer.bytes()), 'x64').map((one) => [
    one.name,
    one.skbArg,
    one.sockArg,
    one.given,
  ]);
  assert.deepEqual(found, [
    ['ip_list_rcv', 1, 0, 'list'],
    ['ip_list_rcv_finish', 3, 2, 'list'],
    ['gro_receive', 2, 0, undefined],
    ['rx_handler', 1, 0, 'place'],
  ]);
});

test('tracepoints: the hidden first argument does not count', () => {
  const { writer, types } = createSample();
  const data = ['__data', writer.pointer(0)] as const;
  const proto = writer.proto(0, [data, ['sk', types.sock], ['skb', types.constSkb]]);
  writer.typedef('btf_trace_tcp_probe', writer.pointer(proto));
  writer.typedef('btf_trace_tick', writer.pointer(writer.proto(0, [data, ['n', types.int]])));
  const btf = parseBtf(writer.bytes());
  assert.deepEqual(tracepointArgs(btf, 'tcp_probe'), { count: 2, skbIndex: 1 });
  assert.deepEqual(tracepointArgs(btf, 'tick'), { count: 1, skbIndex: undefined });
  assert.equal(tracepointArgs(btf, 'none'), undefined);
});

test('the id and parameters of a function', () => {
  const { writer, declare } = createSample();
  declare('cookie', 'int', 'int');
  const btf = parseBtf(writer.bytes());
  assert.deepEqual(functionId(btf, 'cookie'), { id: btf.endId - 1, params: 2 });
  assert.equal(functionId(btf, 'nothing'), undefined);
});

const noBtf = existsSync('/sys/kernel/btf/vmlinux') ? false : 'this kernel shows no BTF';

test('this kernel: well-known functions, structs and enums', { skip: noBtf }, () => {
  const btf = loadKernelBtf();
  const functions = new Map(skbFunctions(btf).map((one) => [one.name, one]));
  assert.ok(functions.size > 500, `${functions.size} functions take an skb`);
  const ipRcv = functions.get('ip_rcv');
  assert.equal(ipRcv?.skbArg, 1);
  const output = functions.get('ip_output');
  assert.deepEqual([output?.skbArg, output?.sockArg], [3, 2]);
  assert.equal(functions.get('skb_copy_header')?.secondSkbArg, 2);
  assert.equal(tracepointArgs(btf, 'consume_skb')?.skbIndex, 0);
  assert.ok((structSize(btf, 'sk_buff') ?? 0) > 200);
  assert.equal(structField(btf, 'sk_buff', 'next')?.offsetBits, 0);
  assert.equal(enumValues(btf, 'bpf_attach_type')?.get('BPF_TRACE_RAW_TP'), 23);
});
