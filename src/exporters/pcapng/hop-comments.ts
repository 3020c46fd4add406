/**
 * What hop mode writes beside each record: everything that the packet path says, as words (words.ts). The other direction
 * is src/sources/pcapng/; a round trip gives the same path, value for value (test/sources/pcapng/).
 */
import type {
  Call,
  CodeLocation,
  Device,
  Flow,
  Life,
  LifeEnd,
  PacketPath,
  PacketSight,
  PathLoss,
  Task,
} from '../../event/packet-path.ts';
import type { Statistics } from '../../event/statistics.ts';
import { detailFields } from '../json/detail-record.ts';
import { commentKind, encodeWord } from './words.ts';

const hex = (value: number | bigint): string => `0x${value.toString(16)}`;

/** A device is named by thousands of calls: its words are made once. */
const deviceWords = new WeakMap<Device, string>();

function describe(device: Device): string {
  let words = deviceWords.get(device);
  if (words === undefined) {
    words =
      ` netns=${encodeWord(device.netnsName)} inode=${device.netns}` +
      ` dev=${encodeWord(device.name)} ifindex=${device.ifindex}${device.kind === '' ? '' : ` link=${encodeWord(device.kind)}`} mtu=${device.mtu}`;
    deviceWords.set(device, words);
  }
  return words;
}

/** Container and pod, of a task or a socket. */
export const ownerWords = ({ containerId, podUid }: Pick<Task, 'containerId' | 'podUid'>): string =>
  (containerId === '' ? '' : ` container=${encodeWord(containerId)}`) +
  (podUid === '' ? '' : ` pod=${encodeWord(podUid)}`);

const taskWords = new WeakMap<Call['task'], string>();

function describeTask(task: Call['task']): string {
  let words = taskWords.get(task);
  if (words === undefined) {
    words = ` task=${encodeWord(task.comm)} pid=${task.tgid} tid=${task.tid}`;
    if (task.cgroup !== 0n) words += ` cgroup=${task.cgroup}`;
    words += ownerWords(task);
    taskWords.set(task, words);
  }
  return words;
}

/** `in` is the call that it runs in: its life's index and its own. */
export function callComment(call: Call, index: number, place: string): string {
  const { module, durationNs, parent, returnValue, mark } = call;
  const duration = durationNs === undefined ? '' : ` dur=${durationNs}ns`;
  const timing = call.timing === 'exit' ? '' : ` timing=${call.timing}`;
  const inside = parent === undefined ? '' : ` in=${parent.life}/${parent.call}`;
  const result = returnValue === undefined ? '' : ` ret=${register(returnValue)}`;
  const verdict = call.verdict === undefined ? '' : ` verdict=${call.verdict}`;
  return (
    `call func=${encodeWord(call.func)}` +
    (module === undefined ? '' : ` module=${encodeWord(module)}`) +
    (call.kind === 'function' ? '' : ` kind=${call.kind}`) +
    `${duration}${timing} at=${call.offsetNs}ns depth=${call.depth}${inside}` +
    `${describe(call.device)}${describeTask(call.task)} cpu=${call.cpu} len=${call.len}` +
    `${mark === 0 ? '' : ` mark=${hex(mark)}`} proto=${hex(call.protocol)}${result}${verdict}${detailWord(call)}` +
    ` seq=${call.seq} call=${index} packet=${call.packet}${place}`
  );
}

/** Too many different things for words of their own: the JSON form. */
const detailWord = ({ detail }: Call): string =>
  detail === undefined ? '' : ` detail=${encodeWord(JSON.stringify(detailFields(detail)))}`;

/** Most functions return a small number. */
const register = (value: bigint): string =>
  value === 0n ? '0x0' : value === 1n ? '0x1' : hex(value);

function flowWords(flow: Flow): string {
  let words =
    ` network=${flow.network} transport=${encodeWord(flow.transport)}` +
    ` src=${encodeWord(flow.sourceAddress)}`;
  if (flow.sourcePort !== undefined) words += ` sport=${flow.sourcePort}`;
  words += ` dst=${encodeWord(flow.destinationAddress)}`;
  if (flow.destinationPort !== undefined) words += ` dport=${flow.destinationPort}`;
  if (flow.tcpFlags !== undefined) words += ` flags=${encodeWord(flow.tcpFlags)}`;
  return `${words} info=${encodeWord(flow.detail)}`;
}

