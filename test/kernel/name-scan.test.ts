import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scanNames, type FoundLine, type LineShape } from '../../src/kernel/name-scan.ts';

const scan = (text: string, names: string[], shape: Partial<LineShape> = {}): FoundLine[] => {
  const found: FoundLine[] = [];
  const line = { nameAt: 0, separator: 0x20, ...shape };
  scanNames(Buffer.from(text, 'latin1'), line, new Set(names), (one) => found.push(one));
  return found;
};

test('lines are found wherever they stand, with what follows the name', () => {
  assert.deepEqual(scan('a\nbb [m]\nc x y\nlast', ['a', 'bb', 'c', 'last']), [
    { name: 'a', start: 0, rest: '' },
    { name: 'bb', start: 2, rest: '[m]' },
    { name: 'c', start: 9, rest: 'x y' },
    { name: 'last', start: 15, rest: '' },
  ]);
});

test('a part of a name is not the name', () => {
  assert.deepEqual(scan('abc\nab\n\n b\nb c\n', ['a', 'bc', 'c']), []);
});

test('what stands before the name is skipped, and lines by what stands there', () => {
  const isWanted = (text: Uint8Array, start: number): boolean => text[start] === 0x31;
  const found = scan('1 x\n2 x\n1 y\n1', ['x', 'y'], { nameAt: 2, isWanted });
  assert.deepEqual(
    found.map((line) => [line.name, line.start]),
    [
      ['x', 0],
      ['y', 8],
    ],
  );
});

test('names with the same hash are told apart', () => {
  // Every name of two letters, of which a 16 bit hash has collisions among names of three.
  const names = Array.from({ length: 26 ** 3 }, (_, i) => (i + 36 ** 3).toString(36));
  const wanted = names.filter((_, i) => i % 7 === 0);
  const found = scan(names.join('\n'), wanted).map((line) => line.name);
  assert.deepEqual(found, wanted);
});
