import assert from 'node:assert/strict';
import test from 'node:test';
import { addressBytes } from '../../../src/exporters/pcapng/address-bytes.ts';

test('an address of one machine as bytes, others not', () => {
  const table: readonly (readonly [string, string | undefined])[] = [
    ['10.7.0.1', '0a070001'],
    ['2001:db8::10', '20010db8000000000000000000000010'],
    ['2001:db8:1:2:3:4:5:6', '20010db8000100020003000400050006'],
    ['127.0.0.1', undefined],
    ['0.0.0.0', undefined],
    ['::1', undefined],
    ['::', undefined],
    ['fe80::1', undefined],
    ['', undefined],
    ['host', undefined],
  ];
  for (const [text, want] of table) {
    const bytes = addressBytes(text);
    const got = bytes === undefined ? undefined : Buffer.from(bytes).toString('hex');
    assert.equal(got, want, text);
  }
});
