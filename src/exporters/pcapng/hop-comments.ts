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
import { detailText } from '../json/detail-record.ts';
import { type BlockBuffer, createBlockBuffer } from './block-buffer.ts';
import { putBig, putHex, putNumber, putPair, putText, putTime } from './hop-words.ts';
import { key, type WordKey } from './word-keys.ts';
import { commentKind, encodeWord } from './words.ts';

/** What is named by thousands of calls: its words are made once. */
function remembered<Thing extends WeakKey>(
  write: (out: BlockBuffer, thing: Thing) => void,
): (out: BlockBuffer, thing: Thing) => void {
  const known = new WeakMap<Thing, Uint8Array>();
  // Mostly it is the one of the call before.
  let last: Thing | undefined;
  let lastWords: Uint8Array = new Uint8Array();
  return (out, thing) => {
    if (thing !== last) {
      last = thing;
      let words = known.get(thing);
      if (words === undefined) known.set(thing, (words = made(write, thing)));
      lastWords = words;
    }
    out.bytes(lastWords);
  };
}

const scratch = createBlockBuffer(1024);

function made<Thing>(write: (out: BlockBuffer, thing: Thing) => void, thing: Thing): Uint8Array {
  scratch.truncate(0);
  write(scratch, thing);
  return scratch.take();
}

const putDevice = remembered((out, device: Device) => {
  putText(out, key.netns, device.netnsName);
  putNumber(out, key.inode, device.netns);
  putText(out, key.dev, device.name);
  putNumber(out, key.ifindex, device.ifindex);
  if (device.kind !== '') putText(out, key.link, device.kind);
  putNumber(out, key.mtu, device.mtu);
});

const putTask = remembered((out, task: Task) => {
  putText(out, key.task, task.comm);
  putNumber(out, key.pid, task.tgid);
  putNumber(out, key.tid, task.tid);
  if (task.cgroup !== 0n) putBig(out, key.cgroup, task.cgroup);
  putOwner(out, task);
});

/** Container and pod, of a task or a socket. */
export function putOwner(
  out: BlockBuffer,
  { containerId, podUid }: Pick<Task, 'containerId' | 'podUid'>,
): void {
  if (containerId !== '') putText(out, key.container, containerId);
  if (podUid !== '') putText(out, key.pod, podUid);
}

/** Functions there are a few thousand of; beyond this many the memory begins anew. */
const FUNCTIONS_MAX = 16_384;
const functions = new Map<string, Uint8Array>();

function putFunction(out: BlockBuffer, func: string): void {
  let words = functions.get(func);
  if (words === undefined) {
    words = made(putCallKind, func);
    if (functions.size >= FUNCTIONS_MAX) functions.clear();
    functions.set(func, words);
  }
  out.bytes(words);
}

function putCallKind(out: BlockBuffer, func: string): void {
  out.text(commentKind.call);
  putText(out, key.func, func);
}

/** The words at the end of each record: which life it is of, and which record of the path. */
export interface Place {
  /** ` life=17 trace=... rec=` */
  before: Uint8Array;
  number: number;
  /** `/19` */
  readonly behind: Uint8Array;
}

export const placeWords = (life: number, traceId: string): Uint8Array =>
  made((out) => {
    putNumber(out, key.life, life);
    out.key(key.trace);
    out.text(traceId);
    out.key(key.rec);
  }, undefined);

export const totalWords = (records: number): Uint8Array =>
  made((out) => {
    out.text('/');
    out.decimal(records);
  }, undefined);

function putPlace(out: BlockBuffer, { before, number, behind }: Place): void {
  out.bytes(before);
  out.decimal(number);
  out.bytes(behind);
}

/** `in` is the call that it runs in: its life's index and its own. */
export function putCall(out: BlockBuffer, call: Call, index: number, place: Place): void {
  const { module, durationNs, parent, returnValue, mark, detail } = call;
  putFunction(out, call.func);
  if (module !== undefined) putText(out, key.module, module);
  if (call.kind !== 'function') putText(out, key.kind, call.kind);
  if (durationNs !== undefined) putTime(out, key.dur, durationNs);
  if (call.timing !== 'exit') putText(out, key.timing, call.timing);
  putTime(out, key.at, call.offsetNs);
  putNumber(out, key.depth, call.depth);
  if (parent !== undefined) putPair(out, key.in, parent.life, parent.call);
  putDevice(out, call.device);
  putTask(out, call.task);
  putNumber(out, key.cpu, call.cpu);
  putNumber(out, key.len, call.len);
  if (mark !== 0) putHex(out, key.mark, mark);
  putHex(out, key.proto, call.protocol);
  if (returnValue !== undefined) putHex(out, key.ret, returnValue);
  if (call.verdict !== undefined) putText(out, key.verdict, call.verdict);
  // Too many different things for words of their own: the JSON form.
  if (detail !== undefined) putText(out, key.detail, detailText(detail));
  putNumber(out, key.seq, call.seq);
  putNumber(out, key.call, index);
  putNumber(out, key.packet, call.packet);
  putPlace(out, place);
}

function putFlow(out: BlockBuffer, flow: Flow): void {
  putText(out, key.network, flow.network);
  putText(out, key.transport, flow.transport);
  putText(out, key.src, flow.sourceAddress);
  if (flow.sourcePort !== undefined) putNumber(out, key.sport, flow.sourcePort);
  putText(out, key.dst, flow.destinationAddress);
  if (flow.destinationPort !== undefined) putNumber(out, key.dport, flow.destinationPort);
  if (flow.tcpFlags !== undefined) putText(out, key.flags, flow.tcpFlags);
  putText(out, key.info, flow.detail);
}

