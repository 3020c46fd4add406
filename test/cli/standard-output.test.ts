import assert from 'node:assert/strict';
import { PassThrough, Writable } from 'node:stream';
import test from 'node:test';
import { createStandardOutput } from '../../src/cli/standard-output.ts';

const write = (stream: Writable, text: string): Promise<void> =>
  new Promise((resolve, reject) => {
    stream.write(text, (error) => {
      if (error) reject(error);
      else resolve();
    });
  });

test('the limit cuts after a line, also inside a write, and ends once', async () => {
  const target = new PassThrough({ encoding: 'utf8' });
  const ends: string[] = [];
  const output = createStandardOutput(target, { limitLines: 3, onEnd: (why) => ends.push(why) });
  await write(output, 'one\ntw');
  await write(output, 'o\n');
  assert.deepEqual(ends, []);
  await write(output, 'three\nfour\n');
  await write(output, 'five\n');
  assert.equal(target.read(), 'one\ntwo\nthree\n');
  assert.deepEqual(ends, ['limit']);
});

test('without a limit all goes through', async () => {
  const target = new PassThrough({ encoding: 'utf8' });
  const output = createStandardOutput(target, {
    limitLines: undefined,
    onEnd: () => assert.fail(),
  });
  await write(output, 'a\n'.repeat(1000));
  assert.equal(target.read(), 'a\n'.repeat(1000));
});

test('a reader that went away ends it, and no error comes back', async () => {
  const target = new Writable({
    write: (_chunk, _encoding, callback) => {
      callback(new Error('write EPIPE'));
    },
  });
  const ends: string[] = [];
  const output = createStandardOutput(target, {
    limitLines: undefined,
    onEnd: (why) => ends.push(why),
  });
  await write(output, 'one\n');
  await new Promise(setImmediate);
  await write(output, 'two\n');
  assert.deepEqual(ends, ['closed']);
});

test('a slow reader is waited for', async () => {
  let release: () => void = () => undefined;
  const target = new Writable({
    write: (_chunk, _encoding, callback) => {
      release = callback;
    },
  });
  const output = createStandardOutput(target, { limitLines: undefined, onEnd: () => undefined });
  let written = false;
  const writing = write(output, 'one\n').then(() => {
    written = true;
  });
  await new Promise(setImmediate);
  assert.equal(written, false);
  release();
  await writing;
  assert.equal(written, true);
});
