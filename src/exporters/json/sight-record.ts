/** The JSON form of a packet's headers as they were seen; see records.ts. */
import type { PacketSight } from '../../event/packet-path.ts';
import { putBase64 } from './base64.ts';
import { put, putNull, type JsonBytes } from './bytes.ts';
import { putHex, putNumber, putNumberOrNull } from './numbers.ts';
import { members } from './pieces.ts';
import { DONE, putDevice, putFlow } from './values.ts';

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

const ofVlan = members('tci', 'protocol');

function putVlan(out: JsonBytes, vlan: NonNullable<PacketSight['vlan']>): void {
  put(out, ofVlan.tci);
  putNumber(out, vlan.tci);
  put(out, ofVlan.protocol);
  putNumber(out, vlan.protocol);
  put(out, DONE);
}

const ofGso = members('size', 'segments');

function putGso(out: JsonBytes, gso: NonNullable<PacketSight['gso']>): void {
  put(out, ofGso.size);
  putNumber(out, gso.size);
  put(out, ofGso.segments);
  putNumber(out, gso.segments);
  put(out, DONE);
}

export function putSight(out: JsonBytes, sight: PacketSight): void {
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
  putBase64(out, sight.bytes);
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
  else putVlan(out, vlan);
  put(out, ofSight.queue);
  putNumber(out, sight.queue);
  put(out, ofSight.gso);
  if (gso === undefined) putNull(out);
  else putGso(out, gso);
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
