import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { createKeptCandidates, type Candidate } from '../../src/collector/kept-candidates.ts';
import { createAnswers } from '../../src/kernel/answers.ts';
import { kernelSymbols } from '../../src/kernel/kallsyms.ts';

/** Each call is another run of skbspan on the same kernel. */
function runs(t: TestContext, builds: string | undefined) {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-kept-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'kernel.json');
  return () => createKeptCandidates(createAnswers({ file, builds: () => builds }));
}

const candidate = (name: string, address?: bigint): Candidate => ({
  name,
  module: undefined,
  address,
  skbArg: 1,
  sockArg: 0,
});
const refused = [{ name: 'skb_put', reason: 'inlined, or not traceable' }];
const question = 'candidates of this test';

test('by name: the run after next knows the addresses', async (t) => {
  const run = runs(t, 'a');
  const first = run();
  assert.equal(first.recall(question, true), undefined);
  const found = { candidates: [candidate('ip_rcv'), candidate('kfree_skbmem')], refused };
  first.remember(question, found);
  await first.keep();
  const known = run().recall(question, true);
  assert.deepEqual(known?.refused, refused);
  assert.deepEqual(
    known.candidates.map(({ address }) => kernelSymbols().lookup(address ?? 0n)),
    ['ip_rcv', 'kfree_skbmem'].map((name) => ({ name, offset: 0, module: undefined })),
  );
  assert.deepEqual(
    known.candidates.map((one) => ({ ...one, address: undefined })),
    found.candidates,
  );
});

test('a run that ends before places are known leaves the rest, and the next one adds them', async (t) => {
  const run = runs(t, 'a');
  const first = run();
  first.remember(question, { candidates: [candidate('ip_rcv')], refused });
  const ended = first.keep(); // What it does at once is all that a process does which ends now.
  const second = run();
  assert.equal(second.recall(question, true)?.candidates[0]?.address, undefined);
  assert.equal(run().recall(question, false), undefined, 'single kprobes need addresses');
  await Promise.all([ended, second.keep()]);
  assert.notEqual(run().recall(question, true)?.candidates[0]?.address, undefined);
});

test('addresses that were looked up are kept as distances, and come back', async (t) => {
  const run = runs(t, 'a');
  const first = run();
  const address = 0xffffffff81234560n;
  first.remember(question, { candidates: [candidate('some_function', address)], refused });
  await first.keep();
  assert.equal(run().recall(question, false)?.candidates[0]?.address, address);
});

test('a name that stands for no function, or for several, has no address', async (t) => {
  const run = runs(t, 'a');
  const first = run();
  first.remember(question, { candidates: [candidate('no_such_function')], refused });
  await first.keep();
  assert.equal(run().recall(question, true)?.candidates[0]?.address, undefined);
});

test('where nothing can be kept nothing is', async (t) => {
  const run = runs(t, undefined);
  const first = run();
  first.remember(question, { candidates: [candidate('ip_rcv')], refused });
  await first.keep();
  assert.equal(run().recall(question, true), undefined);
});
