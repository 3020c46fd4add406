import type { Attributes } from '@opentelemetry/api';
import type {
  Call,
  Device,
  FilterRule,
  Flow,
  Life,
  LifeEnd,
  PacketPath,
  PathLoss,
  Task,
} from '../../event/packet-path.ts';
import { own, std } from './attribute-names.ts';

/*
 * A value that is unknown, or that says nothing (mark 0, device 0), has no attribute: a viewer then shows less noise and a
 * request is a third smaller. 64-bit values are text, since OTLP's integers are signed and JavaScript's end at 2^53.
 */

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const ethertype = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;

/** Addresses and ports, as general/attributes.md of the semantic conventions names them for packet tracing. */
export function setFlow(to: Attributes, flow: Flow): void {
  if (flow.sourceAddress !== '') to[std.sourceAddress] = flow.sourceAddress;
  if (flow.sourcePort !== undefined) to[std.sourcePort] = flow.sourcePort;
  if (flow.destinationAddress !== '') to[std.destinationAddress] = flow.destinationAddress;
  if (flow.destinationPort !== undefined) to[std.destinationPort] = flow.destinationPort;
  to[std.networkTransport] = flow.transport;
  if (flow.network === 'ipv4' || flow.network === 'ipv6') to[std.networkType] = flow.network;
  if (flow.tcpFlags !== undefined) to[own.tcpFlags] = flow.tcpFlags;
  if (flow.detail !== '') to[own.detail] = flow.detail;
}

export function setDevice(to: Attributes, device: Device): void {
  if (device.name !== '') to[std.networkInterfaceName] = device.name;
  if (device.ifindex !== 0) to[own.ifindex] = device.ifindex;
  if (device.kind !== '') to[own.interfaceKind] = device.kind;
  if (device.mtu !== 0) to[own.mtu] = device.mtu;
}

function setTask(to: Attributes, task: Task): void {
  if (task.tgid !== 0) to[std.processPid] = task.tgid;
  if (task.tid !== 0) to[own.tid] = task.tid;
  if (task.comm !== '') {
    to[std.threadName] = task.comm;
    // The main thread bears the executable's name; other threads call themselves what they like.
    if (task.tid !== 0 && task.tid === task.tgid) to[std.processExecutableName] = task.comm;
  }
  if (task.cgroup !== 0n) to[own.cgroup] = String(task.cgroup);
  setContainer(to, task);
}

function setContainer(
  to: Attributes,
  { containerId, podUid }: Pick<Task, 'containerId' | 'podUid'>,
): void {
  if (containerId !== '') to[std.containerId] = containerId;
  if (podUid !== '') to[std.k8sPodUid] = podUid;
}

/** Where and when a span is in its path, in true nanoseconds whatever the time scale. */
export function setTimes(to: Attributes, startOffsetNs: number, endOffsetNs: number): void {
  to[own.startOffsetNs] = startOffsetNs;
  to[own.durationNs] = endOffsetNs - startOffsetNs;
}

/** What only the root span says: the path as a whole. */
export function setPath(to: Attributes, path: PacketPath): void {
  if (path.direction !== 'unknown') to[std.networkIoDirection] = path.direction;
  if (path.origin !== undefined) to[own.host] = path.origin.host;
  to[own.ending] = path.ending;
  to[own.outcome] = path.outcome.kind;
  if (path.outcome.by !== '') to[own.outcomeBy] = path.outcome.by;
  to[own.lives] = path.lives.length;
  to[own.calls] = path.lives.reduce((sum, life) => sum + life.calls.length, 0);
  if (path.losses.length > 0) {
    to[own.incomplete] = true;
    to[own.losses] = path.losses.map((loss) => lossInWords(loss, path));
  }
}

function lossInWords(loss: PathLoss, path: PacketPath): string {
  const life = (index: number): string => `life ${path.lives[index]?.id ?? '?'}`;
  switch (loss.cause) {
    case 'events':
      return `${loss.count} events of ${life(loss.life)} after seq ${loss.afterSeq}`;
    case 'link':
      return `origin of ${life(loss.life)}`;
    case 'memory':
      return `${loss.count} events: memory for this path was used up`;
    case 'continued':
      return `an earlier part of ${life(loss.life)} is a path of its own`;
  }
}

