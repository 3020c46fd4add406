/**
 * From paths to acknowledged batches.
 *
 * Paths become records, records batches of one partition each, and while those are under way the next ones are made: `deliver`
 * comes back when its last batches are sent but perhaps not answered, and what becomes of them is in the result of the next
 * `deliver`, or in `losses` at the end. Brokers and this process would wait for each other in turns otherwise. A batch has one
 * of three ends: written; refused by the brokers for good (a right that is missing, a record that is too large); or
 * given up, because its deadline or that of the run is over. What is given up may have been written all the same, when only
 * the answer is missing: it is counted as lost, so that the count is never too small.
 *
 * With a spill the end is another one: when a batch has waited for `afterMs`, its paths are taken over. The client goes on
 * trying, everything after it goes to the spill at once, and what is given up in the end as well. When the brokers are back the
 * spill is sent, beside what is new.
 */
import { setImmediate as takeTurn } from 'node:timers/promises';
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
  /** Resolves when nothing is under way; what became of it is in the next result, or in `losses` at the end. */
  settled(): Promise<void>;
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

/** So much is under way while as much is made: enough for large batches in each of a dozen partitions. */
export const groupBytes = 2 * 1024 * 1024;
/**
 * After so much made the sockets get a turn: a client has one request under way at a time, so what waits behind it would else stay
 * until the group is made, and the brokers have nothing to do meanwhile.
 */
const turnBytes = 96 * 1024;

export function createDelivery(options: DeliveryOptions): Delivery {
  const { encoder, link, deliveryMs, onNotice } = options;
  const losses = new Map<LossCause, number>();
  const closing = new AbortController();
  /** The last group. */
  let under: readonly Promise<void>[] = [];
  /** Something of this `deliver`, or under way when it began, could not be sent. */
  let broken = false;
  /** Not told by a result yet. */
  let failure: Failure | undefined;
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
    return records;
  }

  /** What was not written, and nobody keeps. */
  function fail(records: readonly OwnedRecord[], error: SkbspanError): void {
    const cause = isRefusal(error) ? 'export_refused' : 'export_failed';
    const before = failure?.cause === cause ? failure.lost : 0;
    if (failure !== undefined && failure.cause !== cause) lose(failure.cause, failure.lost);
    failure = { status: 'failure', error, cause, lost: before + countLost(records) };
  }

  /** Never rejects. */
  async function send({ partition, records }: Batch): Promise<void> {
    const late = setTimeout(() => void link.reset(), deliveryMs);
    try {
      lose('export_refused', countLost(await way.send(partition, records)));
    } catch (error) {
      setBack(records, error as SkbspanError);
    } finally {
      clearTimeout(late);
    }
  }

  /** Records that could not be sent. */
  function setBack(records: readonly OwnedRecord[], error: SkbspanError): void {
    broken = true;
    if (lane !== undefined && !isRefusal(error)) lane.keep(records);
    else fail(records, error);
  }

  /** Makes and sends all; resolves when no more than the last group is under way. */
  async function sendAll(paths: readonly PacketPath[], partitions: number): Promise<void> {
    const batches = createBatches(partitions, options.maxBatchBytes);
    let group: Promise<void>[] = [];
    let bytes = 0;
    let lastTurn = 0;
    const endGroup = async (): Promise<void> => {
      const before = under;
      under = [...group, ...batches.take().map(send)];
      group = [];
      bytes = 0;
      lastTurn = 0;
      await Promise.all(before);
    };
    broken = false;
    const isBroken = (): boolean => broken;
    for (const [index, path] of paths.entries()) {
      // By a batch that was sent meanwhile.
      if (isBroken() || closing.signal.aborted || lane?.troubled === true) {
        const left = paths.slice(index).flatMap(encodeAll);
        setBack(left, failure?.error ?? new SkbspanError('SKBSPAN_EXPORT', 'the run is over'));
        break;
      }
      for (const record of encodeAll(path)) {
        const full = batches.add(record);
        if (full !== undefined) group.push(send(full));
        bytes += record.value.length;
      }
      if (bytes >= groupBytes) await endGroup();
      else if (bytes - lastTurn >= turnBytes) {
        lastTurn = bytes;
        await takeTurn();
      }
    }
    await endGroup();
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
    await sendAll(paths, partitions);
    const result = failure ?? ({ status: 'success', lost: 0 } as const);
    failure = undefined;
    return result;
  }

  lane?.recover();
  return {
    deliver,
    async settled() {
      await Promise.all(under);
    },
    losses: () => losses,
    closeWithin(ms) {
      closeTimer ??= setTimeout(giveUp, ms);
    },
    async close(ms) {
      closeTimer ??= setTimeout(giveUp, ms);
      await Promise.all(under);
      await lane?.close();
      clearTimeout(closeTimer);
      if (failure !== undefined) {
        lose(failure.cause, failure.lost);
        onNotice(`export failed: ${failure.error.message}`);
        failure = undefined;
      }
      giveUp();
      await link.reset();
    },
  };
}

type Failure = Extract<ExportResult, { status: 'failure' }> & { readonly error: SkbspanError };

/** Counts the paths of records that are lost, each path once; a record from the spill stands for itself. */
function countLost(records: readonly (KafkaRecord & { readonly owner?: Owner })[]): number {
  let count = 0;
  for (const { owner } of records) {
    if (owner?.lost !== true) count++;
    if (owner !== undefined) owner.lost = true;
  }
  return count;
}
