import assert from 'node:assert/strict';
import { freemem, availableParallelism } from 'node:os';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, test } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { kernelNames, type KernelName } from '../../scripts/vm/kernels.ts';
import { bootMachine, type MachineResult } from '../../scripts/vm/machine.ts';
import { buildPublished } from '../../scripts/vm/published.ts';
import { compileBpf, compileDifferential, differentialObject } from '../filter/differential.ts';
import { compileGlance, glanceObject } from '../filter/glance.ts';
import { casesOf, folderOf, type Case } from './cases.ts';
import { compilePrograms } from './programs.ts';
import { mapUserObject } from './scenarios/details.ts';
import { parseLines, type Evidence } from './scenario.ts';

const MEMORY_MB = 2048;
const TIMEOUT_MS = 40 * 60_000;
/** What came back stays here, to look at. */
const RESULTS = join(import.meta.dirname, '../../.cache/vm');
/** For one kernel or a few scenarios while developing: SKBSPAN_VM="6.12 oracle". */
const wanted = (process.env['SKBSPAN_VM'] ?? '').split(' ').filter((word) => word !== '');
const isKernel = (word: string): boolean => kernelNames.some((name) => name === word);
const words = wanted.filter((word) => !isKernel(word));
const names = kernelNames.filter((name) => !wanted.some(isKernel) || wanted.includes(name));

/** Runs at most `limit` at a time, in order. */
function limited(limit: number): <T>(run: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (run) => {
    if (running >= limit) await new Promise<void>((resolve) => waiting.push(resolve));
    running += 1;
    try {
      return await run();
    } finally {
      running -= 1;
      waiting.shift()?.();
    }
  };
}

/** Hands out whole lines of what comes in pieces. */
function byLine(print: (line: string) => void): (chunk: Buffer) => void {
  let rest = '';
  return (chunk) => {
    const lines = (rest + chunk.toString()).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) print(line);
  };
}

/** A kernel is booted so often, each time for a part of its cases: then no CPU is idle while the last kernel runs. */
const PARTS = words.length === 0 ? 2 : 1;
const partOf = (kernel: KernelName, part: number): readonly Case[] => {
  const all = casesOf(kernel, words);
  const bound = (of: number): number => Math.ceil((all.length * of) / PARTS);
  return all.slice(bound(part), bound(part + 1));
};

async function boot(kernel: KernelName, chosen: readonly Case[]): Promise<MachineResult> {
  const folders = chosen.map(folderOf).join(' ');
  const result = await bootMachine({
    kernel,
    // 133: Node died by SIGTRAP at its start, see emulatorCrash in lab.ts.
    script: `run() { node test/vm/guest.ts ${kernel} ${folders}; }; run || { [ $? = 133 ] && run; }`,
    timeoutMs: TIMEOUT_MS,
    memoryMb: MEMORY_MB,
    onOutput: byLine((line) => {
      console.log(`${kernel}: ${line}`);
    }),
  });
  const folder = join(RESULTS, kernel);
  for (const one of chosen) rmSync(join(folder, folderOf(one)), { recursive: true, force: true });
  for (const [path, content] of result.files) {
    mkdirSync(dirname(join(folder, path)), { recursive: true });
    writeFileSync(join(folder, path), content);
  }
  return result;
}

function evidenceOf(one: Case, machine: MachineResult, note: (line: string) => void): Evidence {
  const find = (name: string): string | undefined =>
    machine.files.get(join(folderOf(one), name))?.toString();
  const error = find('error');
  if (error !== undefined) assert.fail(`could not run in the guest: ${error}`);
  const text = (name: string): string => {
    const found = find(name);
    assert.ok(found !== undefined, `no file ${name} came back\n${machine.output}`);
    return found;
  };
  return {
    backend: one.backend,
    release: machine.release,
    get paths() {
      return parseLines(text('paths.jsonl')).paths;
    },
    get summary() {
      return parseLines(text('paths.jsonl')).summary;
    },
    text,
    bytes: (name) => {
      const found = machine.files.get(join(folderOf(one), name));
      assert.ok(found !== undefined, `no file ${name} came back`);
      return name.endsWith('.gz') ? gunzipSync(found) : found;
    },
    fact: (name) => JSON.parse(text(name)) as unknown,
    note,
  };
}

// The guests have no compiler.
compileDifferential(differentialObject);
compileGlance(glanceObject);
compilePrograms();
compileBpf(new URL('map-user.bpf.c', import.meta.url), mapUserObject);
const slots = Math.min(availableParallelism(), Math.floor(freemem() / 2 ** 20 / (MEMORY_MB * 1.5)));
assert.ok(slots > 0, `a machine needs ${MEMORY_MB * 1.5} MB of free memory`);
const oneOf = limited(slots);

buildPublished();

describe('real kernels', { concurrency: true }, () => {
  for (const kernel of names) {
    // Each boots as soon as there is a slot; each case waits for its own and then fails or passes by itself.
    const parts = Array.from({ length: PARTS }, (_, part) => {
      const chosen = partOf(kernel, part);
      const machine = oneOf(() => boot(kernel, chosen));
      machine.catch(() => undefined); // Reported by the first subtest.
      return { chosen, machine };
    });
    describe(kernel, () => {
      test('boots and runs the scenarios', async (t) => {
        for (const { machine } of parts) {
          const { status, release, kernelLog } = await machine;
          t.diagnostic(`Linux ${release}`);
          assert.equal(status, 0);
          assert.doesNotMatch(
            kernelLog,
            /(Oops|BUG:|WARNING:|general protection|Kernel panic).*/,
            'the kernel complains',
          );
        }
      });
      for (const { chosen, machine } of parts) {
        for (const one of chosen) {
          test(one.name, async (t) => {
            one.scenario.check(
              evidenceOf(one, await machine, (line) => {
                t.diagnostic(line);
              }),
            );
          });
        }
      }
    });
  }
});
