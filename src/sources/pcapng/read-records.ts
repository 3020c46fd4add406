/** Comments of hop mode as parts of a packet path: the inverse of src/exporters/pcapng/hop-comments.ts. */
import {
  type Call,
  type CodeLocation,
  type Device,
  type Flow,
  type Life,
  type LifeEnd,
  lifeEnds,
  linkOperations,
  type PacketSight,
  type PathLoss,
  type Task,
} from '../../event/packet-path.ts';
import type { CallDetail } from '../../event/call-detail.ts';
import type { BarePath } from '../../event/story.ts';
import { lossCauses, type LossCause, type Statistics } from '../../event/statistics.ts';
import { callKinds, verdictName } from '../../event/verdicts.ts';
import { unframe } from '../../exporters/pcapng/link-frame.ts';
import { key, type WordKey } from '../../exporters/pcapng/word-keys.ts';
import { decodeWord } from '../../exporters/pcapng/words.ts';
import { NotOurs, object } from '../kafka/record-fields.ts';
import { readDetail } from '../read-detail.ts';
import { createByteCache } from './byte-cache.ts';
import { ownerKeys, readOwner, readRule } from './read-surroundings.ts';
import { eachWord, parseWords, readNumber, Unreadable, type Words } from './read-words.ts';

/** Where a record belongs. */
export interface Belonging {
  /** In its life: among the calls or among the sights. */
  index: number;
  /** Its life's id. */
  life: number;
}

/** What is read belongs where `to` says after the call. */
export interface RecordReader {
  call(words: Words, to: Belonging): Call;
  /** `data` is the frame. */
  sight(words: Words, linkType: number, data: Uint8Array, to: Belonging): PacketSight;
}

export function createRecordReader(): RecordReader {
  // Tasks and devices are few and named often: one object each, as the path builder makes them.
  const devices = createByteCache((span): Known<Device> => {
    const found = parseWords(span);
    const netnsName = found.text(key.netns);
    const netns = found.number(key.inode);
    const name = found.text(key.dev);
    const ifindex = found.number(key.ifindex);
    const kind = found.optionalText(key.link) ?? '';
    const mtu = found.number(key.mtu);
    return { span: bytesOf(span), value: { netns, netnsName, ifindex, name, mtu, kind } };
  });
  const tasks = createByteCache((span): Known<Task> => {
    const found = parseWords(span);
    const comm = found.text(key.task);
    const tgid = found.number(key.pid);
    const tid = found.number(key.tid);
    return { span: bytesOf(span), value: { tid, tgid, comm, ...readOwner(found) } };
  });

  // Most calls are where the one before them was.
  let device: Known<Device> | undefined;
  let task: Known<Task> | undefined;

  const readDevice = (words: Words): Device => {
    if (device === undefined || !words.skip(device.span)) {
      const from = words.find(key.netns);
      device = devices.get(words.bytes, from, words.behind(key.mtu));
    }
    return device.value;
  };
  const readTask = (words: Words): Task => {
    // The cgroup, container and pod may be there or not.
    if (task !== undefined && words.skip(task.span) && words.has(key.cpu)) return task.value;
    const from = words.find(key.task);
    let to = words.behind(key.tid);
    for (const more of ownerKeys) if (words.has(more)) to = words.behind(more);
    task = tasks.get(words.bytes, from, to);
    return task.value;
  };

  return {
    call(words, to) {
      const func = words.text(key.func);
      const module = words.optionalText(key.module);
      const kind = words.has(key.kind) ? words.name(key.kind, callKinds) : 'function';
      const durationNs = words.optionalNumber(key.dur);
      const timing = words.has(key.timing) ? words.name(key.timing, timings) : 'exit';
      const offsetNs = words.number(key.at);
      const depth = words.number(key.depth);
      const parent = words.has(key.in) ? readPair(words, key.in) : undefined;
      const device = readDevice(words);
      const task = readTask(words);
      const cpu = words.number(key.cpu);
      const len = words.number(key.len);
      const mark = words.optionalNumber(key.mark) ?? 0;
      const protocol = words.number(key.proto);
      const returnValue = words.has(key.ret) ? words.bigint(key.ret) : undefined;
      const verdict = verdictName(kind, returnValue);
      // It says the same in words.
      if (words.has(key.verdict)) words.behind(key.verdict);
      const detail = words.has(key.detail) ? readDetailWord(words.rareText(key.detail)) : undefined;
      const seq = words.number(key.seq);
      to.index = words.count(key.call);
      const packet = words.number(key.packet);
      to.life = words.number(key.life);
      const call = {
        func,
        module,
        kind,
        seq,
        offsetNs,
        durationNs,
        timing,
        depth,
        parent,
        cpu,
        task,
        device,
        len,
        mark,
        protocol,
        returnValue,
        verdict,
        packet,
      };
      return detail === undefined ? call : { ...call, detail };
    },

    sight(words, linkType, data, to) {
      const flow = readFlow(words);
      const offsetNs = words.number(key.at);
      const len = words.number(key.len);
      const macOffset = words.optionalNumber(key.l2);
      const networkOffset = words.optionalNumber(key.l3);
      const transportOffset = words.optionalNumber(key.l4);
      const protocol = words.number(key.proto);
      const vlan = readVlan(words);
      const gso = readGso(words);
      const mark = words.optionalNumber(key.mark) ?? 0;
      const queue = words.number(key.queue);
      const hash = words.number(key.hash);
      const packetType = words.number(key.type);
      const device = readDevice(words);
      const socket = words.bigint(key.sock);
      const bytes = readBytes(words, linkType, data, vlan !== undefined);
      const seq = words.number(key.seq);
      to.index = words.count(key.packet);
      to.life = words.number(key.life);
      return {
        offsetNs,
        seq,
        flow,
        len,
        bytes,
        macOffset,
        networkOffset,
        transportOffset,
        protocol,
        vlan,
        queue,
        gso,
        hash,
        mark,
        device,
        packetType,
        socket,
      };
    },
  };
}

