import assert from 'node:assert/strict';
import { mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createAnswers } from '../../src/kernel/answers.ts';

function newFile(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-answers-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return join(folder, 'cache', 'kernel.json');
}

const of = (file: string, builds: string | undefined) =>
  createAnswers({ file, builds: () => builds });

test('what was answered is known to the next run on the same builds', (t) => {
  const file = newFile(t);
  const first = of(file, 'a');
  assert.equal(first.recall('function x'), undefined);
  first.remember('function x', 0);
  first.remember('functions', { wanted: [{ name: 'y' }] });
  assert.equal(first.recall('function x'), 0);
  first.keep();
  assert.equal(statSync(file).mode & 0o777, 0o600);
  const second = of(file, 'a');
  assert.equal(second.recall('function x'), 0);
  assert.deepEqual(second.recall('functions'), { wanted: [{ name: 'y' }] });
  second.remember('function z', 3);
  second.keep();
  assert.equal(of(file, 'a').recall('function x'), 0);
  assert.equal(of(file, 'a').recall('function z'), 3);
  assert.deepEqual(readdirSync(join(file, '..')), ['kernel.json']);
});

test('other builds are asked anew, and take the place of the old ones', (t) => {
  const file = newFile(t);
  const first = of(file, 'a');
  first.remember('function x', 7);
  first.keep();
  const other = of(file, 'b');
  assert.equal(other.recall('function x'), undefined);
  other.remember('function x', 8);
  other.keep();
  assert.equal(of(file, 'b').recall('function x'), 8);
  assert.equal(of(file, 'a').recall('function x'), undefined);
});

test('nothing new is not written', (t) => {
  const file = newFile(t);
  of(file, 'a').keep();
  assert.throws(() => statSync(file), { code: 'ENOENT' });
});

test('where builds cannot be told nothing is kept', (t) => {
  const file = newFile(t);
  const unknown = of(file, undefined);
  unknown.remember('function x', 7);
  assert.equal(unknown.recall('function x'), 7);
  unknown.keep();
  assert.throws(() => statSync(file), { code: 'ENOENT' });
});

for (const [what, text] of [
  ['damaged', '{"builds":"a","answ'],
  ['empty', ''],
  ['of another shape', '[1]'],
  ['without answers', '{"builds":"a"}'],
] as const) {
  test(`a file that is ${what} holds no answers, and is replaced`, (t) => {
    const file = newFile(t);
    const before = of(file, 'a');
    before.remember('x', 1);
    before.keep();
    writeFileSync(file, text);
    const next = of(file, 'a');
    assert.equal(next.recall('x'), undefined);
    next.remember('x', 2);
    next.keep();
    assert.equal(of(file, 'a').recall('x'), 2);
  });
}

test('a place that cannot be written is no error', (t) => {
  const file = newFile(t);
  const first = of(file, 'a');
  first.remember('x', 1);
  first.keep();
  const blocked = of(join(file, 'no-folder'), 'a');
  blocked.remember('x', 1);
  blocked.keep();
});
