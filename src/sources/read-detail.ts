/** The reverse of src/exporters/json/detail-record.ts. */
import type { CallDetail, MapAccess, MemberValue, StructValue } from '../event/call-detail.ts';
import type { CodeLocation, Flow } from '../event/packet-path.ts';
import {
  big,
  list,
  NotOurs,
  number,
  numberOr,
  object,
  optional,
  text,
  textOr,
  word,
  type Fields,
} from './kafka/record-fields.ts';

export const readFlowFields = (fields: Fields): Flow => ({
  network: word(fields, 'network', ['ipv4', 'ipv6', 'arp', 'other']),
  transport: text(fields, 'transport'),
  sourceAddress: text(fields, 'source_address'),
  destinationAddress: text(fields, 'destination_address'),
  sourcePort: numberOr(fields, 'source_port'),
  destinationPort: numberOr(fields, 'destination_port'),
  tcpFlags: textOr(fields, 'tcp_flags'),
  detail: text(fields, 'detail'),
});

export const readLocationFields = (fields: Fields): CodeLocation => ({
  address: big(fields, 'address'),
  func: text(fields, 'func'),
  offset: number(fields, 'offset'),
  module: textOr(fields, 'module'),
});

const depthMost = 16;

function readMember(value: unknown, depth: number): MemberValue {
  if (typeof value === 'number' || typeof value === 'string') return value;
  if (Array.isArray(value) && depth < depthMost) {
    return value.map((each) => readMember(each, depth + 1));
  }
  return readStruct(object(value, 'a member'), depth + 1);
}

function readStruct(fields: Fields, depth = 0): StructValue {
  if (depth > depthMost) throw new NotOurs('a struct is too deep');
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, readMember(value, depth)]),
  );
}

const readMap = (fields: Fields): MapAccess => ({
  id: number(fields, 'id'),
  name: text(fields, 'name'),
  type: number(fields, 'type'),
  keyBytes: number(fields, 'key_bytes'),
  valueBytes: number(fields, 'value_bytes'),
  key: text(fields, 'key'),
  value: textOr(fields, 'value'),
});

function readInteger(value: string): bigint {
  if (!/^-?\d{1,20}$/.test(value)) throw new NotOurs('a value is no number');
  return BigInt(value);
}

function readWords(value: unknown): number[] {
  if (!Array.isArray(value) || value.some((each) => typeof each !== 'number')) {
    throw new NotOurs('cb is no list of numbers');
  }
  return value as number[];
}

const optionalList = <T>(
  fields: Fields,
  name: string,
  read: (each: Fields) => T,
): readonly T[] | undefined => (fields[name] === null ? undefined : list(fields, name, read));

/** Throws NotOurs. */
export const readDetail = (fields: Fields): CallDetail => ({
  caller: optional(fields, 'caller', readLocationFields),
  stack: optionalList(fields, 'stack', readLocationFields),
  tunnel: optional(fields, 'tunnel', readFlowFields),
  controlBlock: fields['cb'] === null ? undefined : readWords(fields['cb']),
  metadata: optionalList(fields, 'metadata', (each) => {
    const value = textOr(each, 'value');
    return {
      expression: text(each, 'expression'),
      value: value === undefined ? undefined : readInteger(value),
    };
  }),
  skb: optional(fields, 'skb', readStruct),
  sharedInfo: optional(fields, 'shared_info', readStruct),
  map: optional(fields, 'map', readMap),
});
