import assert from 'node:assert/strict';
import { describe, test } from 'node:test';

import type { Exporter, ExportResult } from '../../src/event/exporter.ts';
import {
  createPipeline,
  type Pipeline,
  type PipelineOptions,
} from '../../src/pipeline/pipeline.ts';
import { createFakeClock, type FakeClock, settle } from './fake-clock.ts';
import { busy, createStubExporter, somePaths, someStatistics, success } from './stub-exporter.ts';

interface Bench {
  readonly clock: FakeClock;
  readonly notices: string[];
  readonly pipeline: Pipeline;
}

async function startPipeline(
  exporters: readonly Exporter[],
  options: Partial<PipelineOptions> = {},
): Promise<Bench> {
  const clock = createFakeClock();
  const notices: string[] = [];
  const pipeline = createPipeline({
    exporters,
    deadlineMs: 10_000,
    onNotice: (message) => notices.push(message),
    batchPaths: 4,
    batchDelayMs: 100,
    clock,
    random: () => 0,
    ...options,
  });
  await pipeline.start();
  return { clock, notices, pipeline };
}

const never = new Promise<never>(() => undefined);
const losses = (pipeline: Pipeline): Record<string, number> =>
  Object.fromEntries(pipeline.losses());

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

describe('retries', () => {
  test('back off, doubling up to the most, until it works', async () => {
    const stub = createStubExporter({ answer: (call) => (call < 5 ? busy() : success) });
    const times: number[] = [];
    const { clock, notices, pipeline } = await startPipeline(
      [{ ...stub, export: (paths) => (times.push(clock.now()), stub.export(paths)) }],
      { backoff: { initialMs: 100, maxMs: 300 } },
    );
    void pipeline.push(somePaths(4));
    await clock.advance(5_000);
    assert.deepEqual(
      times.map((time) => time - (times[0] ?? 0)),
      [0, 100, 300, 600, 900],
    );
    assert.deepEqual(losses(pipeline), {});
    assert.deepEqual(notices, ['stub: busy; trying again', 'stub: works again; 0 were lost']);
  });

  test('jitter shortens a wait by up to a half', async () => {
    const stub = createStubExporter({ answer: (call) => (call < 2 ? busy() : success) });
    const { clock, pipeline } = await startPipeline([stub], {
      backoff: { initialMs: 100, maxMs: 100 },
      random: () => 0.5,
    });
    void pipeline.push(somePaths(4));
    await clock.advance(74);
    assert.equal(stub.batches.length, 1);
    await clock.advance(1);
    assert.equal(stub.batches.length, 2);
  });

  test('keep the wait that the backend asks for', async () => {
    const stub = createStubExporter({ answer: (call) => (call === 1 ? busy(7_000) : success) });
    const { clock, pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(4));
    await clock.advance(6_999);
    assert.equal(stub.batches.length, 1);
    await clock.advance(1);
    assert.equal(stub.batches.length, 2);
  });

  test('never begin after the deadline, and do not wait for what would', async () => {
    const stub = createStubExporter({ answer: () => busy(4_000) });
    const { clock, pipeline } = await startPipeline([stub], { deadlineMs: 10_000 });
    void pipeline.push(somePaths(4));
    await clock.advance(8_000);
    assert.equal(stub.batches.length, 3);
    assert.deepEqual(losses(pipeline), { export_failed: 4 });
    await clock.advance(60_000);
    assert.equal(stub.batches.length, 3);
  });

  test('shutdown brings the deadline forward', async () => {
    const stub = createStubExporter({ answer: () => busy(2_000) });
    const { clock, pipeline } = await startPipeline([stub], { deadlineMs: 60_000 });
    void pipeline.push(somePaths(4));
    await clock.advance(100);
    const stopped = pipeline.shutdown(1_000, someStatistics);
    await settle();
    assert.equal((await stopped).losses.get('export_failed'), 4);
    assert.equal(stub.batches.length, 1);
  });

  test('shutdown keeps a wait that ends in time', async () => {
    const stub = createStubExporter({ answer: (call) => (call === 1 ? busy(500) : success) });
    const { clock, pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(4));
    await clock.advance(100);
    const stopped = pipeline.shutdown(1_000, someStatistics);
    await clock.advance(399);
    assert.equal(stub.batches.length, 1);
    await clock.advance(1);
    assert.equal(stub.batches.length, 2);
    assert.equal((await stopped).losses.get('export_failed'), undefined);
  });
});

describe('failures', () => {
  test('are counted by cause and told in runs', async () => {
    const answers = [
      { status: 'failure', error: new Error('no'), lost: 3, cause: 'export_failed' },
      { status: 'failure', error: new Error('no'), lost: 2, cause: 'export_refused' },
      success,
      { status: 'success', lost: 1, cause: 'export_refused' },
      success,
    ] as const;
    const stub = createStubExporter({ answer: (call) => answers[call - 1] ?? success });
    const { clock, notices, pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(20));
    await clock.advance(1_000);
    assert.deepEqual(losses(pipeline), { export_failed: 3, export_refused: 3 });
    assert.deepEqual(notices, [
      'stub: export failed: no',
      'stub: works again; 5 were lost',
      'stub: the backend refuses a part of what it gets',
      'stub: works again; 1 were lost',
    ]);
  });

  test('an exporter that throws loses its batch only', async () => {
    const stub = createStubExporter({
      answer: (call) => {
        if (call === 1) throw new Error('a bug');
        return success;
      },
    });
    const { clock, pipeline } = await startPipeline([stub]);
    void pipeline.push(somePaths(8));
    await clock.advance(1_000);
    assert.deepEqual(losses(pipeline), { export_failed: 4 });
    assert.equal(stub.batches.length, 2);
  });
});

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
