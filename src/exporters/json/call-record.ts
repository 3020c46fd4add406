/** The JSON form of a call: most of a path's record are its calls, and most of a call is as it was in the one before. */
import type { Call } from '../../event/packet-path.ts';
import { detailFields } from './detail-record.ts';
import { flat, hex, name, nameOrNull, numberOrNull, textOf } from './text.ts';
import { deviceText, taskText } from './values.ts';

type Surroundings = Pick<Call, 'cpu' | 'task' | 'device' | 'len' | 'mark' | 'protocol'>;

let last: Surroundings | undefined;
let lastText = '';

function surroundingsText(call: Surroundings): string {
  if (
    last !== undefined &&
    call.task === last.task &&
    call.device === last.device &&
    call.cpu === last.cpu &&
    call.len === last.len &&
    call.mark === last.mark &&
    call.protocol === last.protocol
  )
    return lastText;
  last = call;
  lastText = flat(
    `,"cpu":${call.cpu}` +
      `,"task":${taskText(call.task)}` +
      `,"device":${deviceText(call.device)}` +
      `,"len":${call.len}` +
      `,"mark":${call.mark}` +
      `,"protocol":${call.protocol}` +
      ',"return_value":',
  );
  return lastText;
}

export const callText = (call: Call): string =>
  `{"func":${name(call.func)}` +
  `,"module":${nameOrNull(call.module)}` +
  `,"kind":${name(call.kind)}` +
  `,"seq":${call.seq}` +
  `,"offset_ns":${call.offsetNs}` +
  `,"duration_ns":${numberOrNull(call.durationNs)}` +
  `,"timing":${name(call.timing)}` +
  `,"depth":${call.depth}` +
  `,"parent":${call.parent === undefined ? 'null' : `{"life":${call.parent.life},"call":${call.parent.call}}`}` +
  `${surroundingsText(call)}${call.returnValue === undefined ? 'null' : `"${hex(call.returnValue)}"`}` +
  `,"packet":${call.packet}` +
  `,"verdict":${nameOrNull(call.verdict)}` +
  `,"detail":${call.detail === undefined ? 'null' : textOf(detailFields(call.detail))}}`;