/** A life: who it was at first sight, how it came to be, how it ended. */
export function setLife(to: Attributes, life: Life): void {
  to[own.life] = life.id;
  to[own.skb] = hex(life.skb);
  if (life.parent !== undefined) to[own.operation] = life.parent.operation;
  const device =
    life.calls.find((call) => call.device.name !== '')?.device ?? life.packets[0]?.device;
  if (device !== undefined) setDevice(to, device);
  const sight = life.packets[0];
  if (sight !== undefined) {
    to[own.len] = sight.len;
    if (sight.mark !== 0) to[own.mark] = sight.mark;
    if (sight.protocol !== 0) to[own.ethertype] = ethertype(sight.protocol);
    if (sight.vlan !== undefined) to[own.vlan] = sight.vlan.tci & 0xfff;
    if (sight.gso !== undefined) {
      to[own.gsoSize] = sight.gso.size;
      to[own.gsoSegments] = sight.gso.segments;
    }
  }
  setSocket(to, life);
  const tracked = life.conntracks.at(-1);
  if (tracked !== undefined) {
    to[own.conntrackInfo] = tracked.info;
    if (tracked.status.length > 0) to[own.conntrackStatus] = [...tracked.status];
  }
  to[own.endHow] = life.end?.how ?? 'alive';
  if (life.end !== undefined) setEnd(to, life.end);
}

/** The socket that it was given to last; before that, the one that it came from. */
function setSocket(to: Attributes, { sockets }: Life): void {
  const socket = sockets.at(-1);
  if (socket === undefined) return;
  if (socket.inode !== 0) to[own.socketInode] = socket.inode;
  if (socket.uid !== undefined) to[own.socketUid] = socket.uid;
  if (socket.state !== '') to[own.socketState] = socket.state;
  setContainer(to, socket);
}

function setEnd(to: Attributes, end: LifeEnd): void {
  const { location } = end;
  if (end.how !== 'dropped') {
    if (location !== undefined && location.func !== '') to[own.endFunction] = location.func;
    return;
  }
  const reason = end.reason ?? 'unknown';
  to[std.errorType] = reason;
  to[own.dropReason] = reason;
  if (end.reasonCode !== undefined) to[own.dropReasonCode] = end.reasonCode;
  if (end.program !== undefined) to[own.dropProgram] = end.program;
  if (end.rule !== undefined) to[own.dropRule] = ruleInWords(end.rule);
  if (location === undefined) return;
  to[own.dropAddress] = hex(location.address);
  if (location.func === '') return;
  to[own.dropFunction] = location.func;
  to[own.dropOffset] = location.offset;
  if (location.module !== undefined) to[own.dropModule] = location.module;
}

/** As one finds it by `nft -a list ruleset`. */
const ruleInWords = ({ family, table, chain, handle }: FilterRule): string =>
  `${family} ${table} ${chain} ${handle === 0 ? 'policy' : `handle ${handle}`}`;

/** One sentence for a span's status: `dropped: NETFILTER_DROP in nf_hook_slow+0x5a`. */
export function dropInWords(end: LifeEnd): string {
  const { location } = end;
  const where =
    location === undefined
      ? ''
      : location.func === ''
        ? ` at ${hex(location.address)}`
        : ` in ${location.func}+0x${location.offset.toString(16)}`;
  const who = end.program === undefined ? '' : ` by ${end.program}`;
  const rule = end.rule === undefined ? '' : ` by ${ruleInWords(end.rule)}`;
  return `dropped: ${end.reason ?? 'unknown'}${who}${where}${rule}`;
}

/** A call: the function, where it ran, what the skb looked like there. */
export function setCall(to: Attributes, call: Call): void {
  if (call.kind === 'function') to[std.codeFunctionName] = call.func;
  else if (call.kind === 'tracepoint') to[own.tracepoint] = call.func;
  else to[own.program] = call.func;
  if (call.verdict !== undefined) to[own.verdict] = call.verdict;
  if (call.module !== undefined) to[own.module] = call.module;
  to[own.seq] = call.seq;
  to[own.depth] = call.depth;
  to[own.timing] = call.timing;
  to[std.cpuLogicalNumber] = call.cpu;
  setTask(to, call.task);
  setDevice(to, call.device);
  to[own.len] = call.len;
  if (call.mark !== 0) to[own.mark] = call.mark;
  if (call.protocol !== 0) to[own.ethertype] = ethertype(call.protocol);
  if (call.returnValue !== undefined) to[own.returnValue] = hex(call.returnValue);
}
