/**
 * Hop mode: a packet path as records, one per call, one per sight of headers, one per end of a life; the interface says
 * which (`ip_rcv`, `packet`, `drop`, `free`), the comment everything else. All records of a path follow each other, in the
 * order of time.
 *
 * The first record of a path says what is true of all of it, the first of a life what is true of that life, in comments of
 * their own. Each record says which of how many of its path it is, so that whoever reads knows when a path is whole.
 */
import type { Call, Life, PacketPath } from '../../event/packet-path.ts';
import { isProgram } from '../../event/verdicts.ts';
import { type BlockBuffer, createBlockBuffer } from './block-buffer.ts';
import { closeComment, openComment, type SelfWrittenPacket } from './blocks.ts';
import type { FilePacket, OnInterface } from './file-section.ts';
import {
  type Place,
  placeWords,
  putBegin,
  putCall,
  putEnd,
  putLife,
  putLoss,
  putPath,
  putSight,
  totalWords,
} from './hop-comments.ts';
import { putConntrack, putSocket } from './hop-surroundings.ts';
import { blankFrame, type Frame, frameOf } from './link-frame.ts';
import { verdictsOf } from './packet-verdicts.ts';
import { packetFlags, pathClock, processOf, queueOf } from './path-frames.ts';

interface Moment {
  readonly offsetNs: number;
  readonly life: number;
  readonly what: 'life' | 'packet' | 'call' | 'end';
  /** Of the sight or call in its life. */
  readonly index: number;
}

/** A life's records by time; at the same time a sight before a call, and the end last. */
function momentsOf(life: Life, at: number): Moment[] {
  const { calls, packets, end } = life;
  const moments: Moment[] = [];
  let sight = 0;
  for (let index = 0; index < calls.length; index++) {
    const offsetNs = calls[index]?.offsetNs ?? 0;
    for (
      let seen = packets[sight];
      seen !== undefined && seen.offsetNs <= offsetNs;
      seen = packets[++sight]
    ) {
      moments.push({ offsetNs: seen.offsetNs, life: at, what: 'packet', index: sight });
    }
    moments.push({ offsetNs, life: at, what: 'call', index });
  }
  for (let seen = packets[sight]; seen !== undefined; seen = packets[++sight]) {
    moments.push({ offsetNs: seen.offsetNs, life: at, what: 'packet', index: sight });
  }
  if (end !== undefined) moments.push({ offsetNs: end.offsetNs, life: at, what: 'end', index: 0 });
  if (moments.length === 0) {
    moments.push({ offsetNs: life.offsetNs, life: at, what: 'life', index: 0 });
  }
  return moments;
}

/** One record: the packet as far as a file section must know it, and comments that write themselves. */
export type HopRecord = OnInterface & SelfWrittenPacket;

/** A life while its records are written. */
interface Writing {
  readonly life: Life;
  readonly frames: readonly Frame[];
  readonly before: Uint8Array;
  hasBegun: boolean;
  /** The newest sight so far. */
  latest: number;
}

/**
 * Hands all records of a path to `visit` in the order in which they are to be written. It is one object each time, which is
 * good until `visit` returns.
 */
export function eachHop(path: PacketPath, visit: (record: HopRecord) => void): void {
  const moments = momentsOfAll(path.lives);
  const clock = pathClock(path);
  const lives = path.lives.map((life): Writing => ({
    life,
    frames: life.packets.map(frameOf),
    before: placeWords(life.id, path.traceId),
    hasBegun: false,
    latest: -1,
  }));
  const record = createRecord(path, totalWords(moments.length));
  for (let number = 0; number < moments.length; number++) {
    const moment = moments[number];
    const writing = moment === undefined ? undefined : lives[moment.life];
    if (moment === undefined || writing === undefined) continue;
    record.timeHigh = clock.high(moment.offsetNs);
    record.timeLow = clock.low(moment.offsetNs);
    record.show(moment, number, writing);
    visit(record);
    writing.hasBegun = true;
  }
}

function momentsOfAll(lives: readonly Life[]): Moment[] {
  const [first] = lives;
  if (lives.length === 1 && first !== undefined) return momentsOf(first, 0);
  const moments: Moment[] = [];
  for (const [index, life] of lives.entries()) {
    for (const moment of momentsOf(life, index)) moments.push(moment);
  }
  return moments.sort((left, right) => left.offsetNs - right.offsetNs);
}

type RecordDraft = { -readonly [Key in keyof HopRecord]: HopRecord[Key] } & {
  /** Makes it the record of this moment. */
  show(moment: Moment, number: number, writing: Writing): void;
};