/** `skip` are the bytes before the frame, in hex; l2, l3, l4 where the headers begin in all bytes. */
export function packetComment(
  sight: PacketSight,
  index: number,
  skipped: number,
  place: string,
): string {
  const { flow, vlan, gso } = sight;
  let words = `${commentKind.packet}${flow === undefined ? '' : flowWords(flow)} at=${sight.offsetNs}ns len=${sight.len}`;
  if (sight.macOffset !== undefined) words += ` l2=${sight.macOffset}`;
  if (sight.networkOffset !== undefined) words += ` l3=${sight.networkOffset}`;
  if (sight.transportOffset !== undefined) words += ` l4=${sight.transportOffset}`;
  words += ` proto=${hex(sight.protocol)}`;
  if (vlan !== undefined) words += ` vlan=${hex(vlan.tci)}/${hex(vlan.protocol)}`;
  if (gso !== undefined) words += ` gso=${gso.segments}/${gso.size}`;
  if (sight.mark !== 0) words += ` mark=${hex(sight.mark)}`;
  words += ` queue=${sight.queue} hash=${hex(sight.hash)} type=${sight.packetType}`;
  words += `${describe(sight.device)} sock=${hex(sight.socket)}`;
  if (skipped > 0) {
    words += ` skip=${Buffer.from(sight.bytes.subarray(0, skipped)).toString('hex')}`;
  }
  return `${words} seq=${sight.seq} packet=${index}${place}`;
}

const locationWords = (location: CodeLocation | undefined): string =>
  location === undefined
    ? ''
    : ` loc=${encodeWord(location.func)}+${hex(location.offset)} addr=${hex(location.address)}` +
      (location.module === undefined ? '' : ` module=${encodeWord(location.module)}`);

export function endComment(end: LifeEnd, place: string): string {
  let words = `${commentKind.end} how=${end.how}`;
  if (end.reason !== undefined) words += ` reason=${encodeWord(end.reason)}`;
  if (end.reasonCode !== undefined) words += ` code=${end.reasonCode}`;
  if (end.program !== undefined) words += ` program=${encodeWord(end.program)}`;
  const { rule } = end;
  const by =
    rule === undefined
      ? ''
      : ` family=${encodeWord(rule.family)} table=${encodeWord(rule.table)} chain=${encodeWord(rule.chain)} handle=${rule.handle}`;
  return `${words}${locationWords(end.location)} at=${end.offsetNs}ns${by}${place}`;
}

/** `from` is what it was made from: that life's index, the call's index (-1: not seen) and the operation. */
export function lifeComment(life: Life, index: number): string {
  const { parent } = life;
  let words = `${commentKind.life} id=${life.id} index=${index}`;
  if (parent !== undefined) words += ` from=${parent.life}/${parent.call}/${parent.operation}`;
  words += ` at=${life.offsetNs}ns skb=${hex(life.skb)}`;
  words += ` calls=${life.calls.length} packets=${life.packets.length}`;
  if (life.sockets.length > 0) words += ` sockets=${life.sockets.length}`;
  if (life.conntracks.length > 0) words += ` conntracks=${life.conntracks.length}`;
  return words;
}

const originWords = ({ origin }: PacketPath): string =>
  origin === undefined ? '' : ` host=${encodeWord(origin.host)} boot=${encodeWord(origin.bootId)}`;

export function pathComment(path: PacketPath): string {
  return (
    `${commentKind.path} id=${path.id} dur=${path.durationNs}ns dir=${path.direction} ending=${path.ending}` +
    `${path.flow === undefined ? '' : flowWords(path.flow)} lives=${path.lives.length}` +
    ` losses=${path.losses.length} start=${path.startTimeNs}${originWords(path)}`
  );
}

/** `life` is the index. */
export function lossComment(loss: PathLoss): string {
  let words = `${commentKind.loss} cause=${loss.cause}`;
  if ('life' in loss) words += ` life=${loss.life}`;
  if ('afterSeq' in loss) words += ` after=${loss.afterSeq}`;
  if ('count' in loss) words += ` count=${loss.count}`;
  return words;
}

export function runComment(statistics: Statistics): string {
  let words = `${commentKind.run} events=${statistics.events} lives=${statistics.lives} paths=${statistics.paths}`;
  for (const [reason, count] of statistics.drops) words += ` drop=${encodeWord(reason)}:${count}`;
  for (const [cause, count] of statistics.losses) {
    if (count > 0) words += ` loss=${cause}:${count}`;
  }
  return words;
}
