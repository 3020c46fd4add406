import type { TestEvent } from 'node:test/reporters';
import { basename } from 'node:path';

/** So much of a failure's message as says what it is; the whole stands in the run's output. */
const MESSAGE_LINES = 12;

/** `  <file> <test>: <message>`, the message's further lines indented. */
function failureText(data: Extract<TestEvent, { type: 'test:fail' }>['data']): string {
  const { error } = data.details;
  const { cause } = error;
  const message = cause instanceof Error ? cause.message : error.message;
  const lines = message.split('\n').filter((line) => line.trim() !== '');
  const text = lines.slice(0, MESSAGE_LINES).join('\n      ');
  return `  ${basename(data.file ?? '')} ${data.name}: ${text}\n`;
}

/**
 * Reporter of node:test that writes at the end of a run the line `<passed> <failed> <skipped>`, and then what failed and why: at
 * night one wants to read it below the table, not somewhere in thousands of lines.
 */
export default async function* testCounts(
  events: AsyncIterable<TestEvent>,
): AsyncGenerator<string> {
  const failures: string[] = [];
  for await (const event of events) {
    if (event.type === 'test:fail') {
      // A suite fails because a test of it did, which has its own event.
      const { failureType } = event.data.details.error as { failureType?: string };
      if (failureType !== 'subtestsFailed') failures.push(failureText(event.data));
    }
    // Each test file has a summary of its own; the one without a file is that of the whole run.
    if (event.type !== 'test:summary' || event.data.file !== undefined) continue;
    const { tests, passed, skipped, todo } = event.data.counts;
    yield `${passed} ${tests - passed - skipped - todo} ${skipped + todo}\n`;
    yield* failures;
  }
}
