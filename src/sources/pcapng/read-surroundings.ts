/** Sockets, connections and rules in hop mode's comments: the inverse of src/exporters/pcapng/hop-surroundings.ts. */
import type {
  ConntrackSight,
  ConntrackTuple,
  FilterRule,
  SocketSight,
  Task,
} from '../../event/packet-path.ts';
import {
  originalKeys,
  replyKeys,
  type TupleKeys,
} from '../../exporters/pcapng/hop-surroundings.ts';
import { key } from '../../exporters/pcapng/word-keys.ts';
import { decodeWord } from '../../exporters/pcapng/words.ts';
import type { Words } from './read-words.ts';

/** Of the life with this id. */
export interface OfLife<Value> {
  readonly life: number;
  readonly value: Value;
}

/** The words of readOwner. */
export const ownerKeys = [key.cgroup, key.container, key.pod];

/** Cgroup, container and pod, each of which may be missing, of a task or a socket. */
export function readOwner(words: Words): Pick<Task, 'cgroup' | 'containerId' | 'podUid'> {
  const cgroup = words.has(key.cgroup) ? words.bigint(key.cgroup) : 0n;
  const containerId = words.optionalText(key.container) ?? '';
  const podUid = words.optionalText(key.pod) ?? '';
  return { cgroup, containerId, podUid };
}

function readMoment(words: Words): Pick<SocketSight, 'offsetNs' | 'seq'> {
  const offsetNs = words.number(key.at);
  return { offsetNs, seq: words.number(key.seq) };
}

export function readRule(words: Words): FilterRule {
  const family = words.text(key.family);
  const table = words.text(key.table);
  const chain = words.text(key.chain);
  return { family, table, chain, handle: words.count(key.handle) };
}

export function readSocket(words: Words): OfLife<SocketSight> {
  const family = words.text(key.family);
  const type = words.text(key.type);
  const protocol = words.text(key.protocol);
  const state = words.optionalText(key.state) ?? '';
  const localAddress = words.text(key.src);
  const localPort = words.count(key.sport);
  const remoteAddress = words.text(key.dst);
  const remotePort = words.count(key.dport);
  const inode = words.count(key.inode);
  const uid = words.optionalNumber(key.uid);
  const netnsName = words.text(key.netns);
  const netns = words.count(key.netinode);
  const owner = readOwner(words);
  const address = words.bigint(key.addr);
  const moment = readMoment(words);
  return {
    life: words.number(key.life),
    value: {
      ...moment,
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
      ...owner,
    },
  };
}

export function readConntrack(words: Words): OfLife<ConntrackSight> {
  const info = words.text(key.info);
  const status = words.raw(key.status);
  const zone = words.count(key.zone);
  const mark = words.number(key.mark);
  const original = readTuple(words, originalKeys);
  const reply = readTuple(words, replyKeys);
  const moment = readMoment(words);
  return {
    life: words.number(key.life),
    value: {
      ...moment,
      info,
      status: status === '' ? [] : status.split(',').map(decodeWord),
      zone,
      mark,
      original,
      reply,
    },
  };
}

function readTuple(words: Words, keys: TupleKeys): ConntrackTuple {
  const transport = words.text(keys.transport);
  const sourceAddress = words.text(keys.source);
  const sourcePort = words.optionalNumber(keys.sourcePort);
  const destinationAddress = words.text(keys.destination);
  const destinationPort = words.optionalNumber(keys.destinationPort);
  return { transport, sourceAddress, destinationAddress, sourcePort, destinationPort };
}
