/** What several of the JSON records have in common (records.ts). */
import type { CodeLocation, Device, Flow, Task } from '../../event/packet-path.ts';
import { put, putNull, putQuoted, putQuotedOrNull, type JsonBytes } from './bytes.ts';
import { putName, putNameOrNull, remembered } from './names.ts';
import { putHex, putNumber, putNumberOrNull } from './numbers.ts';
import { members, moreMembers, piece, type Piece } from './pieces.ts';
import { textOf } from './text.ts';

/** What ends an object. */
export const DONE = piece('}');

const ofFlow = moreMembers(
  'source_port',
  'destination_address',
  'destination_port',
  'tcp_flags',
  'detail',
);

/** What flows of one network and transport have in common. */
const flowHeads = {
  ipv4: new Map<string, Piece>(),
  ipv6: new Map<string, Piece>(),
  arp: new Map<string, Piece>(),
  other: new Map<string, Piece>(),
} as const;
const FLOW_HEADS_MOST = 256;

function flowHeadOf({ network, transport }: Flow): Piece {
  const heads = flowHeads[network];
  let known = heads.get(transport);
  if (known === undefined) {
    known = piece(`${textOf({ network, transport }).slice(0, -1)},"source_address":`);
    if (heads.size >= FLOW_HEADS_MOST) heads.clear();
    heads.set(transport, known);
  }
  return known;
}

export function putFlow(out: JsonBytes, flow: Flow | undefined): void {
  if (flow === undefined) {
    putNull(out);
    return;
  }
  put(out, flowHeadOf(flow));
  putQuoted(out, flow.sourceAddress);
  put(out, ofFlow.source_port);
  putNumberOrNull(out, flow.sourcePort);
  put(out, ofFlow.destination_address);
  putQuoted(out, flow.destinationAddress);
  put(out, ofFlow.destination_port);
  putNumberOrNull(out, flow.destinationPort);
  put(out, ofFlow.tcp_flags);
  putQuotedOrNull(out, flow.tcpFlags);
  put(out, ofFlow.detail);
  putQuoted(out, flow.detail);
  put(out, DONE);
}

export const deviceText = (device: Device): string =>
  textOf({
    netns: device.netns,
    netns_name: device.netnsName,
    ifindex: device.ifindex,
    name: device.name,
    mtu: device.mtu,
    kind: device.kind,
  });

export const taskText = (task: Task): string =>
  textOf({
    tid: task.tid,
    tgid: task.tgid,
    comm: task.comm,
    cgroup: task.cgroup.toString(),
    container_id: task.containerId,
    pod_uid: task.podUid,
  });

/** The path builder makes one object for each device and task, which never changes. */
export const putDevice = remembered(deviceText);
export const putTask = remembered(taskText);

const ofLocation = members('address', 'func', 'offset', 'module');

export function putLocation(out: JsonBytes, location: CodeLocation | undefined): void {
  if (location === undefined) {
    putNull(out);
    return;
  }
  put(out, ofLocation.address);
  putHex(out, location.address);
  put(out, ofLocation.func);
  putName(out, location.func);
  put(out, ofLocation.offset);
  putNumber(out, location.offset);
  put(out, ofLocation.module);
  putNameOrNull(out, location.module);
  put(out, DONE);
}
