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
import { put, putNull, putQuoted, putText, type JsonBytes } from './bytes.ts';
import { putName } from './names.ts';
import { putHex, putNumber, putNumberOrNull } from './numbers.ts';
import { members } from './pieces.ts';
import { textOf, type Fields } from './text.ts';
import { DONE, putDevice, putFlow, putTask } from './values.ts';

const ofSocket = members(
  'offset_ns',
  'seq',
  'address',
  'inode',
  'uid',
  'family',
  'type',
  'protocol',
  'state',
  'local_address',
  'local_port',
  'remote_address',
  'remote_port',
  'netns',
  'netns_name',
  'cgroup',
  'container_id',
  'pod_uid',
);

export function putSocket(out: JsonBytes, socket: SocketSight): void {
  put(out, ofSocket.offset_ns);
  putNumber(out, socket.offsetNs);
  put(out, ofSocket.seq);
  putNumber(out, socket.seq);
  put(out, ofSocket.address);
  putHex(out, socket.address);
  put(out, ofSocket.inode);
  putNumber(out, socket.inode);
  put(out, ofSocket.uid);
  putNumberOrNull(out, socket.uid);
  put(out, ofSocket.family);
  putName(out, socket.family);
  put(out, ofSocket.type);
  putName(out, socket.type);
  put(out, ofSocket.protocol);
  putName(out, socket.protocol);
  put(out, ofSocket.state);
  putName(out, socket.state);
  put(out, ofSocket.local_address);
  putQuoted(out, socket.localAddress);
  put(out, ofSocket.local_port);
  putNumber(out, socket.localPort);
  put(out, ofSocket.remote_address);
  putQuoted(out, socket.remoteAddress);
  put(out, ofSocket.remote_port);
  putNumber(out, socket.remotePort);
  put(out, ofSocket.netns);
  putNumber(out, socket.netns);
  put(out, ofSocket.netns_name);
  putQuoted(out, socket.netnsName);
  put(out, ofSocket.cgroup);
  putQuoted(out, socket.cgroup.toString());
  put(out, ofSocket.container_id);
  putQuoted(out, socket.containerId);
  put(out, ofSocket.pod_uid);
  putQuoted(out, socket.podUid);
  put(out, DONE);
}

const tupleFields = (tuple: ConntrackTuple): Fields => ({
  transport: tuple.transport,
  source_address: tuple.sourceAddress,
  destination_address: tuple.destinationAddress,
  source_port: tuple.sourcePort ?? null,
  destination_port: tuple.destinationPort ?? null,
});

export function putConntrack(out: JsonBytes, conntrack: ConntrackSight): void {
  const fields = {
    offset_ns: conntrack.offsetNs,
    seq: conntrack.seq,
    info: conntrack.info,
    status: conntrack.status,
    zone: conntrack.zone,
    mark: conntrack.mark,
    original: tupleFields(conntrack.original),
    reply: tupleFields(conntrack.reply),
  };
  putText(out, textOf(fields));
}

const ofWait = members('place', 'offset_ns', 'duration_ns', 'after', 'before', 'device');

export function putWait(out: JsonBytes, wait: Wait): void {
  put(out, ofWait.place);
  putName(out, wait.place);
  put(out, ofWait.offset_ns);
  putNumber(out, wait.offsetNs);
  put(out, ofWait.duration_ns);
  putNumber(out, wait.durationNs);
  put(out, ofWait.after);
  putNumber(out, wait.after);
  put(out, ofWait.before);
  putNumber(out, wait.before);
  put(out, ofWait.device);
  putDevice(out, wait.device);
  put(out, DONE);
}

const ofCrossing = members('kind', 'call', 'offset_ns', 'from', 'to', 'from_cpu', 'to_cpu');

export function putCrossing(out: JsonBytes, crossing: Crossing): void {
  put(out, ofCrossing.kind);
  putName(out, crossing.kind);
  put(out, ofCrossing.call);
  putNumber(out, crossing.call);
  put(out, ofCrossing.offset_ns);
  putNumber(out, crossing.offsetNs);
  put(out, ofCrossing.from);
  putDevice(out, crossing.from);
  put(out, ofCrossing.to);
  putDevice(out, crossing.to);
  put(out, ofCrossing.from_cpu);
  putNumber(out, crossing.fromCpu);
  put(out, ofCrossing.to_cpu);
  putNumber(out, crossing.toCpu);
  put(out, DONE);
}

const ofChange = members('kind', 'offset_ns', 'call', 'before', 'after', 'tunnel');

export function putChange(out: JsonBytes, change: HeaderChange): void {
  const { tunnel } = change;
  put(out, ofChange.kind);
  putName(out, change.kind);
  put(out, ofChange.offset_ns);
  putNumber(out, change.offsetNs);
  put(out, ofChange.call);
  putNumber(out, change.call);
  put(out, ofChange.before);
  putFlow(out, change.before);
  put(out, ofChange.after);
  putFlow(out, change.after);
  put(out, ofChange.tunnel);
  putText(out, textOf(tunnel === undefined ? null : { kind: tunnel.kind, id: tunnel.id ?? null }));
  put(out, DONE);
}

const ofOutcome = members('kind', 'life', 'call', 'offset_ns', 'device', 'socket', 'task', 'by');

export function putOutcome(out: JsonBytes, outcome: Outcome): void {
  put(out, ofOutcome.kind);
  putName(out, outcome.kind);
  put(out, ofOutcome.life);
  putNumber(out, outcome.life);
  put(out, ofOutcome.call);
  putNumber(out, outcome.call);
  put(out, ofOutcome.offset_ns);
  putNumber(out, outcome.offsetNs);
  put(out, ofOutcome.device);
  if (outcome.device === undefined) putNull(out);
  else putDevice(out, outcome.device);
  put(out, ofOutcome.socket);
  putNumber(out, outcome.socket);
  put(out, ofOutcome.task);
  if (outcome.task === undefined) putNull(out);
  else putTask(out, outcome.task);
  put(out, ofOutcome.by);
  putName(out, outcome.by);
  put(out, DONE);
}
