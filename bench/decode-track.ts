/**
 * How many events a second the collector's thread (decode + track) and the main thread (build paths) can take on one core:
 * 2.4 million synthetic records as a kernel with all skb functions, enter and exit, would write them.
 *
 *   node bench/decode-track.ts [rounds]
 *
 * The last line is JSON. The best of several rounds counts: the machine does other things too.
 */

import { createBatchWriter } from '../src/collector/batch.ts';
import { createPathBuilder } from '../src/collector/path-builder.ts';
import { createTracker, defaultTrackerLimits } from '../src/collector/tracker.ts';
import { eventHeader, linkEvent } from '../src/event/layout.ts';
import {
  enterRecord,
  exitRecord,
  freeRecord,
  linkRecord,
  packetRecord,
} from '../test/fixtures/records.ts';

const PATHS = 25_000;
const PATHS_AT_ONCE = 16;
const CALLS = 40;
const CLONE_CALLS = 6;
const SLICE_RECORDS = 8192;
const NS_PER_RECORD = 700;

/** A packet's records: nested calls, headers, a clone in the middle with calls of its own, both lives freed. */
function template(): Uint8Array[] {
  const records: Uint8Array[] = [];
  const open: number[] = [];
  let seq = 0;
  const stack = 0xffffc90000200000n;
  const data = new Uint8Array(98).fill(7);
  data.set([0x08, 0, 0x45, 0, 0, 84, 0, 0, 0, 0, 64, 1], 12);
  const close = (): void => {
    const last = open.pop();
    if (last !== undefined)
      records.push(exitRecord({ life: 1, seq: last, probe: last, tid: 9, returnValue: 1n }));
  };
  records.push(
    packetRecord({
      life: 1,
      seq: seq++,
      tid: 9,
      data,
      slack: 30,
      macOffset: 0,
      networkOffset: 14,
      transportOffset: 34,
      protocol: 0x800,
      netns: 4026531840,
      ifindex: 2,
    }),
  );
  for (let call = 0; call < CALLS; call++) {
    const frame = stack - BigInt(open.length * 96);
    const fields = { tid: 9, cpu: 1, netns: 4026531840, ifindex: 2, len: 84, protocol: 0x800 };
    records.push(
      enterRecord({ ...fields, life: 1, seq, probe: seq, frame, skb: 0xffff888004500000n }),
    );
    open.push(seq++);
    if (call === CALLS / 2) {
      records.push(linkRecord({ life: 2, parent: 1, parentSeq: seq - 1 }));
      for (let index = 1; index <= CLONE_CALLS; index++) {
        const probe = 100 + index;
        const inner = frame - BigInt(index * 64);
        records.push(enterRecord({ ...fields, life: 2, seq: index, probe, frame: inner }));
        records.push(exitRecord({ life: 2, seq: index, probe, tid: 9 }));
      }
      records.push(freeRecord({ life: 2, seq: CLONE_CALLS + 1 }));
    }
    while (open.length > call % 7) close();
  }
  records.push(freeRecord({ life: 1, seq }));
  while (open.length > 0) close();
  return records;
}

interface Stream {
  readonly words: Uint32Array;
  /** Word offset and byte length of each record. */
  readonly places: Int32Array;
  readonly count: number;
}

/** Many packets at once, their records in turn, as on a machine with as many CPUs. */
function createStream(): Stream {
  const records = template();
  const bytes = records.reduce((sum, record) => sum + ((record.length + 3) & ~3), 0);
  const count = records.length * PATHS;
  const words = new Uint32Array((bytes / 4) * PATHS);
  const places = new Int32Array(count * 2);
  let at = 0;
  let number = 0;
  const templates = records.map((record) => new Uint32Array(record.buffer, 0, record.length >> 2));
  for (let group = 0; group < PATHS; group += PATHS_AT_ONCE) {
    const inGroup = Math.min(PATHS_AT_ONCE, PATHS - group);
    for (const [index, record] of templates.entries()) {
      for (let path = group; path < group + inGroup; path++) {
        words.set(record, at);
        const time = number * NS_PER_RECORD;
        words[at + eventHeader.timeNs / 4] = time;
        words[at + eventHeader.timeNs / 4 + 1] = Math.floor(time / 2 ** 32);
        const life = record[eventHeader.life / 4] ?? 0;
        words[at + eventHeader.life / 4] = path * 2 + life;
        words[at + eventHeader.tid / 4] = 1000 + (path % PATHS_AT_ONCE);
        if (records[index]?.[eventHeader.kind] === 4)
          words[at + linkEvent.parent / 4] = path * 2 + 1;
        places[number * 2] = at;
        places[number * 2 + 1] = record.length * 4;
        at += record.length;
        number++;
      }
    }
  }
  return { words, places, count };
}

