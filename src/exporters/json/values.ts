/** What several of the JSON records have in common (records.ts). */
import type { CodeLocation, Device, Flow, Task } from '../../event/packet-path.ts';

export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
export type Fields = Readonly<Record<string, Json>>;

export const hex = (value: bigint): string => `0x${value.toString(16)}`;

export const flowFields = (flow: Flow | undefined): Json =>
  flow === undefined
    ? null
    : {
        network: flow.network,
        transport: flow.transport,
        source_address: flow.sourceAddress,
        source_port: flow.sourcePort ?? null,
        destination_address: flow.destinationAddress,
        destination_port: flow.destinationPort ?? null,
        tcp_flags: flow.tcpFlags ?? null,
        detail: flow.detail,
      };

export const deviceFields = (device: Device): Fields => ({
  netns: device.netns,
  netns_name: device.netnsName,
  ifindex: device.ifindex,
  name: device.name,
  mtu: device.mtu,
  kind: device.kind,
});

export const taskFields = (task: Task): Fields => ({
  tid: task.tid,
  tgid: task.tgid,
  comm: task.comm,
  cgroup: task.cgroup.toString(),
  container_id: task.containerId,
  pod_uid: task.podUid,
});

export const locationFields = (location: CodeLocation | undefined): Json =>
  location === undefined
    ? null
    : {
        address: hex(location.address),
        func: location.func,
        offset: location.offset,
        module: location.module ?? null,
      };
