/** The JSON form of a packet's surroundings and of what its calls mean; see records.ts. */
import type {
  ConntrackSight,
  ConntrackTuple,
  Crossing,
  HeaderChange,
  Outcome,
  SocketSight,
  Wait,
} from '../../event/packet-path.ts';
import { hex, name, textOf, type Fields } from './text.ts';
import { deviceText, flowFields, taskText } from './values.ts';

export const socketText = (socket: SocketSight): string =>
  textOf({
    offset_ns: socket.offsetNs,
    seq: socket.seq,
    address: hex(socket.address),
    inode: socket.inode,
    uid: socket.uid ?? null,
    family: socket.family,
    type: socket.type,
    protocol: socket.protocol,
    state: socket.state,
    local_address: socket.localAddress,
    local_port: socket.localPort,
    remote_address: socket.remoteAddress,
    remote_port: socket.remotePort,
    netns: socket.netns,
    netns_name: socket.netnsName,
    cgroup: socket.cgroup.toString(),
    container_id: socket.containerId,
    pod_uid: socket.podUid,
  });

const tupleFields = (tuple: ConntrackTuple): Fields => ({
  transport: tuple.transport,
  source_address: tuple.sourceAddress,
  destination_address: tuple.destinationAddress,
  source_port: tuple.sourcePort ?? null,
  destination_port: tuple.destinationPort ?? null,
});

export const conntrackText = (conntrack: ConntrackSight): string =>
  textOf({
    offset_ns: conntrack.offsetNs,
    seq: conntrack.seq,
    info: conntrack.info,
    status: conntrack.status,
    zone: conntrack.zone,
    mark: conntrack.mark,
    original: tupleFields(conntrack.original),
    reply: tupleFields(conntrack.reply),
  });

export const waitText = (wait: Wait): string =>
  `{"place":${name(wait.place)}` +
  `,"offset_ns":${wait.offsetNs}` +
  `,"duration_ns":${wait.durationNs}` +
  `,"after":${wait.after}` +
  `,"before":${wait.before}` +
  `,"device":${deviceText(wait.device)}}`;

export const crossingText = (crossing: Crossing): string =>
  `{"kind":${name(crossing.kind)}` +
  `,"call":${crossing.call}` +
  `,"offset_ns":${crossing.offsetNs}` +
  `,"from":${deviceText(crossing.from)}` +
  `,"to":${deviceText(crossing.to)}` +
  `,"from_cpu":${crossing.fromCpu}` +
  `,"to_cpu":${crossing.toCpu}}`;

export const changeText = (change: HeaderChange): string =>
  textOf({
    kind: change.kind,
    offset_ns: change.offsetNs,
    call: change.call,
    before: flowFields(change.before),
    after: flowFields(change.after),
    tunnel:
      change.tunnel === undefined
        ? null
        : { kind: change.tunnel.kind, id: change.tunnel.id ?? null },
  });

export const outcomeText = (outcome: Outcome): string =>
  `{"kind":${name(outcome.kind)}` +
  `,"life":${outcome.life}` +
  `,"call":${outcome.call}` +
  `,"offset_ns":${outcome.offsetNs}` +
  `,"device":${outcome.device === undefined ? 'null' : deviceText(outcome.device)}` +
  `,"socket":${outcome.socket}` +
  `,"task":${outcome.task === undefined ? 'null' : taskText(outcome.task)}` +
  `,"by":${name(outcome.by)}}`;
