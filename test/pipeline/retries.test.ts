import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { settle } from './fake-clock.ts';
import { losses, startPipeline } from './pipeline-bench.ts';
import { busy, createStubExporter, somePaths, someStatistics, success } from './stub-exporter.ts';

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
