import assert from 'node:assert/strict';
import test from 'node:test';
import { createProgress } from '../../src/cli/progress.ts';

function record(isTTY: boolean): {
  readonly written: string[];
  readonly stream: { isTTY: boolean; write: (text: string) => void };
} {
  const written: string[] = [];
  return { written, stream: { isTTY, write: (text) => void written.push(text) } };
}

test('a terminal gets one line, redrawn seldom and wiped at the end', () => {
  const { written, stream } = record(true);
  let now = 0;
  const progress = createProgress(stream, () => now);
  for (let done = 0; done < 100; done++) {
    now += 1;
    progress.update({ stage: 'attach', done, total: 100 });
  }
  progress.update({ stage: 'attach', done: 100, total: 100 });
  assert.equal(written.length, 3);
  assert.match(written[1] ?? '', /^\r\u001b\[Kattaching \[#{15}\.{15}\] 50\/100$/);
  assert.equal(written[2], '\r\u001b[K');
  assert.ok(written.every((text) => !text.includes('\n')));
});

test('elsewhere each stage is one plain line', () => {
  const { written, stream } = record(false);
  const progress = createProgress(stream);
  progress.update({ stage: 'load', done: 1, total: 1 });
  progress.update({ stage: 'attach', done: 40, total: 80 });
  progress.update({ stage: 'attach', done: 80, total: 80 });
  progress.clear();
  assert.deepEqual(written, ['skbspan: attached 80 of 80\n']);
});
