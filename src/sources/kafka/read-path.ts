/**
 * Packet paths from their JSON records (docs/json.md); the reverse of src/exporters/json/records.ts. What a record of an
 * older version does not have is empty; what is derived from the rest (story.ts) is derived anew.
 */
import type {
  Call,
  Device,
  LifeEnd,
  Origin,
  PacketPath,
  PacketSight,
  PathLoss,
  Task,
} from '../../event/packet-path.ts';
import { callKinds, verdictName } from '../../event/verdicts.ts';
import { withStory, type BareLife } from '../../event/story.ts';
import { readDetail, readFlowFields, readLocationFields } from '../read-detail.ts';
import { pathSchema } from '../../exporters/json/records.ts';
import {
  big,
  list,
  listIf,
  NotOurs,
  number,
  numberOr,
  object,
  optional,
  text,
  textIf,
  textOr,
  word,
  type Fields,
} from './record-fields.ts';
import { readConntrack, readRule, readSocket } from './read-surroundings.ts';

const readDevice = (fields: Fields): Device => ({
  netns: number(fields, 'netns'),
  netnsName: text(fields, 'netns_name'),
  ifindex: number(fields, 'ifindex'),
  name: text(fields, 'name'),
  mtu: number(fields, 'mtu'),
  kind: textIf(fields, 'kind'),
});

const readTask = (fields: Fields): Task => ({
  tid: number(fields, 'tid'),
  tgid: number(fields, 'tgid'),
  comm: text(fields, 'comm'),
  cgroup: big(fields, 'cgroup'),
  containerId: textIf(fields, 'container_id'),
  podUid: textIf(fields, 'pod_uid'),
});

const place = (fields: Fields): { readonly life: number; readonly call: number } => ({
  life: number(fields, 'life'),
  call: number(fields, 'call'),
});

const readCall = (fields: Fields): Call => {
  const kind = word(fields, 'kind', callKinds);
  const returnValue = fields['return_value'] === null ? undefined : big(fields, 'return_value');
  return {
    func: text(fields, 'func'),
    module: textOr(fields, 'module'),
    kind,
    seq: number(fields, 'seq'),
    offsetNs: number(fields, 'offset_ns'),
    durationNs: numberOr(fields, 'duration_ns'),
    timing: word(fields, 'timing', ['exit', 'enter-only', 'point', 'unfinished']),
    depth: number(fields, 'depth'),
    parent: optional(fields, 'parent', place),
    cpu: number(fields, 'cpu'),
    task: readTask(object(fields['task'], 'task')),
    device: readDevice(object(fields['device'], 'device')),
    len: number(fields, 'len'),
    mark: number(fields, 'mark'),
    protocol: number(fields, 'protocol'),
    returnValue,
    verdict: verdictName(kind, returnValue),
    packet: number(fields, 'packet'),
    // Older records do not have it.
    ...(fields['detail'] == null ? {} : { detail: readDetail(object(fields['detail'], 'detail')) }),
  };
};

const readSight = (fields: Fields): PacketSight => ({
  offsetNs: number(fields, 'offset_ns'),
  seq: number(fields, 'seq'),
  flow: optional(fields, 'flow', readFlowFields),
  len: number(fields, 'len'),
  bytes: Uint8Array.from(Buffer.from(text(fields, 'bytes'), 'base64')),
  macOffset: numberOr(fields, 'mac_offset'),
  networkOffset: numberOr(fields, 'network_offset'),
  transportOffset: numberOr(fields, 'transport_offset'),
  protocol: number(fields, 'protocol'),
  vlan: optional(fields, 'vlan', (vlan) => ({
    tci: number(vlan, 'tci'),
    protocol: number(vlan, 'protocol'),
  })),
  queue: number(fields, 'queue'),
  gso: optional(fields, 'gso', (gso) => ({
    size: number(gso, 'size'),
    segments: number(gso, 'segments'),
  })),
  hash: number(fields, 'hash'),
  mark: number(fields, 'mark'),
  device: readDevice(object(fields['device'], 'device')),
  packetType: number(fields, 'packet_type'),
  socket: big(fields, 'socket'),
});

const readEnd = (fields: Fields): LifeEnd => ({
  offsetNs: number(fields, 'offset_ns'),
  how: word(fields, 'how', ['dropped', 'consumed', 'released', 'memory', 'reused']),
  reason: textOr(fields, 'reason'),
  reasonCode: numberOr(fields, 'reason_code'),
  location: optional(fields, 'location', readLocationFields),
  // Null, or not there at all in records of older versions.
  program: fields['program'] == null ? undefined : text(fields, 'program'),
  rule: fields['rule'] === undefined ? undefined : optional(fields, 'rule', readRule),
});

const readLife = (fields: Fields): BareLife => ({
  id: number(fields, 'id'),
  skb: big(fields, 'skb'),
  parent: optional(fields, 'parent', (parent) => ({
    ...place(parent),
    operation: word(parent, 'operation', ['clone', 'copy', 'segment', 'morph', 'xdp', 'gro']),
  })),
  offsetNs: number(fields, 'offset_ns'),
  calls: list(fields, 'calls', readCall),
  packets: list(fields, 'packets', readSight),
  end: optional(fields, 'end', readEnd),
  sockets: listIf(fields, 'sockets', readSocket),
  conntracks: listIf(fields, 'conntracks', readConntrack),
});

function readLoss(fields: Fields): PathLoss {
  const cause = word(fields, 'cause', ['events', 'link', 'memory', 'continued']);
  switch (cause) {
    case 'events':
      return {
        cause,
        life: number(fields, 'life'),
        afterSeq: number(fields, 'after_seq'),
        count: number(fields, 'count'),
      };
    case 'memory':
      return { cause, count: number(fields, 'count') };
    case 'link':
    case 'continued':
      return { cause, life: number(fields, 'life') };
  }
}

/** Records of the JSON output have no host: they are read where they were written, or nobody knows. */
const readOrigin = (fields: Fields): { readonly origin?: Origin } =>
  typeof fields['host'] === 'string'
    ? { origin: { host: fields['host'], bootId: text(fields, 'boot_id') } }
    : {};

/** The path of a JSON record; fields that it does not know are skipped. Throws NotOurs if it is no path of this schema. */
export function readPath(json: string): PacketPath {
  let value: unknown;
  try {
    value = JSON.parse(json);
  } catch {
    throw new NotOurs('it is no JSON');
  }
  const fields = object(value, 'the record');
  const schema = fields['schema'];
  if (schema !== pathSchema) {
    throw new NotOurs(typeof schema === 'string' ? `its schema is ${schema}` : 'it has no schema');
  }
  const lives = list(fields, 'lives', readLife);
  if (lives.length === 0) throw new NotOurs('it has no lives');
  return withStory({
    id: number(fields, 'id'),
    traceId: text(fields, 'trace_id'),
    startTimeNs: big(fields, 'start_time_ns'),
    durationNs: number(fields, 'duration_ns'),
    lives,
    ending: word(fields, 'ending', ['ended', 'idle', 'evicted', 'stopped']),
    losses: list(fields, 'losses', readLoss),
    flow: optional(fields, 'flow', readFlowFields),
    direction: word(fields, 'direction', ['transmit', 'receive', 'unknown']),
    ...readOrigin(fields),
  });
}
