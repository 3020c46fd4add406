/** What several of the JSON records have in common (records.ts). */
import type { CodeLocation, Device, Flow, Task } from '../../event/packet-path.ts';
import {
  members,
  piece,
  put,
  putHex,
  putName,
  putNameOrNull,
  putNull,
  putNumber,
  putNumberOrNull,
  putQuoted,
  putQuotedOrNull,
  remembered,
  type JsonBytes,
} from './bytes.ts';
import { textOf } from './text.ts';

/** What ends an object. */
export const DONE = piece('}');

const ofFlow = members(
  'network',
  'transport',
  'source_address',
  'source_port',
  'destination_address',
  'destination_port',
  'tcp_flags',
  'detail',
);

export function putFlow(out: JsonBytes, flow: Flow | undefined): void {
  if (flow === undefined) {
    putNull(out);
    return;
  }
  put(out, ofFlow.network);
  putName(out, flow.network);
  put(out, ofFlow.transport);
  putName(out, flow.transport);
  put(out, ofFlow.source_address);
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

/** The path builder makes one object for each device and task, which never changes. */
export const putDevice = remembered((device: Device): string =>
  textOf({
    netns: device.netns,
    netns_name: device.netnsName,
    ifindex: device.ifindex,
    name: device.name,
    mtu: device.mtu,
    kind: device.kind,
  }),
);

export const putTask = remembered((task: Task): string =>
  textOf({
    tid: task.tid,
    tgid: task.tgid,
    comm: task.comm,
    cgroup: task.cgroup.toString(),
    container_id: task.containerId,
    pod_uid: task.podUid,
  }),
);

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
