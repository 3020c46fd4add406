/**
 * From paths to acknowledged batches.
 *
 * Paths become records, records batches of one partition each, and while those are under way the next ones are made. A batch
 * has one of three ends: written; refused by the brokers for good (a right that is missing, a record that is too large); or
 * given up, because its deadline or that of the run is over. What is given up may have been written all the same, when only
 * the answer is missing: it is counted as lost, so that the count is never too small.
 *
 * With a spill the end is another one: when a batch has waited for `afterMs`, its paths are taken over. The client goes on
 * trying, everything after it goes to the spill at once, and what is given up in the end as well. When the brokers are back the
 * spill is sent, beside what is new.
 */
import { SkbspanError } from '../../errors.ts';
import type { ExportResult } from '../../event/exporter.ts';
import type { PacketPath } from '../../event/packet-path.ts';
import type { LossCause } from '../../event/statistics.ts';
import { createBatches, type Batch, type OwnedRecord, type Owner } from './batches.ts';
import type { KafkaRecord } from './client.ts';
import type { Encoder } from './encoder.ts';
import { isRefusal } from './faults.ts';
import type { Link } from './link.ts';
import { createSpillLane } from './spill-lane.ts';
import type { Spill } from './spill.ts';

export interface Delivery {
  /** Never rejects. */
  deliver(paths: readonly PacketPath[]): Promise<ExportResult>;
  /** Whatever is under way then is given up after `ms`; nothing new is sent from then on. */
  closeWithin(ms: number): void;
  /** Gives up after `ms` what is still under way, and ends the connections. */
  close(ms: number): Promise<void>;
  /** Lost beyond what the results of `deliver` said. */
  losses(): ReadonlyMap<LossCause, number>;
}

export interface DeliveryOptions {
  readonly encoder: Encoder;
  readonly link: Link;
  readonly spill: { readonly folder: Spill; readonly afterMs: number } | undefined;
  /** A batch is given up after so long. */
  readonly deliveryMs: number;
  readonly maxBatchBytes: number;
  readonly onNotice: (message: string) => void;
}

/** So much is made into records before it is sent, whether or not a batch is full. */
const GROUP_BYTES = 512 * 1024;

export function createDelivery(options: DeliveryOptions): Delivery {
  const { encoder, link, deliveryMs, onNotice } = options;
  const losses = new Map<LossCause, number>();
  const closing = new AbortController();
  let closeTimer: NodeJS.Timeout | undefined;
  const lane =
    options.spill === undefined
      ? undefined
      : createSpillLane({
          link,
          spill: options.spill.folder,
          afterMs: options.spill.afterMs,
          deliveryMs,
          maxBatchBytes: options.maxBatchBytes,
          onFull: (records) => {
            lose('spill_full', countLost(records));
          },
          onRefused: (records) => {
            lose('export_refused', countLost(records));
          },
          onNotice,
        });
  const way = lane ?? link;

  function giveUp(): void {
    closing.abort();
    void link.reset();
  }

  const lose = (cause: LossCause, count: number): void => {
    if (count > 0) losses.set(cause, (losses.get(cause) ?? 0) + count);
  };

  function encodeAll(path: PacketPath): readonly OwnedRecord[] {
    const records = encoder.encode(path);
    if (records === undefined) {
      if (!losses.has('record_too_large'))
        onNotice('a path is larger than a record may be (--kafka-max-bytes) and is not sent');
      lose('record_too_large', 1);
      return [];
    }
    const owner = { lost: false };
    return records.map((record) => ({ ...record, owner }));
  }

  async function send(batch: Batch, outcome: Outcome): Promise<void> {
    const late = setTimeout(() => void link.reset(), deliveryMs);
    try {
      outcome.refused.push(...(await way.send(batch.partition, batch.records)));
    } catch (error) {
      outcome.error = error as SkbspanError;
      outcome.unsent.push(...batch.records);
    } finally {
      clearTimeout(late);
    }
  }

  async function sendAll(paths: readonly PacketPath[], partitions: number): Promise<Outcome> {
    const outcome: Outcome = { refused: [], unsent: [], error: undefined };
    const batches = createBatches(partitions, options.maxBatchBytes);
    let under: Promise<void>[] = [];
    const post = (batch: Batch): void => {
      under.push(send(batch, outcome));
    };
    for (const path of paths) {
      if (outcome.error !== undefined || closing.signal.aborted || lane?.troubled === true) {
        outcome.unsent.push(...encodeAll(path));
        continue;
      }
      for (const record of encodeAll(path)) {
        const full = batches.add(record);
        if (full !== undefined) post(full);
      }
      if (batches.bytes < GROUP_BYTES) continue;
      // Two groups at most: one under way, one in the making.
      const before = under;
      under = [];
      for (const batch of batches.take()) post(batch);
      await Promise.all(before);
    }
    for (const batch of batches.take()) post(batch);
    await Promise.all(under);
    return outcome;
  }

  async function deliver(paths: readonly PacketPath[]): Promise<ExportResult> {
    if (lane?.troubled === true) {
      lane.keep(paths.flatMap(encodeAll));
      return { status: 'success', lost: 0 };
    }
    let partitions: number;
    try {
      partitions = await link.ready();
    } catch (error) {
      if (lane === undefined)
        return { status: 'retryable', error: error as SkbspanError, retryAfterMs: undefined };
      lane.keep(paths.flatMap(encodeAll));
      lane.recover();
      return { status: 'success', lost: 0 };
    }
    const { refused, unsent, error } = await sendAll(paths, partitions);
    lose('export_refused', countLost(refused));
    const isFinal = error !== undefined && isRefusal(error);
    if (lane !== undefined && !isFinal) {
      lane.keep(unsent);
      return { status: 'success', lost: 0 };
    }
    if (error === undefined && unsent.length === 0) return { status: 'success', lost: 0 };
    return {
      status: 'failure',
      error: error ?? new SkbspanError('SKBSPAN_EXPORT', 'the run is over'),
      lost: countLost(unsent),
      cause: isFinal ? 'export_refused' : 'export_failed',
    };
  }

  lane?.recover();
  return {
    deliver,
    losses: () => losses,
    closeWithin(ms) {
      closeTimer ??= setTimeout(giveUp, ms);
    },
    async close(ms) {
      closeTimer ??= setTimeout(giveUp, ms);
      await lane?.close();
      clearTimeout(closeTimer);
      giveUp();
      await link.reset();
    },
  };
}

interface Outcome {
  /** Too large for the brokers. */
  readonly refused: OwnedRecord[];
  readonly unsent: OwnedRecord[];
  error: SkbspanError | undefined;
}

/** Counts the paths of records that are lost, each path once; a record from the spill stands for itself. */
function countLost(records: readonly (KafkaRecord & { readonly owner?: Owner })[]): number {
  let count = 0;
  for (const { owner } of records) {
    if (owner?.lost !== true) count++;
    if (owner !== undefined) owner.lost = true;
  }
  return count;
}
