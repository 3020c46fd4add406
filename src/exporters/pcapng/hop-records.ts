/**
 * Hop mode: a packet path as records, one per call, one per sight of headers, one per end of a life; the interface says
 * which (`ip_rcv`, `packet`, `drop`, `free`), the comment everything else. All records of a path follow each other, in the
 * order of time.
 *
 * The first record of a path says what is true of all of it, the first of a life what is true of that life, in comments of
 * their own. Each record says which of how many of its path it is, so that whoever reads knows when a path is whole.
 */
import type { Life, PacketPath, PacketSight } from '../../event/packet-path.ts';
import type { FilePacket } from './file-section.ts';
import {
  callComment,
  endComment,
  lifeComment,
  lossComment,
  packetComment,
  pathComment,
} from './hop-comments.ts';
import { blankFrame, frameOf } from './link-frame.ts';
import { surroundings } from './hop-surroundings.ts';
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

/** Which sight a record of a life is shown with: the newest one before it. */
function sightAt(life: Life, moment: Moment, latest: number): number {
  if (moment.what === 'packet') return moment.index;
  if (moment.what === 'call') return life.calls[moment.index]?.packet ?? -1;
  return latest;
}

/** All records of a path in the order in which they are to be written. */
export function hopRecords(path: PacketPath): FilePacket[] {
  const { lives } = path;
  const records: FilePacket[] = [];
  let moments: Moment[] = [];
  if (lives.length === 1 && lives[0] !== undefined) moments = momentsOf(lives[0], 0);
  else {
    for (const [index, life] of lives.entries()) moments.push(...momentsOf(life, index));
    moments.sort((left, right) => left.offsetNs - right.offsetNs);
  }

  const frames = lives.map((life) => life.packets.map(frameOf));
  const latest = new Int32Array(lives.length).fill(-1);
  const begun = new Uint8Array(lives.length);
  const clock = pathClock(path);
  const process = processOf(path);
  const whole = ` trace=${path.traceId} rec=`;

  let number = -1;
  for (const moment of moments) {
    number++;
    const life = lives[moment.life];
    if (life === undefined) continue;
    const place = ` life=${life.id}${whole}${number}/${moments.length}`;
    const at = sightAt(life, moment, latest[moment.life] ?? -1);
    if (at >= 0) latest[moment.life] = at;
    const sight = life.packets[at];
    const known = frames[moment.life]?.[at];
    const described = describeMoment(moment, life, known?.skipped ?? 0, place);
    const { name, description, comment } = described;
    const frame = known ?? blankFrame(described.length);
    const comments = [comment];
    if (number === 0) comments.push(pathComment(path), ...path.losses.map(lossComment));
    if (begun[moment.life] === 0) {
      begun[moment.life] = 1;
      comments.push(lifeComment(life, moment.life), ...surroundings(life));
    }
    records.push({
      interfaceName: name,
      interfaceDescription: description,
      linkType: frame.linkType,
      timeHigh: clock.high(moment.offsetNs),
      timeLow: clock.low(moment.offsetNs),
      data: frame.data,
      originalLength: frame.originalLength,
      comments,
      flags: packetFlags(path, sight),
      packetId: path.id,
      queue: queueOf(path, sight),
      process,
    });
  }
  return records;
}

interface Described {
  readonly name: string;
  readonly description: string;
  readonly comment: string;
  /** Length of the packet as the record itself knows it. */
  readonly length: number;
}

function describeMoment(moment: Moment, life: Life, skipped: number, place: string): Described {
  const { what, index } = moment;
  const call = what === 'call' ? life.calls[index] : undefined;
  if (call !== undefined) {
    return {
      name: call.func,
      description:
        call.kind === 'tracepoint'
          ? 'kernel tracepoint'
          : `kernel function${call.module === undefined ? '' : ` of module ${call.module}`}`,
      comment: callComment(call, index, place),
      length: call.len,
    };
  }
  const sight: PacketSight | undefined = what === 'packet' ? life.packets[index] : undefined;
  if (sight !== undefined) {
    return {
      name: 'packet',
      description: 'headers as first seen, or changed',
      comment: packetComment(sight, index, skipped, place),
      length: sight.len,
    };
  }
  if (what === 'end' && life.end !== undefined) {
    const isDrop = life.end.how === 'dropped';
    return {
      name: isDrop ? 'drop' : 'free',
      description: isDrop ? 'the packet was dropped' : 'the packet was freed',
      comment: endComment(life.end, place),
      length: 0,
    };
  }
  return {
    name: 'life',
    description: 'a packet of which nothing else was seen',
    comment: `begin${place}`,
    length: 0,
  };
}
