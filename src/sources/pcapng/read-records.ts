/** Comments of hop mode as parts of a packet path: the inverse of src/exporters/pcapng/hop-comments.ts. */
import type {
  Call,
  CodeLocation,
  Device,
  Flow,
  Life,
  LifeEnd,
  PacketSight,
  PathLoss,
  Task,
} from '../../event/packet-path.ts';
import type { CallDetail } from '../../event/call-detail.ts';
import type { BarePath } from '../../event/story.ts';
import { lossCauses, type LossCause, type Statistics } from '../../event/statistics.ts';
import { callKinds, verdictName } from '../../event/verdicts.ts';
import { unframe } from '../../exporters/pcapng/link-frame.ts';
import { decodeWord } from '../../exporters/pcapng/words.ts';
import { NotOurs, object } from '../kafka/record-fields.ts';
import { readDetail } from '../read-detail.ts';
import { readRule } from './read-surroundings.ts';
import { eachWord, parseWords, readNumber, Unreadable, type Words } from './read-words.ts';

/** Tasks and devices are few and named often: one object each, as the path builder makes them. */
const KNOWN_MAX = 65_536;

function remember<Value>(known: Map<string, Value>, key: string, make: () => Value): Value {
  let value = known.get(key);
  if (value === undefined) {
    value = make();
    if (known.size >= KNOWN_MAX) known.clear();
    known.set(key, value);
  }
  return value;
}

/** What a record says of itself, and where it belongs. */
export interface Placed<Value> {
  /** In its life: among the calls or among the sights. */
  readonly index: number;
  readonly life: number;
  readonly value: Value;
}

export interface RecordReader {
  call(words: Words): Placed<Call>;
  sight(words: Words, linkType: number, data: Uint8Array): Placed<PacketSight>;
}

export function createRecordReader(): RecordReader {
  const devices = new Map<string, Device>();
  const tasks = new Map<string, Task>();

  // Most calls are where the one before them was.
  let deviceSpan = '?';
  let device: Device | undefined;
  let taskSpan = '?';
  let task: Task | undefined;

  const readDevice = (words: Words): Device => {
    if (device !== undefined && words.skip(deviceSpan, '')) return device;
    deviceSpan = words.span('netns', 'mtu');
    device = remember(devices, deviceSpan, () => {
      const found = parseWords(deviceSpan, 0);
      const netnsName = found.text('netns');
      const netns = found.number('inode');
      const name = found.text('dev');
      const ifindex = found.number('ifindex');
      const kind = found.optionalText('link') ?? '';
      return { netns, netnsName, ifindex, name, mtu: found.number('mtu'), kind };
    });
    return device;
  };
  const readTask = (words: Words): Task => {
    // The cgroup, container and pod may be there or not.
    if (task !== undefined && words.skip(taskSpan, 'cpu=')) return task;
    taskSpan = words.span('task', 'tid');
    for (const more of ['cgroup', 'container', 'pod'])
      if (words.has(more)) taskSpan += words.span(more, more);
    task = remember(tasks, taskSpan, () => {
      const found = parseWords(taskSpan, 0);
      const comm = found.text('task');
      const tgid = found.number('pid');
      const tid = found.number('tid');
      const cgroup = found.has('cgroup') ? found.bigint('cgroup') : 0n;
      const containerId = found.optionalText('container') ?? '';
      const podUid = found.optionalText('pod') ?? '';
      return { tid, tgid, comm, cgroup, containerId, podUid };
    });
    return task;
  };

  const names = new Map<string, string>();

  return {
    call(words) {
      // One string for all calls of a function, not a piece of each comment, which would stay in memory with it.
      const raw = words.raw('func');
      const func = remember(names, raw, () => decodeWord(raw));
      const module = words.optionalText('module');
      const kind = words.has('kind') ? words.name('kind', callKinds) : 'function';
      const durationNs = words.optionalNumber('dur');
      const timing = words.has('timing') ? words.name('timing', timings) : 'exit';
      const offsetNs = words.number('at');
      const depth = words.number('depth');
      const parent = words.has('in') ? readPair(words, 'in') : undefined;
      const device = readDevice(words);
      const task = readTask(words);
      const cpu = words.number('cpu');
      const len = words.number('len');
      const mark = words.optionalNumber('mark') ?? 0;
      const protocol = words.number('proto');
      const returnValue = words.has('ret') ? words.bigint('ret') : undefined;
      const detail = words.has('detail') ? readDetailWord(words.text('detail')) : undefined;
      const seq = words.number('seq');
      const index = words.count('call');
      const packet = words.number('packet');
      return {
        index,
        life: words.number('life'),
        value: {
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
          verdict: verdictName(kind, returnValue),
          packet,
          ...(detail === undefined ? {} : { detail }),
        },
      };
    },

    sight(words, linkType, data) {
      const flow = readFlow(words);
      const offsetNs = words.number('at');
      const len = words.number('len');
      const macOffset = words.optionalNumber('l2');
      const networkOffset = words.optionalNumber('l3');
      const transportOffset = words.optionalNumber('l4');
      const protocol = words.number('proto');
      const vlan = readVlan(words);
      const gso = readGso(words);
      const mark = words.optionalNumber('mark') ?? 0;
      const queue = words.number('queue');
      const hash = words.number('hash');
      const packetType = words.number('type');
      const device = readDevice(words);
      const socket = words.bigint('sock');
      const bytes = readBytes(words, linkType, data, vlan !== undefined);
      const seq = words.number('seq');
      const index = words.count('packet');
      return {
        index,
        life: words.number('life'),
        value: {
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
        },
      };
    },
  };
}

function readDetailWord(json: string): CallDetail {
  try {
    return readDetail(object(JSON.parse(json), 'detail'));
  } catch (error) {
    if (error instanceof NotOurs || error instanceof SyntaxError) throw new Unreadable('detail');
    throw error;
  }
}

