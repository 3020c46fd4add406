/** Sockets, connections and rules in hop mode's comments: the inverse of src/exporters/pcapng/hop-surroundings.ts. */
import type {
  ConntrackSight,
  ConntrackTuple,
  FilterRule,
  SocketSight,
} from '../../event/packet-path.ts';
import { decodeWord } from '../../exporters/pcapng/words.ts';
import type { Words } from './read-words.ts';

/** Of the life with this id. */
export interface OfLife<Value> {
  readonly life: number;
  readonly value: Value;
}

export function readRule(words: Words): FilterRule {
  const family = words.text('family');
  const table = words.text('table');
  const chain = words.text('chain');
  return { family, table, chain, handle: words.count('handle') };
}

export function readSocket(words: Words): OfLife<SocketSight> {
  const family = words.text('family');
  const type = words.text('type');
  const protocol = words.text('protocol');
  const state = words.optionalText('state') ?? '';
  const localAddress = words.text('src');
  const localPort = words.count('sport');
  const remoteAddress = words.text('dst');
  const remotePort = words.count('dport');
  const inode = words.count('inode');
  const uid = words.optionalNumber('uid');
  const netnsName = words.text('netns');
  const netns = words.count('netinode');
  const cgroup = words.has('cgroup') ? words.bigint('cgroup') : 0n;
  const containerId = words.optionalText('container') ?? '';
  const podUid = words.optionalText('pod') ?? '';
  const address = words.bigint('addr');
  const offsetNs = words.number('at');
  const seq = words.number('seq');
  return {
    life: words.number('life'),
    value: {
      offsetNs,
      seq,
      address,
      inode,
      uid,
      family,
      type,
      protocol,
      state,
      localAddress,
      localPort,
      remoteAddress,
      remotePort,
      netns,
      netnsName,
      cgroup,
      containerId,
      podUid,
    },
  };
}

export function readConntrack(words: Words): OfLife<ConntrackSight> {
  const info = words.text('info');
  const status = words.raw('status');
  const zone = words.count('zone');
  const mark = words.number('mark');
  const original = readTuple(words, 'o');
  const reply = readTuple(words, 'r');
  const offsetNs = words.number('at');
  const seq = words.number('seq');
  return {
    life: words.number('life'),
    value: {
      offsetNs,
      seq,
      info,
      status: status === '' ? [] : status.split(',').map(decodeWord),
      zone,
      mark,
      original,
      reply,
    },
  };
}

function readTuple(words: Words, prefix: string): ConntrackTuple {
  const transport = words.text(`${prefix}transport`);
  const sourceAddress = words.text(`${prefix}src`);
  const sourcePort = words.optionalNumber(`${prefix}sport`);
  const destinationAddress = words.text(`${prefix}dst`);
  const destinationPort = words.optionalNumber(`${prefix}dport`);
  return { transport, sourceAddress, destinationAddress, sourcePort, destinationPort };
}
