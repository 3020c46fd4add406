/**
 * pcapng on one core: hop records written a second, bytes beside those of a plain pcapng, memory while writing, calls
 * converted a second, and a million damaged recordings for the reader.
 *
 *   node bench/pcapng.ts [gigabytes written, default 2] [fuzz inputs, default 1000000]
 *
 * Bytes go to /dev/null, so that no disk is measured. Rates are by CPU time, that of the garbage collector included: what one
 * core does when it does nothing else. The best of several rounds counts. The last line is JSON.
 */
import { createWriteStream, statSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { PacketPath } from '../src/event/packet-path.ts';
import type { Statistics } from '../src/event/statistics.ts';
import { createBlockBuffer } from '../src/exporters/pcapng/block-buffer.ts';
import { createFileSection } from '../src/exporters/pcapng/file-section.ts';
import { hopRecords } from '../src/exporters/pcapng/hop-records.ts';
import { createPcapngExporter } from '../src/exporters/pcapng/pcapng-exporter.ts';
import { createPcapngSource } from '../src/sources/pcapng/pcapng-source.ts';
import { droppedPath, natPath, pingPath, tcpSegmentPath } from '../test/fixtures/packet-paths.ts';
import { fuzzRecording } from '../test/sources/pcapng/fuzz-recording.ts';

const [gigabytes = 2, fuzzInputs = 1_000_000] = process.argv.slice(2).map(Number);
const ROUNDS = 8;
const BATCH_PATHS = 512;

const statistics: Statistics = {
  events: 0,
  lives: 0,
  paths: 0,
  drops: new Map(),
  losses: new Map(),
};

/** Paths as a run hands them out: each an object of its own, with an id of its own. */
function paths(count: number): PacketPath[] {
  const makers = [pingPath, tcpSegmentPath, droppedPath, natPath];
  return Array.from({ length: count }, (_, index) => {
    const path = (makers[index % makers.length] ?? pingPath)();
    const traceId = `5eed000000000000${index.toString(16).padStart(16, '0')}`;
    return { ...path, id: index, traceId };
  });
}

function cpuSeconds(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

const callsOf = (batch: readonly PacketPath[]): number =>
  batch.reduce(
    (sum, { lives }) => sum + lives.reduce((more, { calls }) => more + calls.length, 0),
    0,
  );

async function writeRate(batch: readonly PacketPath[]): Promise<number> {
  const records = batch.flatMap(hopRecords).length;
  let best = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const exporter = createPcapngExporter({ output: '/dev/null', mode: 'hop', version: '0' });
    await exporter.start();
    const began = cpuSeconds();
    for (let turn = 0; turn < 20; turn++) await exporter.export(batch);
    best = Math.max(best, (20 * records) / (cpuSeconds() - began));
    await exporter.shutdown(1000, statistics);
  }
  return best;
}

/** Bytes of a hop recording over those of the same packets without options but the end, plus the comments' own bytes. */
function sizeRatio(batch: readonly PacketPath[]): number {
  const out = createBlockBuffer();
  const section = createFileSection(out, { mode: 'hop', version: '0', os: '', hardware: '' });
  let plain = 0;
  for (const path of batch) {
    for (const packet of hopRecords(path)) {
      section.packet(packet);
      const captured = packet.data.reduce((sum, part) => sum + part.length, 0);
      plain += 32 + ((captured + 3) & ~3);
      for (const comment of packet.comments) plain += Buffer.byteLength(comment);
    }
  }
  return out.length / plain;
}

async function flatMemory(batch: readonly PacketPath[]): Promise<{ early: number; late: number }> {
  const sink = createWriteStream('/dev/null');
  const exporter = createPcapngExporter({ output: sink, mode: 'hop', version: '0' });
  await exporter.start();
  const mb = (): number => process.memoryUsage().rss / 2 ** 20;
  const most = gigabytes * 1e9;
  let early = 0;
  let late = 0;
  while (sink.bytesWritten < most) {
    await exporter.export(batch);
    if (sink.bytesWritten < most / 3) early = Math.max(early, mb());
    else if (sink.bytesWritten > (2 * most) / 3) late = Math.max(late, mb());
  }
  await exporter.shutdown(1000, statistics);
  sink.end();
  return { early, late };
}

async function convertRate(batch: readonly PacketPath[]): Promise<{ rate: number; mb: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'skbspan-bench-'));
  try {
    const file = join(folder, 'run.pcapng');
    const exporter = createPcapngExporter({ output: file, mode: 'hop', version: '0' });
    await exporter.start();
    const turns = Math.ceil(400_000 / callsOf(batch));
    for (let turn = 0; turn < turns; turn++) await exporter.export(batch);
    await exporter.shutdown(1000, statistics);
    let rate = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const source = createPcapngSource({
        files: [file],
        stdin: process.stdin,
        onNotice: console.error,
      });
      const again = createPcapngExporter({ output: '/dev/null', mode: 'hop', version: '0' });
      await source.open();
      await again.start();
      const began = cpuSeconds();
      let calls = 0;
      for await (const read of source.paths()) {
        calls += callsOf(read);
        await again.export(read);
      }
      rate = Math.max(rate, calls / (cpuSeconds() - began));
      if (calls !== turns * callsOf(batch)) throw new Error(`${calls} calls came back`);
      await again.shutdown(1000, source.statistics());
    }
    return { rate, mb: statSync(file).size / 1e6 };
  } finally {
    await rm(folder, { recursive: true });
  }
}

const grouped = (value: number): string => Math.round(value).toLocaleString('en-US');
const batch = paths(BATCH_PATHS);
const records = await writeRate(batch);
console.log(`hop records written a second    ${grouped(records)}   (wanted 500,000)`);
const ratio = sizeRatio(batch);
console.log(`size / (plain + comments)       ${ratio.toFixed(3)}   (wanted 1.3 at most)`);
const memory = await flatMemory(batch);
console.log(
  `MB of memory in ${gigabytes} GB written     ${grouped(memory.early)} in the first third, ${grouped(memory.late)} in the last`,
);
const converted = await convertRate(batch);
console.log(
  `calls converted a second        ${grouped(converted.rate)}   (hop to hop, ${grouped(converted.mb)} MB; wanted 200,000)`,
);
const began = performance.now();
const fuzz = fuzzRecording(batch.slice(0, 4), fuzzInputs, 0x5eed);
console.log(
  `${grouped(fuzzInputs)} damaged recordings    ${grouped((performance.now() - began) / 1000)} s, slowest ${fuzz.slowestMs.toFixed(1)} ms, ${fuzz.wrong.length} wrong`,
);
for (const wrong of fuzz.wrong) console.log(wrong);
const isGood =
  records >= 500_000 &&
  ratio <= 1.3 &&
  converted.rate >= 200_000 &&
  memory.late < memory.early * 1.1 &&
  fuzz.wrong.length === 0;
console.log(
  JSON.stringify({
    hop_records_per_s: Math.round(records),
    size_ratio: Number(ratio.toFixed(3)),
    memory_mb: [Math.round(memory.early), Math.round(memory.late)],
    converted_calls_per_s: Math.round(converted.rate),
    fuzz_inputs: fuzzInputs,
    fuzz_wrong: fuzz.wrong.length,
    good: isGood,
  }),
);
process.exitCode = isGood ? 0 : 1;
