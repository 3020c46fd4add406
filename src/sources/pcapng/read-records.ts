/** Comments of hop mode as parts of a packet path: the inverse of src/exporters/pcapng/hop-comments.ts. */
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
import { lossCauses, type LossCause, type Statistics } from '../../event/statistics.ts';
import { unframe } from '../../exporters/pcapng/link-frame.ts';
import { decodeWord } from '../../exporters/pcapng/words.ts';
import { eachWord, readNumber, Unreadable, type Words } from './read-words.ts';

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

export interface RecordReader {
  call(words: Words): Call;
  sight(words: Words, linkType: number, data: Uint8Array): PacketSight;
}

export function createRecordReader(): RecordReader {
  const devices = new Map<string, Device>();
  const tasks = new Map<string, Task>();

  const readDevice = (words: Words): Device => {
    const key = `${words.raw('inode')} ${words.raw('ifindex')} ${words.raw('mtu')} ${words.raw('dev')} ${words.raw('netns')}`;
    return remember(devices, key, () => ({
      netns: words.number('inode'),
      netnsName: words.text('netns'),
      ifindex: words.number('ifindex'),
      name: words.text('dev'),
      mtu: words.number('mtu'),
    }));
  };
  const readTask = (words: Words): Task => {
    const cgroup = words.has('cgroup') ? words.raw('cgroup') : '';
    const key = `${words.raw('tid')} ${words.raw('pid')} ${cgroup} ${words.raw('task')}`;
    return remember(tasks, key, () => ({
      tid: words.number('tid'),
      tgid: words.number('pid'),
      comm: words.text('task'),
      cgroup: cgroup === '' ? 0n : words.bigint('cgroup'),
    }));
  };

  return {
    call: (words) => ({
      func: words.text('func'),
      module: words.optionalText('module'),
      kind: words.has('kind') ? words.name('kind', ['function', 'tracepoint']) : 'function',
      seq: words.number('seq'),
      offsetNs: words.number('at'),
      durationNs: words.optionalNumber('dur'),
      timing: words.has('timing') ? words.name('timing', timings) : 'exit',
      depth: words.number('depth'),
      parent: words.has('in') ? readPair(words, 'in') : undefined,
      cpu: words.number('cpu'),
      task: readTask(words),
      device: readDevice(words),
      len: words.number('len'),
      mark: words.optionalNumber('mark') ?? 0,
      protocol: words.number('proto'),
      returnValue: words.has('ret') ? words.bigint('ret') : undefined,
      packet: words.number('packet'),
    }),
    sight: (words, linkType, data) => ({
      offsetNs: words.number('at'),
      seq: words.number('seq'),
      flow: readFlow(words),
      len: words.number('len'),
      bytes: readBytes(words, linkType, data),
      macOffset: words.optionalNumber('l2'),
      networkOffset: words.optionalNumber('l3'),
      transportOffset: words.optionalNumber('l4'),
      protocol: words.number('proto'),
      vlan: readVlan(words),
      queue: words.number('queue'),
      gso: readGso(words),
      hash: words.number('hash'),
      mark: words.optionalNumber('mark') ?? 0,
      device: readDevice(words),
      packetType: words.number('type'),
      socket: words.bigint('sock'),
    }),
  };
}

const timings = ['exit', 'enter-only', 'point', 'unfinished'] as const;

function readPair(words: Words, key: string): { life: number; call: number } {
  const [life = '', call = ''] = words.parts(key, 2);
  return { life: readNumber(life), call: readNumber(call) };
}

function readBytes(words: Words, linkType: number, data: Uint8Array): Uint8Array {
  const bytes = unframe(linkType, data, words.has('vlan'));
  if (bytes === undefined) throw new Unreadable('frame');
  if (!words.has('skip')) return bytes;
  const hex = words.raw('skip');
  if (!/^(?:[0-9a-f]{2})*$/.test(hex)) throw new Unreadable('skip');
  return Uint8Array.from([...Buffer.from(hex, 'hex'), ...bytes]);
}

function readVlan(words: Words): PacketSight['vlan'] {
  if (!words.has('vlan')) return undefined;
  const [tci = '', protocol = ''] = words.parts('vlan', 2);
  return { tci: readNumber(tci), protocol: readNumber(protocol) };
}

function readGso(words: Words): PacketSight['gso'] {
  if (!words.has('gso')) return undefined;
  const [segments = '', size = ''] = words.parts('gso', 2);
  return { size: readNumber(size), segments: readNumber(segments) };
}

/** undefined: the comment names none. */
export function readFlow(words: Words): Flow | undefined {
  if (!words.has('network')) return undefined;
  return {
    network: words.name('network', ['ipv4', 'ipv6', 'arp', 'other']),
    transport: words.text('transport'),
    sourceAddress: words.text('src'),
    destinationAddress: words.text('dst'),
    sourcePort: words.optionalNumber('sport'),
    destinationPort: words.optionalNumber('dport'),
    tcpFlags: words.optionalText('flags'),
    detail: words.text('info'),
  };
}

export function readEnd(words: Words): LifeEnd {
  return {
    offsetNs: words.number('at'),
    how: words.name('how', ['dropped', 'consumed', 'released', 'memory', 'reused']),
    reason: words.optionalText('reason'),
    reasonCode: words.optionalNumber('code'),
    location: readLocation(words),
  };
}

function readLocation(words: Words): CodeLocation | undefined {
  if (!words.has('loc')) return undefined;
  const text = words.text('loc');
  const plus = text.lastIndexOf('+');
  if (plus < 0) throw new Unreadable('loc');
  return {
    address: words.bigint('addr'),
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
export interface PathHead extends Omit<PacketPath, 'lives' | 'losses' | 'traceId'> {
  readonly lives: number;
  readonly losses: number;
}

export function readPath(words: Words): PathHead {
  return {
    id: words.number('id'),
    startTimeNs: words.bigint('start'),
    durationNs: words.number('dur'),
    ending: words.name('ending', ['ended', 'idle', 'evicted', 'stopped']),
    flow: readFlow(words),
    direction: words.name('dir', ['transmit', 'receive', 'unknown']),
    lives: words.count('lives'),
    losses: words.count('losses'),
  };
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
