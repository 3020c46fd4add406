import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { createFakeClock, settle } from './fake-clock.ts';
import { losses, never, startPipeline } from './pipeline-bench.ts';
import { createStubExporter, somePaths, someStatistics, success } from './stub-exporter.ts';

describe('batches', () => {
  test('a full batch goes at once, a part of one after the delay, all in order', async () => {
    const stub = createStubExporter();
    const { clock, pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(6));
    await settle();
    assert.deepEqual(stub.batches, [[1, 2, 3, 4]]);
    await clock.advance(60);
    void pipeline.push(somePaths(1, 7));
    await clock.advance(39);
    assert.equal(stub.batches.length, 1);
    await clock.advance(1);
    assert.deepEqual(stub.batches, [
      [1, 2, 3, 4],
      [5, 6, 7],
    ]);
  });

  test('one batch is in flight at a time', async () => {
    let inFlight = 0;
    let most = 0;
    const stub = createStubExporter({
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
    assert.equal(stub.batches.length, 10);
    assert.equal(most, 1);
  });
});

describe('full queues', () => {
  test('drops whole paths, counts exactly, and tells once at the start and once at the end', async () => {
    let release: (() => void) | undefined;
    const stub = createStubExporter({
      answer: () =>
        new Promise(
          (resolve) =>
            (release = () => {
              resolve(success);
            }),
        ),
    });
    const { clock, notices, pipeline } = await startPipeline([stub], { queuePaths: 10 });
    void pipeline.push(somePaths(4));
    await settle();
    // Four in flight, ten queued, the rest dropped.
    void pipeline.push(somePaths(13, 5));
    void pipeline.push(somePaths(2, 18));
    assert.deepEqual(losses(pipeline), { export_queue: 5 });
    assert.deepEqual(notices, ['stub: its queue is full, dropping paths']);
    for (let batch = 0; batch < 4; batch++) {
      release?.();
      await clock.advance(200);
    }
    assert.deepEqual(stub.batches.flat(), [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]);
    assert.deepEqual(notices.slice(1), ['stub: 5 paths were dropped while its queue was full']);
  });

  test('a queue that stays near its limit is one run, however often a place comes free', async () => {
    const stub = createStubExporter({
      answer: async (call) => {
        if (call > 5) return never;
        await settle();
        return success;
      },
    });
    const { notices, pipeline } = await startPipeline([stub], { queuePaths: 10 });
    for (let round = 0; round < 20; round++) {
      void pipeline.push(somePaths(10));
      await settle();
    }
    assert.ok(stub.batches.length > 3);
    assert.deepEqual(notices, ['stub: its queue is full, dropping paths']);
  });

  test('long paths fill the queue by their calls', async () => {
    const stub = createStubExporter({ answer: () => never });
    const { pipeline } = await startPipeline([stub], { queueCalls: 20 });
    void pipeline.push(somePaths(4));
    await settle();
    void pipeline.push(somePaths(6));
    assert.deepEqual(losses(pipeline), { export_queue: 2 });
  });

  test('a path longer than the whole bound still goes through an empty queue', async () => {
    const stub = createStubExporter();
    const { clock, pipeline } = await startPipeline([stub], { queueCalls: 3 });
    void pipeline.push(somePaths(1));
    await clock.advance(100);
    assert.deepEqual(stub.batches, [[1]]);
    assert.deepEqual(losses(pipeline), {});
  });

  test('an exporter that hangs delays no other and loses nothing of theirs', async () => {
    const stuck = createStubExporter({ name: 'stuck', answer: () => never });
    const quick = createStubExporter({ name: 'quick' });
    const { pipeline } = await startPipeline([stuck, quick], { queuePaths: 16 });
    for (let round = 0; round < 50; round++) {
      assert.equal(pipeline.push(somePaths(4, 1 + round * 4)), undefined);
      await settle();
    }
    assert.deepEqual(
      quick.batches.flat(),
      somePaths(200).map((path) => path.id),
    );
    assert.deepEqual(losses(pipeline), { export_queue: 200 - 4 - 16 });
  });
});

describe('back-pressure', () => {
  test('a single exporter sets the pace: who waits loses nothing', async () => {
    const clock = createFakeClock();
    const stub = createStubExporter({
      answer: async () => {
        await clock.sleep(50);
        return success;
      },
    });
    const { pipeline } = await startPipeline([stub], { queuePaths: 8, clock });
    let pushed = 0;
    const source = (async () => {
      for (; pushed < 100; pushed += 4) await pipeline.push(somePaths(4, 1 + pushed));
    })();
    await clock.advance(10);
    assert.ok(pushed <= 12, `${pushed} pushed before anything was delivered`);
    await clock.advance(5_000);
    await source;
    assert.equal(stub.batches.flat().length, 100);
    assert.deepEqual(losses(pipeline), {});
  });

  test('gives up on an exporter that does not move, and waits again once it has delivered', async () => {
    let release: (() => void) | undefined;
    const stub = createStubExporter({
      answer: () =>
        new Promise(
          (resolve) =>
            (release = () => {
              resolve(success);
            }),
        ),
    });
    const { clock, pipeline } = await startPipeline([stub], { queuePaths: 8, patienceMs: 30 });
    void pipeline.push(somePaths(4));
    await settle();
    let waited = false;
    void Promise.resolve(pipeline.push(somePaths(8))).then(() => (waited = true));
    await clock.advance(29);
    assert.equal(waited, false);
    await clock.advance(1);
    assert.equal(waited, true);
    assert.equal(pipeline.push(somePaths(1)), undefined);
    release?.();
    await settle();
    assert.ok(pipeline.push(somePaths(4)) instanceof Promise);
  });
});

describe('flush', () => {
  test('is over when every exporter has dealt with all that was pushed, full batch or not', async () => {
    const release: (() => void)[] = [];
    const slow = createStubExporter({
      answer: () =>
        new Promise((resolve) =>
          release.push(() => {
            resolve(success);
          }),
        ),
    });
    const quick = createStubExporter();
    const { pipeline } = await startPipeline([quick, slow], { queuePaths: 100 });
    void pipeline.push(somePaths(6));
    let over = false;
    void pipeline.flush().then(() => (over = true));
    await settle();
    assert.deepEqual(quick.batches, [
      [1, 2, 3, 4],
      [5, 6],
    ]);
    release.shift()?.();
    await settle();
    assert.equal(over, false);
    release.shift()?.();
    await settle();
    assert.equal(over, true);
    assert.deepEqual(slow.batches, quick.batches);
    await pipeline.flush();
  });

  test('waits for what an exporter has answered for but not written; a full batch is waited for again afterwards', async () => {
    let settleAll: (() => void) | undefined;
    const settled = new Promise<void>((resolve) => (settleAll = resolve));
    const stub = { ...createStubExporter(), settled: () => settled };
    const { pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(1));
    let over = false;
    void pipeline.flush().then(() => (over = true));
    await settle();
    assert.equal(over, false);
    settleAll?.();
    await settle();
    assert.equal(over, true);
    void pipeline.push(somePaths(1));
    await settle();
    assert.equal(stub.batches.length, 1);
  });

  test('ends with the run', async () => {
    const stub = createStubExporter({ answer: () => never });
    const { clock, pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(1));
    const flushed = pipeline.flush();
    void pipeline.shutdown(1_000, someStatistics);
    await clock.advance(1_000);
    await flushed;
    assert.deepEqual(losses(pipeline), { export_failed: 1 });
  });
});
