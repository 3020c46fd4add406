import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExportResult } from '../../src/event/exporter.ts';
import { settle } from './fake-clock.ts';
import { losses, never, startPipeline } from './pipeline-bench.ts';
import {
  busy,
  createStubExporter,
  somePaths,
  someStatistics,
  success,
  type StubExporter,
  type StubOptions,
} from './stub-exporter.ts';

const two = (options: StubOptions): StubExporter => ({
  ...createStubExporter(options),
  concurrency: 2,
});

/** One that answers when the test says so, by the first path of the batch. */
function createAsked(): {
  readonly stub: StubExporter;
  readonly answer: (first: number, result: ExportResult) => Promise<void>;
} {
  const waiting = new Map<number, (result: ExportResult) => void>();
  const stub = two({
    answer: (_, [path]) => new Promise((resolve) => waiting.set(path?.id ?? 0, resolve)),
  });
  const answer = async (first: number, result: ExportResult): Promise<void> => {
    waiting.get(first)?.(result);
    await settle();
  };
  return { stub, answer };
}

describe('an exporter that may have two batches at once', () => {
  test('gets the next one before it has answered, but not a third', async () => {
    let inFlight = 0;
    let most = 0;
    const stub = two({
      answer: async () => {
        most = Math.max(most, ++inFlight);
        await settle();
        inFlight--;
        return success;
      },
    });
    const { pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(40));
    await pipeline.shutdown(1_000, someStatistics);
    assert.equal(most, 2);
    const want = somePaths(40).map(({ id }) => id);
    assert.deepEqual(stub.batches.flat(), want);
    assert.deepEqual(losses(pipeline), {});
  });

  test('a batch that is tried again holds up no other, and is lost alone', async () => {
    const stub = two({ answer: (_, [path]) => (path?.id === 1 ? busy(3_000) : success) });
    const { clock, notices, pipeline } = await startPipeline([stub], { deadlineMs: 10_000 });
    void pipeline.push(somePaths(20));
    await settle();
    assert.deepEqual(
      stub.batches.map(([first]) => first),
      [1, 5, 9, 13, 17],
    );
    await clock.advance(20_000);
    assert.deepEqual(losses(pipeline), { export_failed: 4 });
    assert.equal(stub.batches.filter(([first]) => first === 1).length, 4);
    void pipeline.push(somePaths(4, 21));
    await clock.advance(100);
    // That others arrive while one is tried again does not end the trouble.
    assert.deepEqual(notices, ['stub: busy; trying again', 'stub: works again; 4 were lost']);
  });

  test('a flush waits for both', async () => {
    const { stub, answer } = createAsked();
    const { pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(6));
    let over = false;
    void pipeline.flush().then(() => (over = true));
    await settle();
    assert.deepEqual(stub.batches, [
      [1, 2, 3, 4],
      [5, 6],
    ]);
    await answer(5, success);
    assert.equal(over, false);
    await answer(1, success);
    assert.equal(over, true);
  });

  test('a shutdown counts both, once, whatever they answer later', async () => {
    const { stub, answer } = createAsked();
    const { clock, pipeline } = await startPipeline([stub], { queuePaths: 20 });
    void pipeline.push(somePaths(12));
    await settle();
    await answer(1, { status: 'success', lost: 1, cause: 'export_refused' });
    assert.equal(stub.batches.length, 3);
    const stopped = pipeline.shutdown(1_000, someStatistics);
    await clock.advance(1_000);
    await stopped;
    assert.deepEqual(losses(pipeline), { export_refused: 1, export_failed: 8 });
    await answer(5, {
      status: 'failure',
      error: new Error('late'),
      lost: 4,
      cause: 'export_failed',
    });
    await answer(9, success);
    assert.deepEqual(losses(pipeline), { export_refused: 1, export_failed: 8 });
  });

  test('both that hang and a full queue: all is counted', async () => {
    const stub = two({ answer: () => never });
    const { clock, pipeline } = await startPipeline([stub], { queuePaths: 10, patienceMs: 10 });
    void pipeline.push(somePaths(8));
    await settle();
    void pipeline.push(somePaths(15, 9));
    assert.deepEqual(losses(pipeline), { export_queue: 5 });
    const stopped = pipeline.shutdown(1_000, someStatistics);
    await clock.advance(1_000);
    await stopped;
    assert.deepEqual(losses(pipeline), { export_queue: 5, export_failed: 18 });
  });
});