/** A device or a task, and the words that say it. */
interface Known<Value> {
  readonly span: Uint8Array;
  readonly value: Value;
}

const bytesOf = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

function readDetailWord(json: string): CallDetail {
  try {
    return readDetail(object(JSON.parse(json), 'detail'));
  } catch (error) {
    if (error instanceof NotOurs || error instanceof SyntaxError) throw new Unreadable('detail');
    throw error;
  }
}

const timings = ['exit', 'enter-only', 'point', 'unfinished'] as const;

function readPair(words: Words, key: WordKey): { life: number; call: number } {
  const [life, call] = words.pair(key);
  return { life, call };
}

function readBytes(words: Words, linkType: number, data: Uint8Array, hasTag: boolean): Uint8Array {
  const bytes = unframe(linkType, data, hasTag);
  if (bytes === undefined) throw new Unreadable('frame');
  if (!words.has(key.skip)) return bytes;
  const hex = words.raw(key.skip);
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new Unreadable('skip');
  return Uint8Array.from([...Buffer.from(hex, 'hex'), ...bytes]);
}

function readVlan(words: Words): PacketSight['vlan'] {
  if (!words.has(key.vlan)) return undefined;
  const [tci, protocol] = words.pair(key.vlan);
  return { tci, protocol };
}

function readGso(words: Words): PacketSight['gso'] {
  if (!words.has(key.gso)) return undefined;
  const [segments, size] = words.pair(key.gso);
  return { size, segments };
}

/** undefined: the comment names none. */
export function readFlow(words: Words): Flow | undefined {
  if (!words.has(key.network)) return undefined;
  const network = words.name(key.network, ['ipv4', 'ipv6', 'arp', 'other']);
  const transport = words.text(key.transport);
  const sourceAddress = words.text(key.src);
  const sourcePort = words.optionalNumber(key.sport);
  const destinationAddress = words.text(key.dst);
  const destinationPort = words.optionalNumber(key.dport);
  const tcpFlags = words.optionalText(key.flags);
  return {
    network,
    transport,
    sourceAddress,
    destinationAddress,
    sourcePort,
    destinationPort,
    tcpFlags,
    detail: words.text(key.info),
  };
}

export function readEnd(words: Words): { readonly life: number; readonly value: LifeEnd } {
  const how = words.name(key.how, lifeEnds);
  const reason = words.optionalText(key.reason);
  const reasonCode = words.optionalNumber(key.code);
  const program = words.optionalText(key.program);
  const location = readLocation(words);
  const offsetNs = words.number(key.at);
  const rule = words.has(key.family) ? readRule(words) : undefined;
  return {
    life: words.number(key.life),
    value: { offsetNs, how, reason, reasonCode, location, program, rule },
  };
}

