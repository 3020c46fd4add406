/**
 * The collector's thread: reads the ring buffer, feeds the tracker, posts batches. Never waits for anyone.
 *
 * The kernel does not wake us (a wake-up per record would cost more than the record), so the ring is polled: as long as
 * something comes, again as soon as messages have been looked at; else after a pause that doubles up to 10 ms.
 *
 * A sweep of the tracker may only hand out what no unread record belongs to. If the ring was found empty, all records from
 * before that look have been read; if not, all from before the last one's time have.
 */

import { parentPort, workerData, type MessagePort } from 'node:worker_threads';
import { mapRing } from '../ffi/ring-mapping.ts';
import { createBatchWriter } from './batch.ts';
import { createEpochClock } from './epoch-clock.ts';
import { createRingReader } from './ring.ts';
import { createTracker } from './tracker.ts';
import type { FromWorker, ToWorker, WorkerSettings } from './worker-protocol.ts';

/** Some milliseconds of work: how long a message waits at most. */
const SLICE_RECORDS = 8192;
const BATCH_BYTES = 1024 * 1024;
const FLUSH_MS = 100;
const PAUSE_MIN_MS = 1;
const PAUSE_MAX_MS = 10;
/**
 * Who stood still for longer (a VM that was stopped, a CPU that was taken away) has not heard of anybody meanwhile, and of records that
 * were being written then hears later: nobody is idle for that. So such a time does not count.
 */
const AWAY_MS = 500;
const CLOCK_REFRESH_MS = 1000;
/** Bytes posted and not yet dealt with, beyond which whole paths are dropped. */
const POSTED_MAX_BYTES = 64 * 1024 * 1024;

const monotonicMs = (): number => Number(process.hrtime.bigint() / 1000n) / 1000;

function run(port: MessagePort, { ringFd, ringBytes, limits }: WorkerSettings): void {
  const post = (message: FromWorker, transfer: ArrayBuffer[] = []): void => {
    port.postMessage(message, transfer);
  };
  const mapping = mapRing(ringFd, ringBytes);
  const ring = createRingReader(mapping);
  const clock = createEpochClock();
  let postedBytes = 0;
  const batch = createBatchWriter({
    targetBytes: BATCH_BYTES,
    epochOffsetNs: () => clock.offsetNs(),
    onBatch(buffer) {
      postedBytes += buffer.byteLength;
      post({ type: 'batch', batch: buffer }, [buffer]);
    },
  });
  let phase: 'tracing' | 'draining' | 'finishing' = 'tracing';
  const hasRoom = (): boolean => postedBytes < POSTED_MAX_BYTES;
  // What is in flight at the end is bounded by the tracker's memory: it is all handed out.
  const accepting = (): boolean => phase === 'finishing' || hasRoom();
  const tracker = createTracker({ limits, batch, accepting });
  const onRecord = tracker.add.bind(tracker);

  let pauseMs = PAUSE_MIN_MS;
  let flushedMs = monotonicMs();
  let refreshedMs = flushedMs;
  let readMs = flushedMs;
  let awayMs = 0;
  /** Reads a slice; whether something came. */
  function read(): boolean {
    const beganMs = monotonicMs();
    if (beganMs - readMs > AWAY_MS) awayMs += beganMs - readMs;
    readMs = beganMs;
    const nowMs = beganMs - awayMs;
    tracker.reading(nowMs);
    const count = ring.drain(onRecord, SLICE_RECORDS);
    const lastMs = tracker.lastRecordMs() - awayMs;
    tracker.sweep(count < SLICE_RECORDS ? nowMs : Math.min(nowMs, lastMs));
    return count > 0;
  }

  function poll(): void {
    // Once the kernel records no more, nothing gets lost by waiting for the main thread.
    if (phase === 'draining' && !hasRoom()) {
      setTimeout(poll, PAUSE_MIN_MS);
      return;
    }
    const came = read();
    if (phase === 'draining' && !came) {
      finish();
      return;
    }
    const nowMs = monotonicMs();
    if (nowMs - flushedMs >= FLUSH_MS) {
      batch.flush();
      flushedMs = nowMs;
    }
    if (nowMs - refreshedMs >= CLOCK_REFRESH_MS) {
      clock.refresh();
      refreshedMs = nowMs;
    }
    pauseMs = came ? PAUSE_MIN_MS : Math.min(pauseMs * 2, PAUSE_MAX_MS);
    if (came) setImmediate(poll);
    else setTimeout(poll, pauseMs);
  }

  function finish(): void {
    phase = 'finishing';
    tracker.finishAll();
    batch.flush();
    mapping.close();
    post({ type: 'stopped', statistics: tracker.statistics() });
    port.close();
  }

  port.on('message', (message: ToWorker) => {
    if (message.type === 'taken') postedBytes -= message.bytes;
    else if (message.type === 'stop') phase = 'draining';
    else
      post({
        type: 'statistics',
        request: message.request,
        statistics: tracker.statistics(),
      });
  });
  poll();
}

if (parentPort !== null) run(parentPort, workerData as WorkerSettings);
