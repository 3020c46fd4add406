/** What several of the JSON records have in common (records.ts). */
import type { CodeLocation, Device, Flow, Task } from '../../event/packet-path.ts';
import {
  hex,
  name,
  nameOrNull,
  numberOrNull,
  quoted,
  quotedOrNull,
  remembered,
  type Json,
} from './text.ts';

export const flowText = (flow: Flow | undefined): string =>
  flow === undefined
    ? 'null'
    : `{"network":${name(flow.network)}` +
      `,"transport":${name(flow.transport)}` +
      `,"source_address":${quoted(flow.sourceAddress)}` +
      `,"source_port":${numberOrNull(flow.sourcePort)}` +
      `,"destination_address":${quoted(flow.destinationAddress)}` +
      `,"destination_port":${numberOrNull(flow.destinationPort)}` +
      `,"tcp_flags":${quotedOrNull(flow.tcpFlags)}` +
      `,"detail":${quoted(flow.detail)}}`;

/** As an object, where few are needed. */
export const flowFields = (flow: Flow | undefined): Json => JSON.parse(flowText(flow)) as Json;

/** The path builder makes one object for each device and task, which never changes. */
export const deviceText = remembered(
  (device: Device): string =>
    `{"netns":${device.netns}` +
    `,"netns_name":${quoted(device.netnsName)}` +
    `,"ifindex":${device.ifindex}` +
    `,"name":${quoted(device.name)}` +
    `,"mtu":${device.mtu}` +
    `,"kind":${quoted(device.kind)}}`,
);

export const taskText = remembered(
  (task: Task): string =>
    `{"tid":${task.tid}` +
    `,"tgid":${task.tgid}` +
    `,"comm":${quoted(task.comm)}` +
    `,"cgroup":"${task.cgroup}"` +
    `,"container_id":${quoted(task.containerId)}` +
    `,"pod_uid":${quoted(task.podUid)}}`,
);

export const locationText = (location: CodeLocation | undefined): string =>
  location === undefined
    ? 'null'
    : `{"address":"${hex(location.address)}"` +
      `,"func":${name(location.func)}` +
      `,"offset":${location.offset}` +
      `,"module":${nameOrNull(location.module)}}`;

export const locationFields = (location: CodeLocation | undefined): Json =>
  JSON.parse(locationText(location)) as Json;
