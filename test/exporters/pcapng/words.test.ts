import assert from 'node:assert/strict';
import test from 'node:test';
import { decodeWord, encodeWord } from '../../../src/exporters/pcapng/words.ts';

test('any text becomes one printable word and comes back', () => {
  const texts = [
    '',
    'ip_rcv',
    'my task',
    '100%',
    '%20',
    'a=b,c/d',
    'nul\0tab\tline\n',
    'bäh → 漢字',
    '\ud800 half \udc00',
    '\u{1f600}',
    '\x7f\x80\xff',
  ];
  for (const text of texts) {
    const word = encodeWord(text);
    assert.match(word, /^[\x21-\x7e]*$/, text);
    assert.equal(decodeWord(word), text);
  }
});

test('escapes that are none stay as they are', () => {
  assert.equal(decodeWord('%zz%u12%'), '%zz%u12%');
});
