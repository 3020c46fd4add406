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
import type { AttributeList } from './span-parts.ts';

/*
 * A value that is unknown, or that says nothing (mark 0, device 0), has no attribute: a viewer then shows less noise and a
 * request is a third smaller. 64-bit values are text, since OTLP's integers are signed and JavaScript's end at 2^53.
 */

const hex = (value: bigint): string => `0x${value.toString(16)}`;
const ethertype = (value: number): string => `0x${value.toString(16).padStart(4, '0')}`;

/** Addresses and ports, as general/attributes.md of the semantic conventions names them for packet tracing. */
export function setFlow(to: AttributeList, flow: Flow): void {
  if (flow.sourceAddress !== '') to.push(std.sourceAddress, flow.sourceAddress);
  if (flow.sourcePort !== undefined) to.push(std.sourcePort, flow.sourcePort);
  if (flow.destinationAddress !== '') to.push(std.destinationAddress, flow.destinationAddress);
  if (flow.destinationPort !== undefined) to.push(std.destinationPort, flow.destinationPort);
  to.push(std.networkTransport, flow.transport);
  if (flow.network === 'ipv4' || flow.network === 'ipv6') to.push(std.networkType, flow.network);
  if (flow.tcpFlags !== undefined) to.push(own.tcpFlags, flow.tcpFlags);
  if (flow.detail !== '') to.push(own.detail, flow.detail);
}

export function setDevice(to: AttributeList, device: Device): void {
  if (device.name !== '') to.push(std.networkInterfaceName, device.name);
  if (device.ifindex !== 0) to.push(own.ifindex, device.ifindex);
  if (device.kind !== '') to.push(own.interfaceKind, device.kind);
  if (device.mtu !== 0) to.push(own.mtu, device.mtu);
}

function setTask(to: AttributeList, task: Task): void {
  if (task.tgid !== 0) to.push(std.processPid, task.tgid);
  if (task.tid !== 0) to.push(own.tid, task.tid);
  if (task.comm !== '') {
    to.push(std.threadName, task.comm);
    // The main thread bears the executable's name; other threads call themselves what they like.
    if (task.tid !== 0 && task.tid === task.tgid) to.push(std.processExecutableName, task.comm);
  }
  if (task.cgroup !== 0n) to.push(own.cgroup, String(task.cgroup));
  setContainer(to, task);
}

function setContainer(
  to: AttributeList,
  { containerId, podUid }: Pick<Task, 'containerId' | 'podUid'>,
): void {
  if (containerId !== '') to.push(std.containerId, containerId);
  if (podUid !== '') to.push(std.k8sPodUid, podUid);
}

/** Where and when a span is in its path, in true nanoseconds whatever the time scale. */
export function setTimes(to: AttributeList, startOffsetNs: number, endOffsetNs: number): void {
  to.push(own.startOffsetNs, startOffsetNs);
  to.push(own.durationNs, endOffsetNs - startOffsetNs);
}

/** What only the root span says: the path as a whole. */
export function setPath(to: AttributeList, path: PacketPath): void {
  if (path.direction !== 'unknown') to.push(std.networkIoDirection, path.direction);
  if (path.origin !== undefined) to.push(own.host, path.origin.host);
  to.push(own.ending, path.ending);
  to.push(own.outcome, path.outcome.kind);
  if (path.outcome.by !== '') to.push(own.outcomeBy, path.outcome.by);
  to.push(own.lives, path.lives.length);
  to.push(
    own.calls,
    path.lives.reduce((sum, life) => sum + life.calls.length, 0),
  );
  if (path.losses.length > 0)
    to.push(
      own.losses,
      path.losses.map((loss) => lossInWords(loss, path)),
    );
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
export function setLife(to: AttributeList, life: Life): void {
  to.push(own.life, life.id);
  to.push(own.skb, hex(life.skb));
  if (life.parent !== undefined) to.push(own.operation, life.parent.operation);
  const device =
    life.calls.find((call) => call.device.name !== '')?.device ?? life.packets[0]?.device;
  if (device !== undefined) setDevice(to, device);
  const sight = life.packets[0];
  if (sight !== undefined) {
    to.push(own.len, sight.len);
    if (sight.mark !== 0) to.push(own.mark, sight.mark);
    if (sight.protocol !== 0) to.push(own.ethertype, ethertype(sight.protocol));
    if (sight.vlan !== undefined) to.push(own.vlan, sight.vlan.tci & 0xfff);
    if (sight.gso !== undefined) {
      to.push(own.gsoSize, sight.gso.size);
      to.push(own.gsoSegments, sight.gso.segments);
    }
  }
  setSocket(to, life);
  const tracked = life.conntracks.at(-1);
  if (tracked !== undefined) {
    to.push(own.conntrackInfo, tracked.info);
    if (tracked.status.length > 0) to.push(own.conntrackStatus, [...tracked.status]);
  }
  to.push(own.endHow, life.end?.how ?? 'alive');
  if (life.end !== undefined) setEnd(to, life.end);
}

/** The socket that it was given to last; before that, the one that it came from. */
function setSocket(to: AttributeList, { sockets }: Life): void {
  const socket = sockets.at(-1);
  if (socket === undefined) return;
  if (socket.inode !== 0) to.push(own.socketInode, socket.inode);
  if (socket.uid !== undefined) to.push(own.socketUid, socket.uid);
  if (socket.state !== '') to.push(own.socketState, socket.state);
  setContainer(to, socket);
}

function setEnd(to: AttributeList, end: LifeEnd): void {
  const { location } = end;
  if (end.how !== 'dropped') {
    if (location !== undefined && location.func !== '') to.push(own.endFunction, location.func);
    return;
  }
  const reason = end.reason ?? 'unknown';
  to.push(std.errorType, reason);
  to.push(own.dropReason, reason);
  if (end.reasonCode !== undefined) to.push(own.dropReasonCode, end.reasonCode);
  if (end.program !== undefined) to.push(own.dropProgram, end.program);
  if (end.rule !== undefined) to.push(own.dropRule, ruleInWords(end.rule));
  if (location === undefined) return;
  to.push(own.dropAddress, hex(location.address));
  if (location.func === '') return;
  to.push(own.dropFunction, location.func);
  to.push(own.dropOffset, location.offset);
  if (location.module !== undefined) to.push(own.dropModule, location.module);
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
export function setCall(to: AttributeList, call: Call): void {
  if (call.kind === 'function') to.push(std.codeFunctionName, call.func);
  else if (call.kind === 'tracepoint') to.push(own.tracepoint, call.func);
  else to.push(own.program, call.func);
  if (call.verdict !== undefined) to.push(own.verdict, call.verdict);
  if (call.module !== undefined) to.push(own.module, call.module);
  to.push(own.seq, call.seq);
  to.push(own.depth, call.depth);
  to.push(own.timing, call.timing);
  to.push(std.cpuLogicalNumber, call.cpu);
  setTask(to, call.task);
  setDevice(to, call.device);
  to.push(own.len, call.len);
  if (call.mark !== 0) to.push(own.mark, call.mark);
  if (call.protocol !== 0) to.push(own.ethertype, ethertype(call.protocol));
  if (call.returnValue !== undefined) to.push(own.returnValue, hex(call.returnValue));
}