/** `skip` are the bytes before the frame, in hex; l2, l3, l4 where the headers begin in all bytes. */
export function putSight(
  out: BlockBuffer,
  sight: PacketSight,
  index: number,
  skipped: number,
  place: Place,
): void {
  const { flow, vlan, gso } = sight;
  out.text(commentKind.packet);
  if (flow !== undefined) putFlow(out, flow);
  putTime(out, key.at, sight.offsetNs);
  putNumber(out, key.len, sight.len);
  if (sight.macOffset !== undefined) putNumber(out, key.l2, sight.macOffset);
  if (sight.networkOffset !== undefined) putNumber(out, key.l3, sight.networkOffset);
  if (sight.transportOffset !== undefined) putNumber(out, key.l4, sight.transportOffset);
  putHex(out, key.proto, sight.protocol);
  if (vlan !== undefined) {
    putHex(out, key.vlan, vlan.tci);
    out.text('/');
    out.hex(vlan.protocol);
  }
  if (gso !== undefined) putPair(out, key.gso, gso.segments, gso.size);
  if (sight.mark !== 0) putHex(out, key.mark, sight.mark);
  putNumber(out, key.queue, sight.queue);
  putHex(out, key.hash, sight.hash);
  putNumber(out, key.type, sight.packetType);
  putDevice(out, sight.device);
  putHex(out, key.sock, sight.socket);
  if (skipped > 0) {
    putText(out, key.skip, Buffer.from(sight.bytes.subarray(0, skipped)).toString('hex'));
  }
  putNumber(out, key.seq, sight.seq);
  putNumber(out, key.packet, index);
  putPlace(out, place);
}

function putLocation(out: BlockBuffer, location: CodeLocation): void {
  putText(out, key.loc, location.func);
  out.text('+');
  out.hex(location.offset);
  putHex(out, key.addr, location.address);
  if (location.module !== undefined) putText(out, key.module, location.module);
}

export function putEnd(out: BlockBuffer, end: LifeEnd, place: Place): void {
  const { rule } = end;
  out.text(commentKind.end);
  putText(out, key.how, end.how);
  if (end.reason !== undefined) putText(out, key.reason, end.reason);
  if (end.reasonCode !== undefined) putNumber(out, key.code, end.reasonCode);
  if (end.program !== undefined) putText(out, key.program, end.program);
  if (end.location !== undefined) putLocation(out, end.location);
  putTime(out, key.at, end.offsetNs);
  if (rule !== undefined) {
    putText(out, key.family, rule.family);
    putText(out, key.table, rule.table);
    putText(out, key.chain, rule.chain);
    putNumber(out, key.handle, rule.handle);
  }
  putPlace(out, place);
}

/** Of a life of which nothing was seen. */
export function putBegin(out: BlockBuffer, place: Place): void {
  out.text('begin');
  putPlace(out, place);
}

/**
 * `from` is what it was made from: that life's index, the call's index (-1: not seen) and the operation; `into` is what it
 * went into, likewise.
 */
export function putLife(out: BlockBuffer, life: Life, index: number): void {
  const { parent, mergedInto } = life;
  out.text(commentKind.life);
  putNumber(out, key.id, life.id);
  putNumber(out, key.index, index);
  if (parent !== undefined) putLink(out, key.from, parent);
  if (mergedInto !== undefined) putLink(out, key.into, mergedInto);
  putTime(out, key.at, life.offsetNs);
  putHex(out, key.skb, life.skb);
  putNumber(out, key.calls, life.calls.length);
  putNumber(out, key.packets, life.packets.length);
  if (life.sockets.length > 0) putNumber(out, key.sockets, life.sockets.length);
  if (life.conntracks.length > 0) putNumber(out, key.conntracks, life.conntracks.length);
}

function putLink(out: BlockBuffer, key: WordKey, link: NonNullable<Life['parent']>): void {
  putPair(out, key, link.life, link.call);
  out.text('/');
  out.text(link.operation);
}

export function putPath(out: BlockBuffer, path: PacketPath): void {
  const { flow, origin } = path;
  out.text(commentKind.path);
  putNumber(out, key.id, path.id);
  putTime(out, key.dur, path.durationNs);
  putText(out, key.dir, path.direction);
  putText(out, key.ending, path.ending);
  if (flow !== undefined) putFlow(out, flow);
  putNumber(out, key.lives, path.lives.length);
  putNumber(out, key.losses, path.losses.length);
  putBig(out, key.start, path.startTimeNs);
  if (origin === undefined) return;
  putText(out, key.host, origin.host);
  putText(out, key.boot, origin.bootId);
}

/** `life` is the index. */
export function putLoss(out: BlockBuffer, loss: PathLoss): void {
  out.text(commentKind.loss);
  putText(out, key.cause, loss.cause);
  if ('life' in loss) putNumber(out, key.life, loss.life);
  if ('afterSeq' in loss) putNumber(out, key.after, loss.afterSeq);
  if ('count' in loss) putNumber(out, key.count, loss.count);
  if ('before' in loss) putPair(out, key.between, loss.before, loss.after);
}

export function runComment(statistics: Statistics): string {
  let words = `${commentKind.run} events=${statistics.events} lives=${statistics.lives} paths=${statistics.paths}`;
  for (const [reason, count] of statistics.drops) words += ` drop=${encodeWord(reason)}:${count}`;
  for (const [cause, count] of statistics.losses) {
    if (count > 0) words += ` loss=${cause}:${count}`;
  }
  return words;
}
