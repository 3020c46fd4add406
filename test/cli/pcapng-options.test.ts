import assert from 'node:assert/strict';
import test from 'node:test';
import { parsePcapng, parseSize, type PcapngFlags } from '../../src/cli/pcapng-options.ts';

test('sizes', () => {
  const table: readonly (readonly [string, number | undefined])[] = [
    ['1', 1],
    ['500k', 500_000],
    ['100M', 100_000_000],
    ['1.5GB', 1_500_000_000],
    ['0', undefined],
    ['M', undefined],
    ['10T', undefined],
    ['-1', undefined],
  ];
  for (const [text, want] of table) assert.equal(parseSize(text), want, text);
});

test('what is asked for is read', () => {
  const table: readonly (readonly [PcapngFlags, object | undefined])[] = [
    [{}, undefined],
    [{ pcapng: 'a' }, { file: 'a', mode: 'path', rotation: undefined }],
    [
      { pcapng: '-', pcapngMode: 'hop' },
      { file: '-', mode: 'hop', rotation: undefined },
    ],
    [
      { pcapng: 'a', pcapngRotate: 'size:1k,time:5m,packets:7,files:2' },
      {
        file: 'a',
        mode: 'path',
        rotation: { bytes: 1000, milliseconds: 300_000, packets: 7, files: 2 },
      },
    ],
  ];
  for (const [flags, want] of table) {
    const problems: string[] = [];
    assert.deepEqual(parsePcapng(flags, problems), want);
    assert.deepEqual(problems, []);
  }
});

test('each mistake is named', () => {
  const table: readonly (readonly [PcapngFlags, RegExp])[] = [
    [{ pcapng: '' }, /--pcapng: the value is empty/],
    [{ pcapng: 'a', pcapngMode: 'both' }, /--pcapng-mode: want path or hop, not 'both'/],
    [{ pcapngMode: 'hop' }, /--pcapng-mode needs --pcapng/],
    [{ pcapngRotate: 'size:1M' }, /--pcapng-rotate needs --pcapng/],
    [{ pcapng: '-', pcapngRotate: 'size:1M' }, /for files/],
    [{ pcapng: 'a', pcapngRotate: 'files:3' }, /'files:3' never begins a new file/],
    [{ pcapng: 'a', pcapngRotate: 'size:big' }, /'size:big': want size:100M/],
    [{ pcapng: 'a', pcapngRotate: 'constructor:1' }, /'constructor:1': want/],
    [{ pcapng: 'a', pcapngRotate: '' }, /'': want/],
  ];
  for (const [flags, want] of table) {
    const problems: string[] = [];
    parsePcapng(flags, problems);
    assert.match(problems.join('\n'), want);
  }
});
