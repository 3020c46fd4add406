import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import test, { type TestContext } from 'node:test';
import { gunzipSync } from 'node:zlib';
import { openOutputFile } from '../../src/cli/output-file.ts';
import type { OutputFileOptions } from '../../src/cli/output-file-options.ts';

function temporary(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-file-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

const options = (path: string, more: Partial<OutputFileOptions> = {}): OutputFileOptions => ({
  path,
  maxBytes: undefined,
  maxBackups: undefined,
  maxAgeMs: undefined,
  compress: false,
  ...more,
});

async function write(to: OutputFileOptions, texts: readonly string[]): Promise<void> {
  const file = await openOutputFile(to);
  for (const text of texts) if (!file.write(text)) await once(file, 'drain');
  await file.finish();
}

const lines = Array.from({ length: 100 }, (_, index) => `line ${String(index).padStart(4, '0')}\n`);

test('a file is begun anew when it is full; every line is whole and in order', async (t) => {
  const folder = temporary(t);
  // 10 bytes a line; a write of several lines is divided between files.
  const pairs = Array.from({ length: 50 }, (_, at) => lines.slice(2 * at, 2 * at + 2).join(''));
  await write(options(join(folder, 'out.log'), { maxBytes: 35 }), pairs);
  const names = readdirSync(folder).sort((a, b) =>
    a === 'out.log' ? 1 : b === 'out.log' ? -1 : a < b ? -1 : 1,
  );
  assert.equal(names.length, 34);
  const texts = names.map((name) => readFileSync(join(folder, name), 'utf8'));
  assert.equal(texts.join(''), lines.join(''));
  assert.ok(texts.every((text) => text.length <= 35 && text.endsWith('\n')));
  for (const name of names.slice(0, -1)) {
    assert.match(name, /^out-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log$/);
  }
});

test('a line longer than a file gets one of its own; what is there is appended to', async (t) => {
  const path = join(temporary(t), 'out');
  writeFileSync(path, 'before\n');
  await write(options(path), ['after\n']);
  assert.equal(readFileSync(path, 'utf8'), 'before\nafter\n');
  await write(options(path, { maxBytes: 10 }), [`${'x'.repeat(50)}\n`, 'y\n']);
  assert.equal(readFileSync(path, 'utf8'), 'y\n');
});

test('of the old files so many stay, packed if asked for, and none that is too old', async (t) => {
  const folder = temporary(t);
  const path = join(folder, 'out.log');
  const bystander = join(folder, 'out-notes.log');
  const ancient = join(folder, 'out-2020-01-01T00-00-00.000.log.gz');
  for (const file of [bystander, ancient]) {
    writeFileSync(file, 'old');
    utimesSync(file, 1e9, 1e9);
  }
  await write(options(path, { maxBytes: 20, maxBackups: 5, compress: true }), lines);
  const backups = readdirSync(folder).filter((name) => name.endsWith('.log.gz'));
  assert.equal(backups.length, 5);
  const kept = backups
    .sort()
    .map((name) => gunzipSync(readFileSync(join(folder, name))).toString());
  assert.equal(kept.join('') + readFileSync(path, 'utf8'), lines.slice(-12).join(''));
  assert.equal(readFileSync(bystander, 'utf8'), 'old');

  const [first = ''] = backups;
  utimesSync(join(folder, first), 1e9, 1e9);
  await write(options(path, { maxBytes: 20, maxAgeMs: 86_400_000 }), ['one more line\n']);
  assert.equal(readdirSync(folder).includes(first), false);
});

test('a file that cannot be opened is an error with advice', async (t) => {
  await assert.rejects(openOutputFile(options(join(temporary(t), 'none/out'))), {
    code: 'SKBSPAN_OUTPUT',
  });
});

test('a failed write is told when it ends', async () => {
  const file = await openOutputFile(options('/dev/full'));
  file.on('error', () => undefined);
  file.write('text\n');
  await assert.rejects(file.finish(), { code: 'SKBSPAN_OUTPUT', message: /no space/ });
});
