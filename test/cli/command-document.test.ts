import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import test from 'node:test';
import { Command } from 'commander';
import { addCheckCommand } from '../../src/cli/check.ts';
import { addConvertCommand } from '../../src/cli/convert.ts';
import { addDemoCommand } from '../../src/cli/demo.ts';
import { addFunctionsCommand } from '../../src/cli/functions.ts';
import { addTraceCommand } from '../../src/cli/trace.ts';
import { lossCauses } from '../../src/event/statistics.ts';

const text = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
const run = (): Promise<void> => Promise.resolve();

test('docs/cli.md has a section per command and names each of its options', () => {
  const program = new Command();
  for (const add of [
    addTraceCommand,
    addCheckCommand,
    addFunctionsCommand,
    addDemoCommand,
    addConvertCommand,
  ]) {
    add(program, run);
  }
  const sections = new Map(
    text.split(/^## /m).map((section) => [/^skbspan (\w+)/.exec(section)?.[1], section]),
  );
  for (const command of program.commands) {
    const section = sections.get(command.name());
    assert.ok(section !== undefined, `no section for ${command.name()}`);
    for (const { long } of command.options) {
      assert.ok(section.includes(`\`${String(long)}`), `${command.name()} ${String(long)}`);
    }
  }
});

test('docs/cli.md lists every cause of loss with its words', () => {
  const documented = [...text.matchAll(/^\| `(\w+)` +\| (.*?) *\|$/gm)].map(([, cause, words]) => [
    cause,
    words,
  ]);
  assert.deepEqual(documented, Object.entries(lossCauses));
});
