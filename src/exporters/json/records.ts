/**
 * The JSON form of packet paths and of the run's summary; docs/json.md describes every field. Unknown is null, never left
 * out, so that a column is there in every line. What may pass 2^53 is text: times since 1970 and cgroup ids in decimal,
 * addresses and registers in hex.
 */
import type {
  Call,
  Life,
  LifeEnd,
  PacketPath,
  PacketSight,
  PathLoss,
} from '../../event/packet-path.ts';
import type { Statistics } from '../../event/statistics.ts';
import {
  changeFields,
  conntrackFields,
  crossingFields,
  outcomeFields,
  socketFields,
  waitFields,
} from './story-records.ts';
import { detailFields } from './detail-record.ts';
import {
  deviceFields,
  flowFields,
  hex,
  locationFields,
  taskFields,
  type Fields,
  type Json,
} from './values.ts';

/** Changes when a reader of the old form would misread the new one; added fields do not change it. */
export const pathSchema = 'skbspan.path/1';
export const summarySchema = 'skbspan.summary/1';

/** `2026-08-21T22:13:20.123456789Z`. */
export function isoTime(epochNs: bigint): string {
  const seconds = new Date(Number(epochNs / 1_000_000n)).toISOString().slice(0, 19);
  return `${seconds}.${(epochNs % 1_000_000_000n).toString().padStart(9, '0')}Z`;
}

const callFields = (call: Call): Fields => ({
  func: call.func,
  module: call.module ?? null,
  kind: call.kind,
  seq: call.seq,
  offset_ns: call.offsetNs,
  duration_ns: call.durationNs ?? null,
  timing: call.timing,
  depth: call.depth,
  parent: call.parent === undefined ? null : { life: call.parent.life, call: call.parent.call },
  cpu: call.cpu,
  task: taskFields(call.task),
  device: deviceFields(call.device),
  len: call.len,
  mark: call.mark,
  protocol: call.protocol,
  return_value: call.returnValue === undefined ? null : hex(call.returnValue),
  packet: call.packet,
  verdict: call.verdict ?? null,
  detail: call.detail === undefined ? null : detailFields(call.detail),
});

const sightFields = (sight: PacketSight): Fields => ({
  offset_ns: sight.offsetNs,
  seq: sight.seq,
  flow: flowFields(sight.flow),
  len: sight.len,
  bytes: Buffer.from(sight.bytes.buffer, sight.bytes.byteOffset, sight.bytes.byteLength).toString(
    'base64',
  ),
  mac_offset: sight.macOffset ?? null,
  network_offset: sight.networkOffset ?? null,
  transport_offset: sight.transportOffset ?? null,
  protocol: sight.protocol,
  vlan: sight.vlan === undefined ? null : { tci: sight.vlan.tci, protocol: sight.vlan.protocol },
  queue: sight.queue,
  gso: sight.gso === undefined ? null : { size: sight.gso.size, segments: sight.gso.segments },
  hash: sight.hash,
  mark: sight.mark,
  device: deviceFields(sight.device),
  packet_type: sight.packetType,
  socket: hex(sight.socket),
});

const endFields = (end: LifeEnd | undefined): Json =>
  end === undefined
    ? null
    : {
        offset_ns: end.offsetNs,
        how: end.how,
        reason: end.reason ?? null,
        reason_code: end.reasonCode ?? null,
        location: locationFields(end.location),
        program: end.program ?? null,
        rule: end.rule === undefined ? null : { ...end.rule },
      };

const lifeFields = (life: Life): Fields => ({
  id: life.id,
  skb: hex(life.skb),
  parent:
    life.parent === undefined
      ? null
      : { life: life.parent.life, call: life.parent.call, operation: life.parent.operation },
  offset_ns: life.offsetNs,
  end: endFields(life.end),
  calls: life.calls.map(callFields),
  packets: life.packets.map(sightFields),
  sockets: life.sockets.map(socketFields),
  conntracks: life.conntracks.map(conntrackFields),
  waits: life.waits.map(waitFields),
  crossings: life.crossings.map(crossingFields),
  changes: life.changes.map(changeFields),
});

const lossFields = (loss: PathLoss): Fields => ({
  cause: loss.cause,
  life: 'life' in loss ? loss.life : null,
  after_seq: 'afterSeq' in loss ? loss.afterSeq : null,
  count: 'count' in loss ? loss.count : null,
});

/** One packet path as a plain object for JSON. */
export const pathRecord = (path: PacketPath): Fields => ({
  schema: pathSchema,
  id: path.id,
  trace_id: path.traceId,
  time: isoTime(path.startTimeNs),
  start_time_ns: path.startTimeNs.toString(),
  duration_ns: path.durationNs,
  direction: path.direction,
  ending: path.ending,
  losses: path.losses.map(lossFields),
  flow: flowFields(path.flow),
  lives: path.lives.map(lifeFields),
  outcome: outcomeFields(path.outcome),
});

/** Of a path that was read from records of several hosts: whose it is. */
const originFields = ({ origin }: PacketPath): Fields =>
  origin === undefined ? {} : { host: origin.host, boot_id: origin.bootId };

/** The record as the JSON output has it. */
export const pathLine = (path: PacketPath): string =>
  jsonLine({ ...pathRecord(path), ...originFields(path) });

/** What the run counted: the last line. */
export const summaryRecord = (statistics: Statistics): Fields => ({
  schema: summarySchema,
  events: statistics.events,
  lives: statistics.lives,
  paths: statistics.paths,
  drops: Object.fromEntries(statistics.drops),
  losses: Object.fromEntries(statistics.losses),
  ...(statistics.leftOut === undefined ? {} : { left_out: statistics.leftOut }),
});

/**
 * A record as one line. JSON.stringify escapes C0 controls only; DEL and C1 are escaped too, since a terminal that shows
 * the line would obey them.
 */
export const jsonLine = (record: Fields): string =>
  `${JSON.stringify(record).replace(/[\u007f-\u009f]/g, (character) => `\\u00${character.charCodeAt(0).toString(16)}`)}\n`;
