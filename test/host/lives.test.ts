/** The kernel's table of lives is what a map would be, also for those that are not at home, and also while several CPUs are at it. */
import assert from 'node:assert/strict';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, test, type TestContext } from 'node:test';
import { Worker } from 'node:worker_threads';
import { createLifePlaces, putLifePlaces } from '../../src/collector/life-places.ts';
import { sizeTables } from '../../src/collector/table-sizes.ts';
import { closeFd } from '../../src/ffi/libc.ts';
import { openBpfObject } from '../../src/ffi/libbpf.ts';
import { cannotLoad } from '../ffi/sample-object.ts';
import { compileBpf } from '../filter/differential.ts';
import { run, takeSteps, type Steps, type Taken } from './lives-steps.ts';

const skip = cannotLoad();
const folder = mkdtempSync(join(tmpdir(), 'skbspan-lives-'));
const object = join(folder, 'lives.bpf.o');
after(() => {
  rmSync(folder, { recursive: true });
});

/** The file descriptor of the program, with a table of so many lives. */
function load(t: TestContext, lives: number): number {
  compileBpf(new URL('lives.bpf.c', import.meta.url), object);
  const contents = readFileSync(object);
  const places = createLifePlaces(lives);
  putLifePlaces(contents, places);
  const loaded = openBpfObject(object, { contents });
  t.after(() => {
    loaded.close();
    closeFd(places);
  });
  const bytes = loaded.map('.rodata.config').data();
  sizeTables(loaded, new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength), { lives });
  loaded.map('ring').setMaxEntries(4096);
  loaded.map('lives').reuse(places);
  loaded.load();
  return loaded.program('step').fd();
}

/** As a slab hands them out, one in `every`. */
const addresses = (count: number, first: number, every: number): bigint[] =>
  Array.from({ length: count }, (_, at) => 0xffff888004000000n + BigInt(first + at * every) * 256n);

/** The dead go in the second round. */
function collect(program: number): void {
  for (let round = 0; round < 3; round++) run(program, 'collect');
}

test('begins, finds and forgets as a map does, up to the last place', { skip }, (t) => {
  const lives = 64;
  const program = load(t, lives);
  const own = addresses(4 * lives, 0, 37);
  const taken = takeSteps({ program, seed: 1, count: 40_000, addresses: own, lives, alone: true });
  assert.deepEqual(taken.wrong, []);
  assert.equal(taken.refused, 0, 'there was a place');
  assert.equal(run(program, 'taken'), taken.living);
  const displaced = run(program, 'displaced');
  t.diagnostic(`${taken.begun} lives, ${displaced} of them displaced`);
  assert.ok(displaced > 500, 'else this proves nothing of them');
  for (const address of own) run(program, 'die', address);
  collect(program);
  assert.equal(run(program, 'taken'), 0, 'the dead are collected');
});

test('several CPUs at once', { skip }, async (t) => {
  const [lives, threads] = [256, 4];
  const program = load(t, lives);
  const steps = (thread: number): Steps => ({
    ...{ program, seed: 10 + thread, count: 60_000, alone: false },
    ...{ addresses: addresses(lives, thread, threads), lives: lives / threads },
  });
  let working = threads;
  const all = Array.from({ length: threads }, async (_, thread) => {
    const worker = new Worker(new URL('lives-steps.ts', import.meta.url), {
      workerData: steps(thread),
    });
    const taken = await new Promise<Taken>((resolve, reject) => {
      worker.once('message', resolve);
      worker.once('error', reject);
    });
    working--;
    return taken;
  });
  const collecting = (async (): Promise<void> => {
    while (working > 0) {
      run(program, 'collect');
      await new Promise((resolve) => setTimeout(resolve, 1));
    }
  })();
  const results = await Promise.all(all);
  await collecting;
  const sum = (of: (taken: Taken) => number): number => results.reduce((n, one) => n + of(one), 0);
  const begun = sum(({ begun: count }) => count);
  const refused = sum(({ refused: count }) => count);
  t.diagnostic(`${begun} lives, ${run(program, 'displaced')} displaced, ${refused} refused`);
  assert.deepEqual(
    results.flatMap(({ wrong }) => wrong),
    [],
  );
  assert.ok(refused < begun / 1000, `${refused} of ${begun} refused`);
  for (let thread = 0; thread < threads; thread++)
    for (const address of addresses(lives, thread, threads)) run(program, 'die', address);
  collect(program);
  assert.equal(run(program, 'taken'), 0, 'the dead are collected');
});
