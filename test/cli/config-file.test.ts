import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { Command } from 'commander';
import { configKeys, withConfigFile } from '../../src/cli/config-file.ts';
import { parseTraceOptions, type TraceFlags } from '../../src/cli/trace-options.ts';
import { addTraceCommand } from '../../src/cli/trace.ts';
import { readYaml } from '../../src/config/document.ts';
import { z } from 'zod';

const defaults = new URL('../../config/default.yaml', import.meta.url).pathname;

/** The trace command after it has read a command line. */
function parsed(...words: string[]): Command {
  const program = new Command();
  addTraceCommand(program, () => Promise.resolve());
  const [command] = program.commands;
  assert.ok(command !== undefined);
  command.action(() => undefined);
  program.parse(['trace', ...words], { from: 'user' });
  return command;
}

function fileWith(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-config-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'trace.yaml');
  writeFileSync(file, text);
  return file;
}

test('config/default.yaml has every option, and equals the defaults of the code', () => {
  const command = parsed();
  const keys = Object.keys(readYaml(defaults, z.record(z.string(), z.unknown())));
  assert.deepEqual(
    [...keys].sort(),
    configKeys(command)
      .map(({ key }) => key)
      .sort(),
  );
  const { flags, words } = withConfigFile<TraceFlags>(command, defaults, command.opts());
  assert.deepEqual(words, []);
  assert.deepEqual(parseTraceOptions(flags, words), parseTraceOptions(parsed().opts()));
});

test('the command line wins over the file', (t) => {
  const file = fileWith(t, 'ring_mb: 16\nsnaplen: 64\npcap_filter: icmp\ncolor: false\n');
  const plain = parsed('--config', file);
  const fromFile = withConfigFile<TraceFlags>(plain, file, plain.opts());
  assert.deepEqual([fromFile.flags.ringMb, fromFile.flags.snaplen], ['16', '64']);
  assert.equal(fromFile.flags.color, false);
  assert.deepEqual(fromFile.words, ['icmp']);
  const both = parsed('--config', file, '--ring-mb', '8', 'tcp');
  const merged = withConfigFile<TraceFlags>(both, file, both.opts());
  assert.deepEqual([merged.flags.ringMb, merged.flags.snaplen], ['8', '64']);
  assert.deepEqual(merged.words, ['tcp']);
});