const timings = ['exit', 'enter-only', 'point', 'unfinished'] as const;

function readPair(words: Words, key: string): { life: number; call: number } {
  const [life, call] = words.pair(key);
  return { life, call };
}

function readBytes(words: Words, linkType: number, data: Uint8Array, hasTag: boolean): Uint8Array {
  const bytes = unframe(linkType, data, hasTag);
  if (bytes === undefined) throw new Unreadable('frame');
  if (!words.has('skip')) return bytes;
  const hex = words.raw('skip');
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new Unreadable('skip');
  return Uint8Array.from([...Buffer.from(hex, 'hex'), ...bytes]);
}

function readVlan(words: Words): PacketSight['vlan'] {
  if (!words.has('vlan')) return undefined;
  const [tci, protocol] = words.pair('vlan');
  return { tci, protocol };
}

function readGso(words: Words): PacketSight['gso'] {
  if (!words.has('gso')) return undefined;
  const [segments, size] = words.pair('gso');
  return { size, segments };
}

/** undefined: the comment names none. */
export function readFlow(words: Words): Flow | undefined {
  if (!words.has('network')) return undefined;
  const network = words.name('network', ['ipv4', 'ipv6', 'arp', 'other']);
  const transport = words.text('transport');
  const sourceAddress = words.text('src');
  const sourcePort = words.optionalNumber('sport');
  const destinationAddress = words.text('dst');
  const destinationPort = words.optionalNumber('dport');
  const tcpFlags = words.optionalText('flags');
  return {
    network,
    transport,
    sourceAddress,
    destinationAddress,
    sourcePort,
    destinationPort,
    tcpFlags,
    detail: words.text('info'),
  };
}

export function readEnd(words: Words): { readonly life: number; readonly value: LifeEnd } {
  const how = words.name('how', ['dropped', 'consumed', 'released', 'memory', 'reused']);
  const reason = words.optionalText('reason');
  const reasonCode = words.optionalNumber('code');
  const program = words.optionalText('program');
  const location = readLocation(words);
  const offsetNs = words.number('at');
  const rule = words.has('family') ? readRule(words) : undefined;
  return {
    life: words.number('life'),
    value: { offsetNs, how, reason, reasonCode, location, program, rule },
  };
}

function readLocation(words: Words): CodeLocation | undefined {
  if (!words.has('loc')) return undefined;
  const text = words.text('loc');
  const plus = text.lastIndexOf('+');
  if (plus < 0) throw new Unreadable('loc');
  const address = words.bigint('addr');
  return {
    address,
    func: text.slice(0, plus),
    offset: readNumber(text.slice(plus + 1)),
    module: words.optionalText('module'),
  };
}

/** What a life comment says; its calls and sights come with other records. */
export interface LifeHead {
  readonly id: number;
  readonly index: number;
  readonly parent: Life['parent'];
  readonly offsetNs: number;
  readonly skb: bigint;
  readonly calls: number;
  readonly packets: number;
  readonly sockets: number;
  readonly conntracks: number;
}

const operations = ['clone', 'copy', 'segment', 'morph', 'xdp', 'gro'] as const;

export function readLife(words: Words): LifeHead {
  return {
    id: words.number('id'),
    index: words.count('index'),
    parent: readOrigin(words),
    offsetNs: words.number('at'),
    skb: words.bigint('skb'),
    calls: words.count('calls'),
    packets: words.count('packets'),
    sockets: words.has('sockets') ? words.count('sockets') : 0,
    conntracks: words.has('conntracks') ? words.count('conntracks') : 0,
  };
}

function readOrigin(words: Words): Life['parent'] {
  if (!words.has('from')) return undefined;
  const [life = '', call = '', name = ''] = words.parts('from', 3);
  const operation = operations.find((each) => each === name);
  if (operation === undefined) throw new Unreadable(name);
  return { life: readNumber(life), call: readNumber(call), operation };
}

/** What a path comment says, and how many lives and losses it announces. */
export interface PathHead extends Omit<BarePath, 'lives' | 'losses' | 'traceId'> {
  readonly lives: number;
  readonly losses: number;
}

export function readPath(words: Words): PathHead {
  const id = words.number('id');
  const durationNs = words.number('dur');
  const direction = words.name('dir', ['transmit', 'receive', 'unknown']);
  const ending = words.name('ending', ['ended', 'idle', 'evicted', 'stopped']);
  const flow = readFlow(words);
  const lives = words.count('lives');
  const losses = words.count('losses');
  const startTimeNs = words.bigint('start');
  const host = words.optionalText('host');
  const of = host === undefined ? {} : { origin: { host, bootId: words.text('boot') } };
  return { id, startTimeNs, durationNs, ending, flow, direction, lives, losses, ...of };
}

export function readLoss(words: Words): PathLoss {
  const cause = words.name('cause', ['events', 'link', 'memory', 'continued']);
  switch (cause) {
    case 'events':
      return {
        cause,
        life: words.number('life'),
        afterSeq: words.number('after'),
        count: words.number('count'),
      };
    case 'memory':
      return { cause, count: words.number('count') };
    case 'link':
    case 'continued':
      return { cause, life: words.number('life') };
  }
}

const isLossCause = (name: string): name is LossCause => Object.hasOwn(lossCauses, name);

/** The run's own statistics; throws Unreadable. */
export function readRun(comment: string, words: Words): Statistics {
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
    events: words.count('events'),
    lives: words.count('lives'),
    paths: words.count('paths'),
    drops,
    losses,
  };
}

export const noLosses = (): Map<LossCause, number> =>
  new Map((Object.keys(lossCauses) as LossCause[]).map((cause) => [cause, 0]));
