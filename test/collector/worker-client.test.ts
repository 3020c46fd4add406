import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { startCollectorWorker } from '../../src/collector/worker-client.ts';
import { SkbspanError } from '../../src/errors.ts';
import { createRawMap } from '../../src/ffi/bpf-syscall.ts';
import { closeFd } from '../../src/ffi/libc.ts';

const RING_BYTES = 64 * 1024;

/** The fd of a real ring buffer that nobody writes to; undefined after skipping, where BPF maps can't be made. */
function createRing(t: TestContext): number | undefined {
  if (process.getuid?.() !== 0) {
    t.skip('needs root: makes a BPF map');
    return undefined;
  }
  const fd = createRawMap('ringbuf', 0, 0, RING_BYTES);
  t.after(() => {
    closeFd(fd);
  });
  return fd;
}

test('starts on a real ring, tells statistics, stops, and tells them still', async (t) => {
  const ringFd = createRing(t);
  if (ringFd === undefined) return;
  const errors: Error[] = [];
  const worker = startCollectorWorker({
    ringFd,
    ringBytes: RING_BYTES,
    onBatch: () => assert.fail('there is nothing to hand out'),
    onError: (error) => errors.push(error),
  });
  const before = await worker.statistics();
  const [first, second] = await Promise.all([worker.stop(), worker.stop()]);
  assert.deepEqual([before.events, before.paths, before.pathsInFlight], [0, 0, 0]);
  assert.equal(first, second);
  assert.deepEqual(
    [...first.losses],
    [
      ['undecodable', 0],
      ['orphan_exits', 0],
      ['tracker_memory', 0],
      ['paths_dropped', 0],
    ],
  );
  assert.deepEqual(await worker.statistics(), first);
  assert.deepEqual(errors, []);
});

test('a worker that dies says so once, and nobody waits for it for ever', async () => {
  const errors: Error[] = [];
  const worker = startCollectorWorker({
    ringFd: -1,
    ringBytes: RING_BYTES,
    onBatch: () => undefined,
    onError: (error) => errors.push(error),
  });
  await assert.rejects(worker.statistics(), { code: 'SKBSPAN_INTERNAL' });
  const [error] = errors;
  assert.ok(error instanceof SkbspanError);
  assert.match(error.message, /collector's thread ended: .*EBADF/);
  assert.ok(error.advice !== undefined);
  await assert.rejects(worker.stop(), { code: 'SKBSPAN_INTERNAL' });
  assert.equal(errors.length, 1);
});
