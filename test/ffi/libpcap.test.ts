import assert from 'node:assert/strict';
import test from 'node:test';
import { compilePcap, pcapVersion, withPcapMatcher } from '../../src/ffi/libpcap.ts';
import { refusals } from '../filter/expressions.ts';

test('an expression becomes classic BPF', () => {
  assert.match(pcapVersion(), /^libpcap version/);
  // ldh [12]; jeq #0x800; ret; ret
  const code = compilePcap('ip', 'ethernet');
  assert.equal(code.length, 4 * 8);
  assert.equal(Buffer.from(code).readUInt16LE(0), 0x28);
  assert.equal(Buffer.from(code).readUInt32LE(4), 12);
  // Without an Ethernet header the version of IP tells.
  assert.notDeepEqual(compilePcap('ip', 'raw'), code);
});

test('what libpcap refuses is said in its own words', () => {
  for (const [expression, message] of refusals) {
    const wanted = { code: 'SKBSPAN_USAGE', message };
    assert.throws(() => compilePcap(expression, 'ethernet'), wanted, expression);
  }
});

test('the interpreter counts bytes that were not captured', () => {
  withPcapMatcher('greater 100', 'ethernet', (matches) => {
    assert.equal(matches(new Uint8Array(20), 100), true);
    assert.equal(matches(new Uint8Array(20), 99), false);
  });
});
