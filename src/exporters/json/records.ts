/**
 * The JSON form of packet paths and of the run's summary; docs/json.md describes every field. Unknown is null, never left
 * out, so that a column is there in every line. What may pass 2^53 is text: times since 1970 and cgroup ids in decimal,
 * addresses and registers in hex.
 */
import type { Origin, PacketPath, PathLoss } from '../../event/packet-path.ts';
import type { Statistics } from '../../event/statistics.ts';
import {
  begin,
  createJsonBytes,
  end,
  put,
  putList,
  putQuoted,
  putText,
  type JsonBytes,
} from './bytes.ts';
import { putLife } from './life-record.ts';
import { putName, remembered } from './names.ts';
import { putNumber } from './numbers.ts';
import { moreMembers, piece } from './pieces.ts';
import { putOutcome } from './story-records.ts';
import { giveBack } from './slabs.ts';
import { textOf, type Fields } from './text.ts';
import { putTimes } from './times.ts';
import { DONE, putFlow } from './values.ts';

/** Changes when a reader of the old form would misread the new one; added fields do not change it. */
export const pathSchema = 'skbspan.path/1';
export const summarySchema = 'skbspan.summary/1';

const HEAD = piece(textOf({ schema: pathSchema }).slice(0, -1));
const ofPath = moreMembers(
  'id',
  'trace_id',
  'time',
  'duration_ns',
  'direction',
  'ending',
  'losses',
  'flow',
  'lives',
  'outcome',
);
const NO_LOSSES = piece(',"losses":[]');

function putLoss(out: JsonBytes, loss: PathLoss): void {
  const fields = {
    cause: loss.cause,
    life: 'life' in loss ? loss.life : null,
    after_seq: 'afterSeq' in loss ? loss.afterSeq : null,
    count: 'count' in loss ? loss.count : null,
    before: 'before' in loss ? loss.before : null,
    after: 'after' in loss ? loss.after : null,
  };
  putText(out, textOf(fields));
}

const putOrigin = remembered(
  ({ host, bootId }: Origin) => `,${textOf({ host, boot_id: bootId }).slice(1, -1)}`,
);

/** One packet path as a JSON object; whose it is, if that is known; and `putMore` members at its end. */
export function putPath(
  out: JsonBytes,
  path: PacketPath,
  origin: Origin | undefined,
  putMore?: (out: JsonBytes) => void,
): void {
  put(out, HEAD);
  put(out, ofPath.id);
  putNumber(out, path.id);
  put(out, ofPath.trace_id);
  putQuoted(out, path.traceId);
  put(out, ofPath.time);
  putTimes(out, path.startTimeNs);
  put(out, ofPath.duration_ns);
  putNumber(out, path.durationNs);
  put(out, ofPath.direction);
  putName(out, path.direction);
  put(out, ofPath.ending);
  putName(out, path.ending);
  if (path.losses.length === 0) put(out, NO_LOSSES);
  else {
    put(out, ofPath.losses);
    putList(out, path.losses, putLoss);
  }
  put(out, ofPath.flow);
  putFlow(out, path.flow);
  put(out, ofPath.lives);
  putList(out, path.lives, putLife);
  put(out, ofPath.outcome);
  putOutcome(out, path.outcome);
  if (origin !== undefined) putOrigin(out, origin);
  putMore?.(out);
  put(out, DONE);
}

const lines = createJsonBytes();
const LINE_END = piece('\n');

/** Records as the JSON output has them, a line each; of a path that was read from records of several hosts it says whose it is. */
export function pathLines(paths: readonly PacketPath[]): Buffer {
  begin(lines);
  for (const path of paths) {
    putPath(lines, path, path.origin);
    put(lines, LINE_END);
  }
  return end(lines);
}

/** One as an object. */
export function pathRecord(path: PacketPath): Fields {
  begin(lines);
  putPath(lines, path, undefined);
  const bytes = end(lines);
  const record = JSON.parse(bytes.toString()) as Fields;
  giveBack(bytes);
  return record;
}

/** What the run counted: the last line. */
export const summaryRecord = (statistics: Statistics): Fields => ({
  schema: summarySchema,
  events: statistics.events,
  lives: statistics.lives,
  paths: statistics.paths,
  drops: Object.fromEntries(statistics.drops),
  losses: Object.fromEntries(statistics.losses),
  ...(statistics.leftOut === undefined ? {} : { left_out: statistics.leftOut }),
});

/** A record as one line. */
export const jsonLine = (record: Fields): string => `${textOf(record)}\n`;
