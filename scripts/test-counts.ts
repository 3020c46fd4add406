import type { TestEvent } from 'node:test/reporters';

/** Reporter of node:test that writes one line at the end of a run: `<passed> <failed> <skipped>`. */
export default async function* testCounts(
  events: AsyncIterable<TestEvent>,
): AsyncGenerator<string> {
  for await (const event of events) {
    // Each test file has a summary of its own; the one without a file is that of the whole run.
    if (event.type !== 'test:summary' || event.data.file !== undefined) continue;
    const { tests, passed, skipped, todo } = event.data.counts;
    yield `${passed} ${tests - passed - skipped - todo} ${skipped + todo}\n`;
  }
}
