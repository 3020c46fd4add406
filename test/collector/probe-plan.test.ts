import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadKernelBtf } from '../../src/kernel/btf-source.ts';
import { skbFunctions } from '../../src/kernel/btf-functions.ts';
import { isMessageFunction } from '../../src/collector/message-functions.ts';
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

test('of netlink messages are those that say so, by type or by name, and none that packets go through', () => {
  const known = new Map(skbFunctions(loadKernelBtf()).map((one) => [one.name, one]));
  const isMessage = (name: string): boolean | undefined => {
    const found = known.get(name);
    return found === undefined ? undefined : isMessageFunction(found);
  };
  const messages = ['rtnetlink_rcv_msg', 'inet_dump_ifaddr', 'netlink_unicast', 'nla_put'];
  for (const name of messages) assert.notEqual(isMessage(name), false, name);
  assert.ok(messages.some((name) => isMessage(name) === true));
  const packets = [
    ...['ip_rcv', 'tcp_v4_rcv', 'skb_clone', 'consume_skb', '__dev_queue_xmit', 'nf_hook_slow'],
    ...[
      'rtnl_kfree_skbs',
      'ioam6_fill_trace_data',
      'dev_fill_metadata_dst',
      '__nf_ct_refresh_acct',
    ],
    ...['nfqnl_enqueue_packet', 'nf_reject_fill_skb_dst', 'xfrm_input', 'br_handle_frame'],
    ...['__ndisc_fill_addr_option', 'skb_dump', 'nf_log_packet', 'do_execute_actions'],
  ];
  for (const name of packets) assert.notEqual(isMessage(name), true, name);
  assert.equal(isMessage('ip_rcv'), false);
});
