/** Sockets, connections and rules from their JSON records; the reverse of src/exporters/json/story-records.ts. */
import type {
  ConntrackSight,
  ConntrackTuple,
  FilterRule,
  SocketSight,
} from '../../event/packet-path.ts';
import { big, NotOurs, number, numberOr, object, text, type Fields } from './record-fields.ts';

export const readRule = (fields: Fields): FilterRule => ({
  family: text(fields, 'family'),
  table: text(fields, 'table'),
  chain: text(fields, 'chain'),
  handle: number(fields, 'handle'),
});

export const readSocket = (fields: Fields): SocketSight => ({
  offsetNs: number(fields, 'offset_ns'),
  seq: number(fields, 'seq'),
  address: big(fields, 'address'),
  inode: number(fields, 'inode'),
  uid: numberOr(fields, 'uid'),
  family: text(fields, 'family'),
  type: text(fields, 'type'),
  protocol: text(fields, 'protocol'),
  state: text(fields, 'state'),
  localAddress: text(fields, 'local_address'),
  localPort: number(fields, 'local_port'),
  remoteAddress: text(fields, 'remote_address'),
  remotePort: number(fields, 'remote_port'),
  netns: number(fields, 'netns'),
  netnsName: text(fields, 'netns_name'),
  cgroup: big(fields, 'cgroup'),
  containerId: text(fields, 'container_id'),
  podUid: text(fields, 'pod_uid'),
});

const readTuple = (fields: Fields): ConntrackTuple => ({
  transport: text(fields, 'transport'),
  sourceAddress: text(fields, 'source_address'),
  destinationAddress: text(fields, 'destination_address'),
  sourcePort: numberOr(fields, 'source_port'),
  destinationPort: numberOr(fields, 'destination_port'),
});

function words(fields: Fields, name: string): string[] {
  const value = fields[name];
  if (!Array.isArray(value)) throw new NotOurs(`${name} is no array`);
  return value.map((word: unknown) => {
    if (typeof word !== 'string') throw new NotOurs(`${name} has something else than text in it`);
    return word;
  });
}

export const readConntrack = (fields: Fields): ConntrackSight => ({
  offsetNs: number(fields, 'offset_ns'),
  seq: number(fields, 'seq'),
  info: text(fields, 'info'),
  status: words(fields, 'status'),
  zone: number(fields, 'zone'),
  mark: number(fields, 'mark'),
  original: readTuple(object(fields['original'], 'original')),
  reply: readTuple(object(fields['reply'], 'reply')),
});
