/** The JSON form of a call: most of a path's record are its calls. */
import type { Call, CallTiming, Device, Task } from '../../event/packet-path.ts';
import { put, putNull, type JsonBytes } from './bytes.ts';
import { putDetail } from './detail-record.ts';
import { putNameOrNull, remembered } from './names.ts';
import {
  numbered,
  putHex,
  putNumber,
  putNumbered,
  putNumberOrNull,
  type Numbered,
} from './numbers.ts';
import { piece, type Piece } from './pieces.ts';
import { textOf } from './text.ts';
import { deviceText, DONE, taskText } from './values.ts';

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

const OFFSET = piece(',"offset_ns":');
const DURATION = piece(',"duration_ns":');

const depthAfter = (timing: CallTiming): Numbered =>
  numbered(`,"timing":"${timing}","depth":`, ',"parent":');
const depths: Readonly<Record<CallTiming, Numbered>> = {
  exit: depthAfter('exit'),
  'enter-only': depthAfter('enter-only'),
  point: depthAfter('point'),
  unfinished: depthAfter('unfinished'),
};

const parentLife = numbered('{"life":', ',"call":');
const cpuAfterNone = numbered('null,"cpu":', ',"task":');
const cpuAfterParent = numbered('},"cpu":', ',"task":');
const putTask = remembered((task: Task) => `${taskText(task)},"device":`);
const putDevice = remembered((device: Device) => `${deviceText(device)},"len":`);
const mark = numbered(',"mark":', ',"protocol":');
const packetAfterNull = numbered(',"return_value":null,"packet":', '');
const packetAfter0 = numbered(',"return_value":"0x0","packet":', '');
const RETURN_VALUE = piece(',"return_value":');
const packetAfter = numbered(',"packet":', '');
const NO_MORE = piece(',"verdict":null,"detail":null}');
const VERDICT = piece(',"verdict":');
const DETAIL = piece(',"detail":');

function putParentAndCpu(out: JsonBytes, { parent, cpu }: Call): void {
  if (parent === undefined) {
    putNumbered(out, cpuAfterNone, cpu);
    return;
  }
  putNumbered(out, parentLife, parent.life);
  putNumber(out, parent.call);
  putNumbered(out, cpuAfterParent, cpu);
}

function putReturnAndPacket(out: JsonBytes, { returnValue, packet }: Call): void {
  if (returnValue === undefined) putNumbered(out, packetAfterNull, packet);
  else if (returnValue === 0n) putNumbered(out, packetAfter0, packet);
  else {
    put(out, RETURN_VALUE);
    putHex(out, returnValue);
    putNumbered(out, packetAfter, packet);
  }
}

export function putCall(out: JsonBytes, call: Call): void {
  put(out, headOf(call));
  putNumber(out, call.seq);
  put(out, OFFSET);
  putNumber(out, call.offsetNs);
  put(out, DURATION);
  putNumberOrNull(out, call.durationNs);
  putNumbered(out, depths[call.timing], call.depth);
  putParentAndCpu(out, call);
  putTask(out, call.task);
  putDevice(out, call.device);
  putNumber(out, call.len);
  putNumbered(out, mark, call.mark);
  putNumber(out, call.protocol);
  putReturnAndPacket(out, call);
  if (call.verdict === undefined && call.detail === undefined) {
    put(out, NO_MORE);
    return;
  }
  put(out, VERDICT);
  putNameOrNull(out, call.verdict);
  put(out, DETAIL);
  if (call.detail === undefined) putNull(out);
  else putDetail(out, call.detail);
  put(out, DONE);
}