function readLocation(words: Words): CodeLocation | undefined {
  if (!words.has(key.loc)) return undefined;
  const text = words.text(key.loc);
  const plus = text.lastIndexOf('+');
  if (plus < 0) throw new Unreadable('loc');
  const address = words.bigint(key.addr);
  return {
    address,
    func: text.slice(0, plus),
    offset: readNumber(text.slice(plus + 1)),
    module: words.optionalText(key.module),
  };
}

/** What a life comment says; its calls and sights come with other records. */
export interface LifeHead {
  readonly id: number;
  readonly index: number;
  readonly parent: Life['parent'];
  readonly mergedInto: Life['mergedInto'];
  readonly offsetNs: number;
  readonly skb: bigint;
  readonly calls: number;
  readonly packets: number;
  readonly sockets: number;
  readonly conntracks: number;
}

export function readLife(words: Words): LifeHead {
  return {
    id: words.number(key.id),
    index: words.count(key.index),
    parent: readLink(words, key.from),
    mergedInto: readLink(words, key.into),
    offsetNs: words.number(key.at),
    skb: words.bigint(key.skb),
    calls: words.count(key.calls),
    packets: words.count(key.packets),
    sockets: words.has(key.sockets) ? words.count(key.sockets) : 0,
    conntracks: words.has(key.conntracks) ? words.count(key.conntracks) : 0,
  };
}

function readLink(words: Words, key: WordKey): Life['parent'] {
  if (!words.has(key)) return undefined;
  const [life = '', call = '', name = ''] = words.parts(key, 3);
  const operation = linkOperations.find((each) => each === name);
  if (operation === undefined) throw new Unreadable(name);
  return { life: readNumber(life), call: readNumber(call), operation };
}

/** What a path comment says, and how many lives and losses it announces. */
export interface PathHead extends Omit<BarePath, 'lives' | 'losses' | 'traceId'> {
  readonly lives: number;
  readonly losses: number;
}

export function readPath(words: Words): PathHead {
  const id = words.number(key.id);
  const durationNs = words.number(key.dur);
  const direction = words.name(key.dir, ['transmit', 'receive', 'unknown']);
  const ending = words.name(key.ending, ['ended', 'idle', 'evicted', 'stopped']);
  const flow = readFlow(words);
  const lives = words.count(key.lives);
  const losses = words.count(key.losses);
  const startTimeNs = words.bigint(key.start);
  const host = words.optionalText(key.host);
  const of = host === undefined ? {} : { origin: { host, bootId: words.text(key.boot) } };
  return { id, startTimeNs, durationNs, ending, flow, direction, lives, losses, ...of };
}

export function readLoss(words: Words): PathLoss {
  const cause = words.name(key.cause, ['events', 'link', 'memory', 'continued']);
  switch (cause) {
    case 'events':
      return {
        cause,
        life: words.number(key.life),
        afterSeq: words.number(key.after),
        count: words.number(key.count),
        ...readGap(words),
      };
    case 'memory':
      return { cause, count: words.number(key.count) };
    case 'link':
    case 'continued':
      return { cause, life: words.number(key.life) };
  }
}

/** The calls around a gap; recordings of before have none. */
function readGap(words: Words): { readonly before: number; readonly after: number } {
  if (!words.has(key.between)) return { before: -1, after: -1 };
  const { life: before, call: after } = readPair(words, key.between);
  return { before, after };
}

const isLossCause = (name: string): name is LossCause => Object.hasOwn(lossCauses, name);

/** The run's own statistics; throws Unreadable. */
export function readRun(comment: string): Statistics {
  const words = parseWords(comment);
  const drops = new Map<string, number>();
  const losses = noLosses();
  eachWord(comment, (key, value) => {
    if (key !== 'drop' && key !== 'loss') return;
    const colon = value.lastIndexOf(':');
    if (colon < 0) throw new Unreadable(value);
    const name = decodeWord(value.slice(0, colon));
    const count = readNumber(value.slice(colon + 1));
    if (key === 'drop') drops.set(name, count);
    // A cause of another version: nobody here has words for it.
    else if (isLossCause(name)) losses.set(name, count);
  });
  return {
    events: words.count(key.events),
    lives: words.count(key.lives),
    paths: words.count(key.paths),
    drops,
    losses,
  };
}

export const noLosses = (): Map<LossCause, number> =>
  new Map((Object.keys(lossCauses) as LossCause[]).map((cause) => [cause, 0]));