function track(stream: Stream, onBatch: (batch: ArrayBuffer) => void): number {
  const batch = createBatchWriter({ targetBytes: 1024 * 1024, epochOffsetNs: () => 0n, onBatch });
  const tracker = createTracker({ limits: defaultTrackerLimits, batch, accepting: () => true });
  const { words, places, count } = stream;
  for (let index = 0; index < count; index++) {
    tracker.add(words, places[index * 2] ?? 0, places[index * 2 + 1] ?? 0);
    if (index % SLICE_RECORDS === 0) tracker.sweep(tracker.lastRecordMs());
  }
  tracker.finishAll();
  batch.flush();
  const { events, paths, losses } = tracker.statistics();
  const lost = [...losses.values()].reduce((sum, value) => sum + value, 0);
  if (events !== count || paths !== PATHS || lost > 0)
    throw new Error(`The tracker lost something: ${events} of ${count} events, ${paths} paths`);
  return count;
}

const symbols = {
  probe: (id: number) =>
    ({ func: functions[id] ?? 'unknown', module: undefined, kind: 'function' }) as const,
  location: (address: bigint) => ({ address, func: '', offset: 0, module: undefined }),
  dropReason: (code: number) => `reason ${code}`,
  netnsName: (inode: number) => `netns:${inode}`,
  owner: () => ({ containerId: '', podUid: '' }),
};
const functions = Array.from({ length: 200 }, (_, index) => `function_${index}`);

function build(batches: readonly ArrayBuffer[]): void {
  const builder = createPathBuilder({ symbols, runId: new Uint8Array(8) });
  let paths = 0;
  for (const batch of batches) {
    const built = builder.build(batch);
    if (built.undecodable + built.orphanExits > 0) throw new Error('The builder lost something.');
    for (const path of built.paths) {
      if (path.losses.length > 0 || path.lives.length !== 2)
        throw new Error(`Path ${path.id} is not what was written.`);
    }
    paths += built.paths.length;
  }
  if (paths !== PATHS) throw new Error(`${paths} paths of ${PATHS}`);
}

/** Seconds. */
function timed(work: () => void): number {
  const start = process.hrtime.bigint();
  work();
  return Number(process.hrtime.bigint() - start) / 1e9;
}

const rounds = Number(process.argv[2] ?? 3);
const stream = createStream();
const mega = (events: number): string => (events / 1e6).toFixed(2).padStart(6);
let bestTrack = 0;
let bestBuild = 0;
for (let round = 1; round <= rounds; round++) {
  const batches: ArrayBuffer[] = [];
  const trackRate = stream.count / timed(() => track(stream, (batch) => batches.push(batch)));
  const buildRate =
    stream.count /
    timed(() => {
      build(batches);
    });
  console.log(
    `round ${round}: track ${mega(trackRate)} M events/s, build ${mega(buildRate)} M events/s`,
  );
  bestTrack = Math.max(bestTrack, trackRate);
  bestBuild = Math.max(bestBuild, buildRate);
}
const both = 1 / (1 / bestTrack + 1 / bestBuild);
console.log(
  JSON.stringify({
    bench: 'decode-track',
    events: stream.count,
    paths: PATHS,
    trackEventsPerSecond: Math.round(bestTrack),
    buildEventsPerSecond: Math.round(bestBuild),
    trackAndBuildEventsPerSecond: Math.round(both),
    peakMemoryMiB: Math.round(process.resourceUsage().maxRSS / 1024),
  }),
);
