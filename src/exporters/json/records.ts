/**
 * The JSON form of packet paths and of the run's summary; docs/json.md describes every field. Unknown is null, never left
 * out, so that a column is there in every line. What may pass 2^53 is text: times since 1970 and cgroup ids in decimal,
 * addresses and registers in hex.
 */
import type { Life, LifeEnd, PacketPath, PacketSight, PathLoss } from '../../event/packet-path.ts';
import type { Statistics } from '../../event/statistics.ts';
import { callText } from './call-record.ts';
import {
  changeText,
  conntrackText,
  crossingText,
  outcomeText,
  socketText,
  waitText,
} from './story-records.ts';
import { hex, list, name, nameOrNull, numberOrNull, quoted, textOf, type Fields } from './text.ts';
import { deviceText, flowText, locationText } from './values.ts';

/** Changes when a reader of the old form would misread the new one; added fields do not change it. */
export const pathSchema = 'skbspan.path/1';
export const summarySchema = 'skbspan.summary/1';

let second = -1n;
let secondText = '';

/** `2026-08-21T22:13:20.123456789Z`. */
export function isoTime(epochNs: bigint): string {
  const at = epochNs / 1_000_000_000n;
  if (at !== second) {
    second = at;
    secondText = new Date(Number(at) * 1_000).toISOString().slice(0, 19);
  }
  return `${secondText}.${Number(epochNs - at * 1_000_000_000n)
    .toString()
    .padStart(9, '0')}Z`;
}

const sightText = (sight: PacketSight): string =>
  `{"offset_ns":${sight.offsetNs}` +
  `,"seq":${sight.seq}` +
  `,"flow":${flowText(sight.flow)}` +
  `,"len":${sight.len}` +
  `,"bytes":"${base64(sight.bytes)}"` +
  `,"mac_offset":${numberOrNull(sight.macOffset)}` +
  `,"network_offset":${numberOrNull(sight.networkOffset)}` +
  `,"transport_offset":${numberOrNull(sight.transportOffset)}` +
  `,"protocol":${sight.protocol}` +
  `,"vlan":${sight.vlan === undefined ? 'null' : `{"tci":${sight.vlan.tci},"protocol":${sight.vlan.protocol}}`}` +
  `,"queue":${sight.queue}` +
  `,"gso":${sight.gso === undefined ? 'null' : `{"size":${sight.gso.size},"segments":${sight.gso.segments}}`}` +
  `,"hash":${sight.hash}` +
  `,"mark":${sight.mark}` +
  `,"device":${deviceText(sight.device)}` +
  `,"packet_type":${sight.packetType}` +
  `,"socket":"${hex(sight.socket)}"}`;

const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

const endText = (end: LifeEnd | undefined): string =>
  end === undefined
    ? 'null'
    : `{"offset_ns":${end.offsetNs}` +
      `,"how":${name(end.how)}` +
      `,"reason":${nameOrNull(end.reason)}` +
      `,"reason_code":${numberOrNull(end.reasonCode)}` +
      `,"location":${locationText(end.location)}` +
      `,"program":${nameOrNull(end.program)}` +
      `,"rule":${end.rule === undefined ? 'null' : textOf({ ...end.rule })}}`;

const linkText = (link: Life['parent']): string =>
  link === undefined
    ? 'null'
    : `{"life":${link.life},"call":${link.call},"operation":${name(link.operation)}}`;

const lifeText = (life: Life): string =>
  `{"id":${life.id}` +
  `,"skb":"${hex(life.skb)}"` +
  `,"parent":${linkText(life.parent)}` +
  `,"merged_into":${linkText(life.mergedInto)}` +
  `,"offset_ns":${life.offsetNs}` +
  `,"end":${endText(life.end)}` +
  `,"calls":${list(life.calls, callText)}` +
  `,"packets":${list(life.packets, sightText)}` +
  `,"sockets":${list(life.sockets, socketText)}` +
  `,"conntracks":${list(life.conntracks, conntrackText)}` +
  `,"waits":${list(life.waits, waitText)}` +
  `,"crossings":${list(life.crossings, crossingText)}` +
  `,"changes":${list(life.changes, changeText)}}`;

const lossText = (loss: PathLoss): string =>
  textOf({
    cause: loss.cause,
    life: 'life' in loss ? loss.life : null,
    after_seq: 'afterSeq' in loss ? loss.afterSeq : null,
    count: 'count' in loss ? loss.count : null,
    before: 'before' in loss ? loss.before : null,
    after: 'after' in loss ? loss.after : null,
  });

/** One packet path as a JSON object, and `more` members at its end (`,"name":value`). */
export const pathText = (path: PacketPath, more = ''): string =>
  `{"schema":"${pathSchema}"` +
  `,"id":${path.id}` +
  `,"trace_id":${quoted(path.traceId)}` +
  `,"time":"${isoTime(path.startTimeNs)}"` +
  `,"start_time_ns":"${path.startTimeNs}"` +
  `,"duration_ns":${path.durationNs}` +
  `,"direction":${name(path.direction)}` +
  `,"ending":${name(path.ending)}` +
  `,"losses":${list(path.losses, lossText)}` +
  `,"flow":${flowText(path.flow)}` +
  `,"lives":${list(path.lives, lifeText)}` +
  `,"outcome":${outcomeText(path.outcome)}${more}}`;

/** The same as an object. */
export const pathRecord = (path: PacketPath): Fields => JSON.parse(pathText(path)) as Fields;

/** The record as the JSON output has it: of a path that was read from records of several hosts it says whose it is. */
export const pathLine = (path: PacketPath): string => {
  const { origin } = path;
  const more =
    origin === undefined ? '' : `,"host":${quoted(origin.host)},"boot_id":${quoted(origin.bootId)}`;
  return `${pathText(path, more)}\n`;
};

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

/** A record as one line. */
export const jsonLine = (record: Fields): string => `${textOf(record)}\n`;
