import assert from 'node:assert/strict';
import { test } from 'node:test';
import { allocators, isTrackingRole, roleOf, skbArgOf } from '../../src/collector/roles.ts';
import { probeRole } from '../../src/event/layout.ts';

const table: readonly (readonly [string, number])[] = [
  ['ip_rcv', probeRole.plain],
  ['tcp_v4_rcv', probeRole.plain],
  ['skb_push', probeRole.plain],
  ['skb_copy_datagram_iter', probeRole.plain],
  ['skb_segment', probeRole.segment],
  ['skb_gro_receive', probeRole.merge],
  ['ip_do_fragment', probeRole.fragmentList],
  ['ip6_frag_next', probeRole.fragment],
  ['inet_frag_queue_insert', probeRole.reassemble],
  ['skb_morph', probeRole.morph],
  ['__kfree_skb_defer', probeRole.free],
  ['sock_queue_rcv_skb_reason', probeRole.plain],
  ['kfree_skbmem', probeRole.freeMemory],
  ['napi_skb_cache_put', probeRole.freeMemory],
  ['__kfree_skb', probeRole.free],
  ['kfree_skb_partial', probeRole.free],
  ['napi_skb_free_stolen_head', probeRole.free],
  ['consume_skb', probeRole.release],
  ['napi_consume_skb', probeRole.release],
  ['__consume_stateless_skb', probeRole.release],
  ['kfree_skb_reason', probeRole.release],
  ['sk_skb_reason_drop', probeRole.release],
  ['dev_kfree_skb_any_reason', probeRole.release],
  ['skb_release_data', probeRole.release],
  ['skb_release_head_state', probeRole.release],
  ['skb_free_head', probeRole.release],
  ['sock_wfree', probeRole.release],
  ['__sock_wfree', probeRole.release],
  ['sock_rfree', probeRole.release],
  ['tcp_wfree', probeRole.release],
  ['sctp_wfree', probeRole.release],
  ['tpacket_destruct_skb', probeRole.release],
  ['skb_attempt_defer_free', probeRole.defer],
  ['tcp_drop_reason', probeRole.release],
  ['skb_clone', probeRole.clone],
  ['skb_copy_header', probeRole.copy],
  ['eth_type_trans', probeRole.arrival],
  ['build_skb_around', probeRole.alloc],
];

for (const [name, role] of table) {
  test(`role of ${name}`, () => {
    assert.equal(roleOf(name), role);
  });
}

test('allocators and everything that ends, clones or copies are watched whatever the user asks for', () => {
  for (const name of [
    ...allocators,
    '__kfree_skb',
    'kfree_skbmem',
    'skb_clone',
    'skb_copy_header',
    'eth_type_trans',
  ]) {
    assert.ok(isTrackingRole(roleOf(name)), name);
  }
  assert.ok(!isTrackingRole(roleOf('ip_rcv')));
  assert.ok(!isTrackingRole(roleOf('consume_skb')));
});

test('of two skbs the one that there is, not the one that is being made', () => {
  for (const [func, argument] of [
    ['skb_copy_header', 2],
    ['__copy_skb_header', 2],
    ['skb_morph', 2],
    ['skb_split', 1],
  ] as const)
    assert.equal(skbArgOf(func, roleOf(func), 1), argument, func);
});
