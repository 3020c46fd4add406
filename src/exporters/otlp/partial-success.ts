import { readFields } from './protobuf-fields.ts';

/*
 * What a server says beside OK, alike for all signals:
 *
 *   Export...ServiceResponse  1 Export...PartialSuccess partial_success
 *   Export...PartialSuccess   1 int64 rejected_spans (or data points), 2 string error_message
 */

/** Spans that the server did not take though it said OK; a count of 0 with a message is only a warning. */
export function readRejected(response: Uint8Array): number {
  let rejected = 0;
  for (const { number, value } of readFields(response)) {
    if (number !== 1 || !(value instanceof Uint8Array)) continue;
    for (const field of readFields(value))
      if (field.number === 1 && typeof field.value === 'number') rejected = field.value;
  }
  return rejected;
}
