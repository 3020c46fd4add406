import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough, Writable } from 'node:stream';
import test, { type TestContext } from 'node:test';
import { gunzipSync, zstdDecompressSync } from 'node:zlib';
import { SkbspanError } from '../../../src/errors.ts';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import type { Statistics } from '../../../src/event/statistics.ts';
import { createBlockBuffer } from '../../../src/exporters/pcapng/block-buffer.ts';
import { appendSectionHeader, blockType } from '../../../src/exporters/pcapng/blocks.ts';
import { numberedFile } from '../../../src/exporters/pcapng/file-output.ts';
import {
  createPcapngExporter,
  type PcapngExporterOptions,
} from '../../../src/exporters/pcapng/pcapng-exporter.ts';
import { createBlockParser, readComments, readPacket } from '../../../src/sources/pcapng/blocks.ts';
import { droppedPath, packetPaths, pingPath } from '../../fixtures/packet-paths.ts';

const statistics: Statistics = {
  events: 10,
  lives: 4,
  paths: 3,
  drops: new Map([['NO_SOCKET', 1]]),
  losses: new Map([['ring_full', 5]]),
};

function folderOf(t: TestContext): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-test-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  return folder;
}

interface Content {
  readonly types: number[];
  readonly times: bigint[];
  readonly comments: string[];
}

/** What is in a pcapng; fails if it does not end with a whole block. */
function read(bytes: Uint8Array): Content {
  const content: Content = { types: [], times: [], comments: [] };
  const parser = createBlockParser();
  parser.push(bytes, ({ type, body }) => {
    content.types.push(type);
    if (type === blockType.packet) {
      content.times.push((BigInt(body.readUInt32LE(4)) << 32n) | BigInt(body.readUInt32LE(8)));
      content.comments.push(readPacket(body)?.comments[0] ?? '');
    }
    if (type === blockType.statistics) content.comments.push(...(readComments(body, 12) ?? []));
  });
  assert.equal(parser.left, 0);
  return content;
}

async function write(
  options: Partial<PcapngExporterOptions> & Pick<PcapngExporterOptions, 'output'>,
  ...batches: readonly (readonly PacketPath[])[]
): Promise<void> {
  const exporter = createPcapngExporter({ mode: 'path', version: '0', ...options });
  await exporter.start();
  for (const batch of batches) {
    assert.deepEqual(await exporter.export(batch), {
      status: 'success',
      lost: 0,
      cause: 'export_refused',
    });
  }
  await exporter.shutdown(1000, statistics);
  await exporter.shutdown(1000, statistics);
}

const all = Object.values(packetPaths());

test('a file has a head, packets and, in the end, what the run counted', async (t) => {
  const output = join(folderOf(t), 'a.pcapng');
  await write({ output }, all);
  const { types, comments } = read(readFileSync(output));
  assert.equal(types[0], blockType.sectionHeader);
  assert.equal(types.filter((type) => type === blockType.packet).length, all.length);
  assert.equal(types.at(-1), blockType.statistics);
  assert.ok(comments.includes('run events=10 lives=4 paths=3 drop=NO_SOCKET:1 loss=ring_full:5'));
});

test('packets that overtook each other stand in the order of time', async (t) => {
  const output = join(folderOf(t), 'a.pcapng');
  const late = { ...pingPath(), startTimeNs: pingPath().startTimeNs - 2_000_000_000n };
  await write({ output }, [pingPath()], [late], [droppedPath()]);
  const { times } = read(readFileSync(output));
  assert.deepEqual(
    times,
    times.toSorted((a, b) => Number(a - b)),
  );
  assert.equal(times.length, 3);
});

test('a file can be read at any moment', async (t) => {
  const output = join(folderOf(t), 'a.pcapng');
  const exporter = createPcapngExporter({ output, mode: 'hop', version: '0' });
  await exporter.start();
  assert.deepEqual(read(readFileSync(output)).types, [blockType.sectionHeader]);
  await exporter.export([pingPath()]);
  assert.ok(read(readFileSync(output)).types.includes(blockType.packet));
  await exporter.shutdown(1000, statistics);
});

for (const [extension, decompress] of [
  ['gz', gunzipSync],
  ['zst', zstdDecompressSync],
] as const) {
  test(`a name that ends in .${extension} compresses`, async (t) => {
    const output = join(folderOf(t), `a.pcapng.${extension}`);
    const many = Array.from({ length: 200 }, () => all).flat();
    await write({ output, mode: 'hop' }, many);
    const bytes = decompress(readFileSync(output));
    assert.ok(bytes.length > 5 * statSync(output).size);
    assert.ok(read(bytes).types.length > 5000);
  });
}

