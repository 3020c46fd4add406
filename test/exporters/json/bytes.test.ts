import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import {
  begin,
  createJsonBytes,
  end,
  put,
  putQuoted,
  putText,
  type JsonBytes,
} from '../../../src/exporters/json/bytes.ts';
import { putName } from '../../../src/exporters/json/names.ts';
import { putNumber } from '../../../src/exporters/json/numbers.ts';
import { piece } from '../../../src/exporters/json/pieces.ts';
import { giveBack } from '../../../src/exporters/json/slabs.ts';
import { textOf } from '../../../src/exporters/json/text.ts';

function written(out: JsonBytes, write: () => void): Buffer {
  begin(out);
  write();
  return end(out);
}

describe('JSON bytes', () => {
  test('numbers are as JSON.stringify writes them', () => {
    const out = createJsonBytes();
    const edges = [0, 9, 10, 99, 100, 999, 1000, 9_999, 10_000, 10_001, 99_990_000, 100_000_000];
    const large = [2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 53, 1e21, -1, -10_000, 0.5, 1.5e9 + 0.25];
    const many = Array.from({ length: 20_000 }, (_, index) => index * 107_371);
    for (const value of [...edges, ...large, ...many])
      assert.equal(
        written(out, () => {
          putNumber(out, value);
        }).toString(),
        JSON.stringify(value),
      );
  });

  test('texts of every length and every character are JSON', () => {
    const out = createJsonBytes();
    const odd = ['"', '\\', '\n', '\u007f', '\u009b', 'é', '\u2028', '\u{1f600}', '\ud800'];
    for (let length = 0; length < 100; length++)
      for (const end of ['', ...odd]) {
        const text = 'x'.repeat(length) + end;
        for (const write of [putQuoted, putName])
          assert.equal(
            written(out, () => {
              write(out, text);
            }).toString(),
            textOf(text),
          );
      }
  });

  test('pieces of every length', () => {
    const out = createJsonBytes();
    const text = 'pieces of eight, é, '.repeat(10);
    for (let length = 0; length < text.length; length++) {
      const part = piece(text.slice(0, length));
      const bytes = written(out, () => {
        put(out, part);
        putText(out, '|');
        put(out, part);
      });
      assert.equal(bytes.toString(), `${text.slice(0, length)}|${text.slice(0, length)}`);
    }
  });

  test('a record may be larger than a slab, and begin at the end of one', () => {
    const out = createJsonBytes();
    for (const size of [900_000, 300_000, 5_000_000, 10]) {
      const text = `<${'y'.repeat(size)}>`;
      const bytes = written(out, () => {
        for (let at = 0; at < text.length; at += 100_000)
          putText(out, text.slice(at, at + 100_000));
      });
      assert.ok(bytes.equals(Buffer.from(text)), String(size));
    }
  });

  test('memory is written again when all of it was given back, and never before', () => {
    const out = createJsonBytes();
    const kept: { bytes: Buffer; text: string }[] = [];
    const seen = new Set<ArrayBufferLike>();
    for (let index = 0; index < 40_000; index++) {
      const text = `${index}:${'z'.repeat(1_000)}`;
      const bytes = written(out, () => {
        putText(out, text);
      });
      seen.add(bytes.buffer);
      // One of ten thousand is kept for good: its slab is not to be touched.
      if (index % 10_000 === 0) kept.push({ bytes, text });
      else giveBack(bytes);
    }
    for (const { bytes, text } of kept) assert.equal(bytes.toString(), text);
    // 40 MB went through few slabs of 1 MB.
    assert.ok(seen.size <= kept.length + 3, `${seen.size} slabs`);
  });

  test('memory that is not of a slab may be given back', () => {
    giveBack(Buffer.from('its own'));
  });
});
