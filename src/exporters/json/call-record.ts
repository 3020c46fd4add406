/** The JSON form of a call: most of a path's record are its calls. */
import type { Call, CallTiming, Device, Task } from '../../event/packet-path.ts';
import { CLOSE, COMMA, OPEN, put, putAgain, putByte, putNull, type JsonBytes } from './bytes.ts';
import { headOf } from './call-heads.ts';
import { putDetail } from './detail-record.ts';
import { putNameOrNull, remembered } from './names.ts';
import { numbered, putNumbered, type Numbered } from './numbered.ts';
import { putHex, putNumber, putNumberOrNull } from './numbers.ts';
import { piece } from './pieces.ts';
import { deviceText, DONE, taskText } from './values.ts';

const OFFSET = piece(',"offset_ns":');
const DURATION = piece(',"duration_ns":');

/** By timing and depth, up to where the parent's call stands. Most calls are made in the path's first life. */
const nestingOf = (timing: CallTiming): Record<'none' | 'firstLife' | 'otherLife', Numbered> => ({
  none: numbered(`,"timing":"${timing}","depth":`, ',"parent":null'),
  firstLife: numbered(`,"timing":"${timing}","depth":`, ',"parent":{"life":0,"call":'),
  otherLife: numbered(`,"timing":"${timing}","depth":`, ',"parent":{"life":'),
});
const nestings = {
  exit: nestingOf('exit'),
  'enter-only': nestingOf('enter-only'),
  point: nestingOf('point'),
  unfinished: nestingOf('unfinished'),
} as const;
const CALL = piece(',"call":');

function putNesting(out: JsonBytes, { timing, depth, parent }: Call): void {
  const nesting = nestings[timing];
  if (parent === undefined) {
    putNumbered(out, nesting.none, depth);
    return;
  }
  if (parent.life === 0) putNumbered(out, nesting.firstLife, depth);
  else {
    putNumbered(out, nesting.otherLife, depth);
    putNumber(out, parent.life);
    put(out, CALL);
  }
  putNumber(out, parent.call);
  put(out, DONE);
}

const cpuBefore = numbered(',"cpu":', ',"task":');
const putTask = remembered((task: Task) => `${taskText(task)},"device":`);
const putDevice = remembered((device: Device) => `${deviceText(device)},"len":`);
const mark = numbered(',"mark":', ',"protocol":');

/** Where a call ran and on what packet: what it has in common with the one before, as a rule. */
function putContext(out: JsonBytes, call: Call): void {
  putNumbered(out, cpuBefore, call.cpu);
  putTask(out, call.task);
  putDevice(out, call.device);
  putNumber(out, call.len);
  putNumbered(out, mark, call.mark);
  putNumber(out, call.protocol);
}

const sameContext = (one: Call, other: Call): boolean =>
  one.cpu === other.cpu &&
  one.task === other.task &&
  one.device === other.device &&
  one.len === other.len &&
  one.mark === other.mark &&
  one.protocol === other.protocol;

const NO_MORE = ',"verdict":null,"detail":null}';
const returned = { none: ',"return_value":null', zero: ',"return_value":"0x0"' } as const;
const lastOfNone = numbered(`${returned.none},"packet":`, NO_MORE);
const lastOfZero = numbered(`${returned.zero},"packet":`, NO_MORE);
const lastOfOther = numbered(',"packet":', NO_MORE);
const RETURN_VALUE = piece(',"return_value":');
const PACKET = piece(',"packet":');
const VERDICT = piece(',"verdict":');
const DETAIL = piece(',"detail":');

/** The end of a call that has neither verdict nor detail. */
function putLast(out: JsonBytes, { returnValue, packet }: Call): void {
  if (returnValue === undefined) putNumbered(out, lastOfNone, packet);
  else if (returnValue === 0n) putNumbered(out, lastOfZero, packet);
  else {
    put(out, RETURN_VALUE);
    putHex(out, returnValue);
    putNumbered(out, lastOfOther, packet);
  }
}

function putLastWithMore(out: JsonBytes, { returnValue, packet, verdict, detail }: Call): void {
  put(out, RETURN_VALUE);
  if (returnValue === undefined) putNull(out);
  else putHex(out, returnValue);
  put(out, PACKET);
  putNumber(out, packet);
  put(out, VERDICT);
  putNameOrNull(out, verdict);
  put(out, DETAIL);
  if (detail === undefined) putNull(out);
  else putDetail(out, detail);
  put(out, DONE);
}

function putFirst(out: JsonBytes, call: Call): void {
  put(out, headOf(call));
  putNumber(out, call.seq);
  put(out, OFFSET);
  putNumber(out, call.offsetNs);
  put(out, DURATION);
  putNumberOrNull(out, call.durationNs);
  putNesting(out, call);
}

/** A life's calls as a list. The context is put once and copied from there while it stays the same. */
export function putCalls(out: JsonBytes, calls: readonly Call[]): void {
  let context: Call | undefined;
  let from = 0;
  let length = 0;
  putByte(out, OPEN);
  for (const call of calls) {
    if (context !== undefined) putByte(out, COMMA);
    putFirst(out, call);
    if (context !== undefined && sameContext(call, context)) putAgain(out, from, length);
    else {
      from = out.at - out.start;
      putContext(out, call);
      length = out.at - out.start - from;
    }
    context = call;
    if (call.verdict === undefined && call.detail === undefined) putLast(out, call);
    else putLastWithMore(out, call);
  }
  putByte(out, CLOSE);
}
