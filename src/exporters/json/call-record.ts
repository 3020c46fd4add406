/** The JSON form of a call: most of a path's record are its calls. */
import type { Call } from '../../event/packet-path.ts';
import {
  members,
  piece,
  put,
  putHex,
  putName,
  putNameOrNull,
  putNull,
  putNumber,
  putNumberOrNull,
  type JsonBytes,
  type Piece,
} from './bytes.ts';
import { putDetail } from './detail-record.ts';
import { textOf } from './text.ts';
import { DONE, putDevice, putTask } from './values.ts';

/** What calls of one function have in common, up to where their sequence number stands. */
interface Head {
  readonly module: string | undefined;
  readonly kind: string;
  readonly text: Piece;
}

const HEADS_MOST = 8_192;
const heads = new Map<string, Head>();

function headOf({ func, module, kind }: Call): Piece {
  const known = heads.get(func);
  if (known !== undefined && known.module === module && known.kind === kind) return known.text;
  const text = piece(`${textOf({ func, module: module ?? null, kind }).slice(0, -1)},"seq":`);
  if (heads.size >= HEADS_MOST) heads.clear();
  heads.set(func, { module, kind, text });
  return text;
}

const of = members(
  'func',
  'offset_ns',
  'duration_ns',
  'timing',
  'depth',
  'parent',
  'cpu',
  'task',
  'device',
  'len',
  'mark',
  'protocol',
  'return_value',
  'packet',
  'verdict',
  'detail',
);
const ofParent = members('life', 'call');
const RETURNS_0 = piece(',"return_value":"0x0"');
const NO_MORE = piece(',"verdict":null,"detail":null}');

function putParent(out: JsonBytes, parent: Call['parent']): void {
  if (parent === undefined) {
    putNull(out);
    return;
  }
  put(out, ofParent.life);
  putNumber(out, parent.life);
  put(out, ofParent.call);
  putNumber(out, parent.call);
  put(out, DONE);
}

function putReturn(out: JsonBytes, value: bigint | undefined): void {
  if (value === 0n) {
    put(out, RETURNS_0);
    return;
  }
  put(out, of.return_value);
  if (value === undefined) putNull(out);
  else putHex(out, value);
}

export function putCall(out: JsonBytes, call: Call): void {
  put(out, headOf(call));
  putNumber(out, call.seq);
  put(out, of.offset_ns);
  putNumber(out, call.offsetNs);
  put(out, of.duration_ns);
  putNumberOrNull(out, call.durationNs);
  put(out, of.timing);
  putName(out, call.timing);
  put(out, of.depth);
  putNumber(out, call.depth);
  put(out, of.parent);
  putParent(out, call.parent);
  put(out, of.cpu);
  putNumber(out, call.cpu);
  put(out, of.task);
  putTask(out, call.task);
  put(out, of.device);
  putDevice(out, call.device);
  put(out, of.len);
  putNumber(out, call.len);
  put(out, of.mark);
  putNumber(out, call.mark);
  put(out, of.protocol);
  putNumber(out, call.protocol);
  putReturn(out, call.returnValue);
  put(out, of.packet);
  putNumber(out, call.packet);
  if (call.verdict === undefined && call.detail === undefined) {
    put(out, NO_MORE);
    return;
  }
  put(out, of.verdict);
  putNameOrNull(out, call.verdict);
  put(out, of.detail);
  if (call.detail === undefined) putNull(out);
  else putDetail(out, call.detail);
  put(out, DONE);
}
