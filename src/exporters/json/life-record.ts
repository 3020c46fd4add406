/** The JSON form of a life: its end, its packets, and what its calls tell besides; see records.ts. */
import type { Life, LifeEnd, PacketSight } from '../../event/packet-path.ts';
import {
  members,
  put,
  putHex,
  putList,
  putName,
  putNameOrNull,
  putNull,
  putNumber,
  putNumberOrNull,
  putText,
  type JsonBytes,
} from './bytes.ts';
import { putCall } from './call-record.ts';
import { putChange, putConntrack, putCrossing, putSocket, putWait } from './story-records.ts';
import { textOf } from './text.ts';
import { DONE, putDevice, putFlow, putLocation } from './values.ts';

const ofSight = members(
  'offset_ns',
  'seq',
  'flow',
  'len',
  'bytes',
  'mac_offset',
  'network_offset',
  'transport_offset',
  'protocol',
  'vlan',
  'queue',
  'gso',
  'hash',
  'mark',
  'device',
  'packet_type',
  'socket',
);

const base64 = ({ buffer, byteOffset, byteLength }: Uint8Array): string =>
  Buffer.from(buffer, byteOffset, byteLength).toString('base64');

function putSight(out: JsonBytes, sight: PacketSight): void {
  const { vlan, gso } = sight;
  put(out, ofSight.offset_ns);
  putNumber(out, sight.offsetNs);
  put(out, ofSight.seq);
  putNumber(out, sight.seq);
  put(out, ofSight.flow);
  putFlow(out, sight.flow);
  put(out, ofSight.len);
  putNumber(out, sight.len);
  put(out, ofSight.bytes);
  putText(out, `"${base64(sight.bytes)}"`);
  put(out, ofSight.mac_offset);
  putNumberOrNull(out, sight.macOffset);
  put(out, ofSight.network_offset);
  putNumberOrNull(out, sight.networkOffset);
  put(out, ofSight.transport_offset);
  putNumberOrNull(out, sight.transportOffset);
  put(out, ofSight.protocol);
  putNumber(out, sight.protocol);
  put(out, ofSight.vlan);
  if (vlan === undefined) putNull(out);
  else putText(out, textOf({ tci: vlan.tci, protocol: vlan.protocol }));
  put(out, ofSight.queue);
  putNumber(out, sight.queue);
  put(out, ofSight.gso);
  if (gso === undefined) putNull(out);
  else putText(out, textOf({ size: gso.size, segments: gso.segments }));
  put(out, ofSight.hash);
  putNumber(out, sight.hash);
  put(out, ofSight.mark);
  putNumber(out, sight.mark);
  put(out, ofSight.device);
  putDevice(out, sight.device);
  put(out, ofSight.packet_type);
  putNumber(out, sight.packetType);
  put(out, ofSight.socket);
  putHex(out, sight.socket);
  put(out, DONE);
}

const ofEnd = members('offset_ns', 'how', 'reason', 'reason_code', 'location', 'program', 'rule');

function putEnd(out: JsonBytes, end: LifeEnd | undefined): void {
  if (end === undefined) {
    putNull(out);
    return;
  }
  put(out, ofEnd.offset_ns);
  putNumber(out, end.offsetNs);
  put(out, ofEnd.how);
  putName(out, end.how);
  put(out, ofEnd.reason);
  putNameOrNull(out, end.reason);
  put(out, ofEnd.reason_code);
  putNumberOrNull(out, end.reasonCode);
  put(out, ofEnd.location);
  putLocation(out, end.location);
  put(out, ofEnd.program);
  putNameOrNull(out, end.program);
  put(out, ofEnd.rule);
  if (end.rule === undefined) putNull(out);
  else putText(out, textOf({ ...end.rule }));
  put(out, DONE);
}

const ofLink = members('life', 'call', 'operation');

function putLink(out: JsonBytes, link: Life['parent']): void {
  if (link === undefined) {
    putNull(out);
    return;
  }
  put(out, ofLink.life);
  putNumber(out, link.life);
  put(out, ofLink.call);
  putNumber(out, link.call);
  put(out, ofLink.operation);
  putName(out, link.operation);
  put(out, DONE);
}

const ofLife = members(
  'id',
  'skb',
  'parent',
  'merged_into',
  'offset_ns',
  'end',
  'calls',
  'packets',
  'sockets',
  'conntracks',
  'waits',
  'crossings',
  'changes',
);

export function putLife(out: JsonBytes, life: Life): void {
  put(out, ofLife.id);
  putNumber(out, life.id);
  put(out, ofLife.skb);
  putHex(out, life.skb);
  put(out, ofLife.parent);
  putLink(out, life.parent);
  put(out, ofLife.merged_into);
  putLink(out, life.mergedInto);
  put(out, ofLife.offset_ns);
  putNumber(out, life.offsetNs);
  put(out, ofLife.end);
  putEnd(out, life.end);
  put(out, ofLife.calls);
  putList(out, life.calls, putCall);
  put(out, ofLife.packets);
  putList(out, life.packets, putSight);
  put(out, ofLife.sockets);
  putList(out, life.sockets, putSocket);
  put(out, ofLife.conntracks);
  putList(out, life.conntracks, putConntrack);
  put(out, ofLife.waits);
  putList(out, life.waits, putWait);
  put(out, ofLife.crossings);
  putList(out, life.crossings, putCrossing);
  put(out, ofLife.changes);
  putList(out, life.changes, putChange);
  put(out, DONE);
}
