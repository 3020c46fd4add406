import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import type { ExportResult } from '../../src/event/exporter.ts';
import { createPipeline } from '../../src/pipeline/pipeline.ts';
import { createFakeClock, settle } from './fake-clock.ts';
import { losses, never, startPipeline } from './pipeline-bench.ts';
import { createStubExporter, somePaths, someStatistics, success } from './stub-exporter.ts';

describe('start', () => {
  test('a failing exporter ends those started before it, not itself', async () => {
    const first = createStubExporter();
    const bad = createStubExporter({ start: () => Promise.reject(new Error('no file')) });
    const last = createStubExporter();
    await assert.rejects(startPipeline([first, bad, last]), /no file/);
    assert.deepEqual(first.calls, ['start', 'shutdown']);
    assert.deepEqual(bad.calls, ['start']);
    assert.deepEqual(last.calls, []);
  });
});

describe('shutdown', () => {
  test('delivers what is queued without waiting for full batches, then tells the exporters all losses', async () => {
    const stub = createStubExporter({
      answer: (call) => (call === 1 ? { status: 'success', lost: 2 } : success),
    });
    const { pipeline } = await startPipeline([stub], { queuePaths: 6 });
    void pipeline.push(somePaths(7));
    const final = await pipeline.shutdown(1_000, someStatistics);
    assert.deepEqual(stub.batches, [
      [1, 2, 3, 4],
      [5, 6],
    ]);
    const want = { ring_full: 3, export_queue: 1, export_refused: 2 };
    assert.deepEqual(Object.fromEntries(final.losses), want);
    assert.equal(final.events, 100);
    assert.deepEqual(stub.shutdowns, [{ deadlineMs: 1_000, statistics: final }]);
  });

  test('twice is once, and what comes after it is counted', async () => {
    const stub = createStubExporter();
    const { pipeline } = await startPipeline([stub]);
    const first = pipeline.shutdown(1_000, someStatistics);
    assert.equal(await pipeline.shutdown(1_000, someStatistics), await first);
    assert.deepEqual(stub.calls, ['start', 'shutdown']);
    void pipeline.push(somePaths(2));
    assert.deepEqual(losses(pipeline), { export_queue: 2 });
  });

  test('before start loses what was pushed, counted', async () => {
    const stub = createStubExporter();
    const clock = createFakeClock();
    const pipeline = createPipeline({
      exporters: [stub],
      deadlineMs: 1_000,
      onNotice: () => undefined,
      clock,
    });
    void pipeline.push(somePaths(3));
    const final = await pipeline.shutdown(1_000, someStatistics);
    assert.equal(final.losses.get('export_failed'), 3);
  });

  test('an exporter that hangs costs the deadline, its paths are counted once, the others end well', async () => {
    const stuck = createStubExporter({
      name: 'stuck',
      answer: () => never,
      shutdown: () => never,
    });
    const quick = createStubExporter({ name: 'quick' });
    const { clock, notices, pipeline } = await startPipeline([stuck, quick]);
    void pipeline.push(somePaths(6));
    await settle();
    const began = clock.now();
    const stopped = pipeline.shutdown(2_000, someStatistics);
    let ended = 0;
    void stopped.then(() => (ended = clock.now()));
    await clock.advance(5_000);
    assert.equal(ended - began, 2_000);
    assert.equal((await stopped).losses.get('export_failed'), 6);
    assert.deepEqual(quick.batches.flat(), [1, 2, 3, 4, 5, 6]);
    assert.deepEqual(notices, ['stuck: 6 could not be delivered', 'stuck: did not stop in time']);
  });

  test('a result that comes after the deadline is not counted again', async () => {
    let answer: ((result: ExportResult) => void) | undefined;
    const stub = createStubExporter({ answer: () => new Promise((resolve) => (answer = resolve)) });
    const { clock, notices, pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(4));
    await settle();
    const stopped = pipeline.shutdown(1_000, someStatistics);
    await clock.advance(2_000);
    await stopped;
    answer?.({ status: 'failure', error: new Error('late'), lost: 4, cause: 'export_failed' });
    await clock.advance(100);
    assert.deepEqual(losses(pipeline), { export_failed: 4 });
    assert.deepEqual(notices, ['stub: 4 could not be delivered']);
  });

  test('an exporter that cannot end its output is told, not thrown', async () => {
    const stub = createStubExporter({ shutdown: () => Promise.reject(new Error('disk full')) });
    const { notices, pipeline } = await startPipeline([stub]);
    await pipeline.shutdown(1_000, someStatistics);
    assert.deepEqual(notices, ['stub: disk full']);
  });
});