function createRecord(path: PacketPath, behind: Uint8Array): RecordDraft {
  const place: Place = { before: behind, number: 0, behind };
  let now: Moment | undefined;
  let shown: Writing | undefined;
  let call: Call | undefined;
  let sightAt = -1;

  function putRecord(out: BlockBuffer, { life, frames }: Writing, { what, index }: Moment): void {
    const sight = what === 'packet' ? life.packets[index] : undefined;
    if (call !== undefined) putCall(out, call, index, place);
    else if (sight !== undefined) putSight(out, sight, index, frames[index]?.skipped ?? 0, place);
    else if (what === 'end' && life.end !== undefined) putEnd(out, life.end, place);
    else putBegin(out, place);
  }

  /** What is true of the whole path or of the whole life, beside its first record. */
  function putHeads(out: BlockBuffer, { life, hasBegun }: Writing, at: number): void {
    if (place.number === 0) {
      comment(out, () => {
        putPath(out, path);
      });
      for (const loss of path.losses) {
        comment(out, () => {
          putLoss(out, loss);
        });
      }
    }
    if (hasBegun) return;
    comment(out, () => {
      putLife(out, life, at);
    });
    for (const socket of life.sockets) {
      comment(out, () => {
        putSocket(out, socket, life.id);
      });
    }
    for (const conntrack of life.conntracks) {
      comment(out, () => {
        putConntrack(out, conntrack, life.id);
      });
    }
  }

  return {
    interfaceName: '',
    linkType: 0,
    timeHigh: 0,
    timeLow: 0,
    data: [],
    originalLength: 0,
    flags: 0,
    packetId: path.id,
    queue: undefined,
    verdicts: undefined,
    process: processOf(path),
    describeInterface: () => (now === undefined ? '' : describe(now.what, call, shown?.life)),
    show(moment, number, writing) {
      const { life, frames } = writing;
      now = moment;
      shown = writing;
      place.before = writing.before;
      place.number = number;
      call = moment.what === 'call' ? life.calls[moment.index] : undefined;
      // Which sight it is shown with: the newest one before it, or what the call says.
      if (call !== undefined) sightAt = call.packet;
      else sightAt = moment.what === 'packet' ? moment.index : writing.latest;
      if (sightAt >= 0) writing.latest = sightAt;
      const sight = life.packets[sightAt];
      const frame = frames[sightAt] ?? blankFrame(call?.len ?? 0);
      this.interfaceName = nameOf(moment.what, call, life);
      this.linkType = frame.linkType;
      this.data = frame.data;
      this.originalLength = frame.originalLength;
      this.flags = packetFlags(path, sight);
      this.queue = queueOf(path, sight);
      this.verdicts =
        call !== undefined && isProgram(call) ? verdictsOf([call]).verdicts : undefined;
    },
    putComments(out) {
      if (shown === undefined || now === undefined) return;
      const from = openComment(out);
      putRecord(out, shown, now);
      closeComment(out, from);
      if (place.number === 0 || !shown.hasBegun) putHeads(out, shown, now.life);
    },
  };
}

function comment(out: BlockBuffer, body: () => void): void {
  const from = openComment(out);
  body();
  closeComment(out, from);
}

function nameOf(what: Moment['what'], call: Call | undefined, { end }: Life): string {
  if (call !== undefined) return call.func;
  if (what === 'packet') return 'packet';
  if (what === 'end' && end !== undefined) return end.how === 'dropped' ? 'drop' : 'free';
  return 'life';
}

const descriptions = {
  tracepoint: 'kernel tracepoint',
  tc: 'tc program',
  xdp: 'XDP program',
} as const;

const describeCall = ({ kind, module }: Call): string =>
  kind === 'function'
    ? `kernel function${module === undefined ? '' : ` of module ${module}`}`
    : descriptions[kind];

function describe(what: Moment['what'], call: Call | undefined, life: Life | undefined): string {
  if (call !== undefined) return describeCall(call);
  if (what === 'packet') return 'headers as first seen, or changed';
  if (what !== 'end') return 'a packet of which nothing else was seen';
  return life?.end?.how === 'dropped' ? 'the packet was dropped' : 'the packet was freed';
}

/** The records as values of their own, comments as text: for whoever wants to look at them or to change them. */
export function hopRecords(path: PacketPath): FilePacket[] {
  const out = createBlockBuffer(1024);
  const records: FilePacket[] = [];
  eachHop(path, (record) => {
    out.truncate(0);
    record.putComments(out);
    const { interfaceName, linkType, timeHigh, timeLow, data, originalLength } = record;
    const { flags, packetId, queue, process, verdicts } = record;
    records.push({
      interfaceName,
      interfaceDescription: record.describeInterface(),
      linkType,
      timeHigh,
      timeLow,
      data,
      originalLength,
      comments: commentsIn(out),
      flags,
      packetId,
      queue,
      process,
      ...(verdicts === undefined ? {} : { verdicts }),
    });
  });
  return records;
}

/** Of options that are comments, their texts. */
function commentsIn(out: BlockBuffer): string[] {
  const comments: string[] = [];
  for (let at = 0; at < out.length;) {
    const from = at + 4;
    const to = from + out.u16At(at + 2);
    comments.push(out.textAt(from, to));
    at = (to + 3) & ~3;
  }
  return comments;
}