test('files rotate by packets, and only the newest are kept', async (t) => {
  const folder = folderOf(t);
  const output = join(folder, 'a.pcapng');
  const paths = Array.from({ length: 10 }, pingPath);
  await write({ output, mode: 'hop', rotation: { packets: 20, files: 3 } }, paths);
  // A ping has 19 records: two paths per file, five files.
  const files = readdirSync(folder).sort();
  assert.deepEqual(files, ['a-00003.pcapng', 'a-00004.pcapng', 'a-00005.pcapng']);
  const last = files.map((file) => read(readFileSync(join(folder, file))));
  assert.deepEqual(
    last.map(({ times }) => times.length),
    [38, 38, 38],
  );
  assert.ok(last.every(({ types }) => types.at(-1) === blockType.statistics));
});

test('files rotate by size and by time', async (t) => {
  const folder = folderOf(t);
  const paths = Array.from({ length: 40 }, pingPath);
  await write({ output: join(folder, 's'), mode: 'hop', rotation: { bytes: 50_000 } }, paths);
  const sizes = readdirSync(folder).map((file) => statSync(join(folder, file)).size);
  assert.ok(sizes.length >= 4, `${sizes.length} files`);
  assert.ok(Math.max(...sizes) < 70_000, String(sizes));

  const rotation = { milliseconds: 0 };
  await write({ output: join(folder, 't'), mode: 'hop', rotation }, [pingPath()], [pingPath()]);
  const timed = readdirSync(folder).filter((file) => file.startsWith('t-'));
  assert.equal(timed.length, 2);
});

test('numbered files keep their extension', () => {
  const table: readonly (readonly [string, string])[] = [
    ['a.pcapng', 'a-00007.pcapng'],
    ['/x/a.pcapng.gz', '/x/a-00007.pcapng.gz'],
    ['/a', '/a-00007'],
    ['./d.e/a', './d.e/a-00007'],
    ['.hidden', '.hidden-00007'],
  ];
  for (const [path, want] of table) assert.equal(numberedFile(path, 7), want);
});

test('a stream gets the same and is not ended', async () => {
  const output = new PassThrough({ highWaterMark: 1e9 });
  await write({ output }, all);
  assert.ok(output.writable);
  assert.ok(read(output.read() as Buffer).times.length === all.length);
});

test('a pipe gets the last packets when nothing newer comes', async () => {
  const output = new PassThrough({ highWaterMark: 1e9 });
  const exporter = createPcapngExporter({ output, mode: 'path', version: '0' });
  await exporter.start();
  await exporter.export([pingPath()]);
  assert.deepEqual(read(output.read() as Buffer).times, []);
  // The timer does not keep a process, the reader does.
  const waits = setInterval(() => undefined, 1000);
  await once(output, 'readable');
  clearInterval(waits);
  const content = read(Buffer.concat([sectionOf(), output.read() as Buffer]));
  assert.equal(content.times.length, 1);
  await exporter.export([pingPath()]);
  await exporter.shutdown(1000, statistics);
  assert.equal(read(Buffer.concat([sectionOf(), output.read() as Buffer])).times.length, 1);
});

/** A section header, because each part of a stream is read by itself here. */
function sectionOf(): Uint8Array {
  const out = createBlockBuffer();
  appendSectionHeader(out, {});
  return out.take();
}

test('what is too long for a block is counted as refused, and the rest is written', async (t) => {
  const output = join(folderOf(t), 'a.pcapng');
  const path = pingPath();
  const [root] = path.lives;
  const [call] = root?.calls ?? [];
  assert.ok(root !== undefined && call !== undefined);
  const calls = [call, { ...call, func: 'x'.repeat(70_000) }];
  const exporter = createPcapngExporter({ output, mode: 'hop', version: '0' });
  await exporter.start();
  const result = await exporter.export([{ ...path, lives: [{ ...root, calls }] }, pingPath()]);
  assert.deepEqual(result, { status: 'success', lost: 1, cause: 'export_refused' });
  await exporter.shutdown(1000, statistics);
  assert.equal(read(readFileSync(output)).times.length, 19);
});

test('an output that cannot be opened is SKBSPAN_OUTPUT; one that breaks fails every export', async () => {
  const closed = createPcapngExporter({ output: '/no/such/folder/a', mode: 'path', version: '0' });
  await assert.rejects(
    closed.start(),
    (error) => error instanceof SkbspanError && error.code === 'SKBSPAN_OUTPUT',
  );

  let writes = 0;
  const output = new Writable({
    write(_chunk, _encoding, done) {
      done(writes++ === 0 ? null : new Error('disk full'));
    },
  });
  const exporter = createPcapngExporter({ output, mode: 'hop', version: '0' });
  await exporter.start();
  for (let attempt = 0; attempt < 2; attempt++) {
    const result = await exporter.export([pingPath()]);
    assert.equal(result.status, 'failure');
    assert.equal(result.lost, 1);
  }
  await exporter.shutdown(1000, statistics);
});
