import assert from 'node:assert/strict';
import { test } from 'node:test';
import { loadKernelBtf } from '../../src/kernel/btf-source.ts';
import { skbFunctions } from '../../src/kernel/btf-functions.ts';
import { isIdle } from '../../src/collector/idle-functions.ts';
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
  messages.push('put_nla_srh', 'tcf_action_dump', 'crypto_aead_report', 'stats_put_mac_stats');
  messages.push('tc_chain_notify', 'diag_get', 'stat_put', 'mk_reply', 'maybe_add_creds');
  messages.push('__traceiter_kfree_skb', 'trace_event_raw_event_consume_skb', 'unix_scm_to_skb');
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
    ...['devlink_trap_report', 'netlbl_skbuff_err', 'mptcp_get_options', 'add_grec'],
    ...['tcf_classify', 'tcf_action_exec', 'fib_select_path', 'packet_rcv', 'sock_queue_rcv_skb'],
  ];
  for (const name of packets) assert.notEqual(isMessage(name), true, name);
  assert.equal(isMessage('ip_rcv'), false);
});

test('functions of a security module are idle where it is not active', () => {
  const active = new Set(['capability', 'apparmor']);
  const idle = ['selinux_ip_forward', 'smack_socket_sock_rcv_skb', 'bpf_lsm_socket_sock_rcv_skb'];
  const ofLabels = ['netlbl_skbuff_getattr', 'cipso_v4_skbuff_setattr', 'calipso_optptr'];
  for (const name of [...idle, ...ofLabels]) {
    assert.equal(isIdle(name, active), true, name);
    assert.equal(isIdle(name, new Set(['selinux', 'smack', 'bpf'])), false, name);
    assert.equal(isIdle(name, undefined), false, `${name}, if it is not known what is active`);
  }
  const called = ['apparmor_socket_sock_rcv_skb', 'security_sock_rcv_skb', 'ip_rcv'];
  for (const name of [...called, 'cipso_v4_validate', 'calipso_validate'])
    assert.equal(isIdle(name, active), false, name);
  for (const name of ofLabels) assert.equal(isIdle(name, new Set(['smack'])), false, name);
});
