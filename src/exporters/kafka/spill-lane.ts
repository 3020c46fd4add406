/**
 * Sending with a spill. A batch that has waited for `afterMs` is taken over: its caller goes on, the client goes on trying, and
 * until it has succeeded all that comes is written to the spill. What the client gives up in the end goes there too. When the
 * brokers are back the spill is sent, oldest first, beside what is new; a file is removed when all of it is written.
 *
 * Nothing is sent twice by an outage as such. Twice comes what had been written when its answer was lost *and* the client gave
 * up (the deadline, the end of the run), and what a killed process was sending from its spill: a file at most.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import type { KafkaRecord } from './client.ts';
import { createBatches } from './batches.ts';
import { isRefusal } from './faults.ts';
import type { Link } from './link.ts';
import type { Spill } from './spill.ts';

export interface SpillLane {
  /** Brokers do not answer, or did not lately: what comes should be kept. */
  readonly troubled: boolean;
  /** Like Link.send, but resolves without an answer when that takes too long, and does not reject when nobody is reached. */
  send<R extends KafkaRecord>(partition: number, records: readonly R[]): Promise<readonly R[]>;
  /** Writes to the spill. */
  keep(records: readonly KafkaRecord[]): void;
  /** Brokers could not be had, or there is something of an earlier run: tries until all is sent. */
  recover(): void;
  /** Sends nothing from the spill any more; resolves when what was taken over is settled, which `link.reset` brings about. */
  close(): Promise<void>;
}

export interface SpillLaneOptions {
  readonly link: Link;
  readonly spill: Spill;
  readonly afterMs: number;
  /** What was taken over is given up after so long. */
  readonly deliveryMs: number;
  readonly maxBatchBytes: number;
  /** There was no room for these. */
  readonly onFull: (records: readonly KafkaRecord[]) => void;
  /** The brokers do not take these. */
  readonly onRefused: (records: readonly KafkaRecord[]) => void;
  readonly onNotice: (message: string) => void;
}

const AGAIN_MS = 1_000;
const late = Symbol('late');

const inMegabytes = (bytes: number): string => `${(bytes / 1e6).toFixed(1)} MB`;

export function createSpillLane(options: SpillLaneOptions): SpillLane {
  const { link, spill, afterMs, onNotice } = options;
  /** Taken over and not settled. */
  const stragglers = new Set<Promise<void>>();
  const closing = new AbortController();
  const isClosing = (): boolean => closing.signal.aborted;
  let recovering: Promise<void> | undefined;
  let unreachable = false;
  let told = false;

  function keep(records: readonly KafkaRecord[]): void {
    if (records.length === 0) return;
    if (!told) onNotice('no broker takes the records; they go to the spill');
    told = true;
    const rest = spill.append(records);
    if (rest.length > 0) options.onFull(rest);
  }

  /** Sends all of the oldest file; false if that does not work now. */
  async function sendOldest(partitions: number): Promise<boolean> {
    const oldest = spill.oldest();
    if (oldest === undefined) return false;
    const { file, segment } = oldest;
    if (segment.torn > 0) onNotice(`${file}: the last ${segment.torn} bytes are no whole record`);
    const batches = createBatches(partitions, options.maxBatchBytes);
    const under: Promise<void>[] = [];
    const failed: KafkaRecord[] = [];
    const post = (partition: number, records: readonly KafkaRecord[]): void => {
      const sending = link.send(partition, records).then(options.onRefused, (error: unknown) => {
        if (isRefusal(error)) options.onRefused(records);
        else failed.push(...records);
      });
      under.push(sending);
    };
    for (const record of segment.records) {
      const full = batches.add({ ...record, owner: { lost: false } });
      if (full !== undefined) post(full.partition, full.records);
    }
    for (const { partition, records } of batches.take()) post(partition, records);
    await Promise.all(under);
    // None of it arrived: the file stays as it is.
    if (failed.length === segment.records.length && failed.length > 0) return false;
    spill.remove(file);
    keep(failed);
    return failed.length === 0;
  }

  async function recoverAll(): Promise<void> {
    while (!isClosing()) {
      try {
        const partitions = await link.ready();
        unreachable = false;
        while (await sendOldest(partitions)) if (isClosing()) return;
        if (spill.oldest() === undefined) {
          if (told) onNotice('the brokers take records again; the spill is sent');
          told = false;
          return;
        }
      } catch {
        unreachable = true;
      }
      await sleep(AGAIN_MS, undefined, { signal: closing.signal }).catch(() => undefined);
    }
  }

  function recover(): void {
    if (isClosing()) return;
    recovering ??= recoverAll().finally(() => (recovering = undefined));
  }

  async function takeOver(
    sending: Promise<readonly KafkaRecord[]>,
    records: readonly KafkaRecord[],
  ): Promise<void> {
    const giveUp = setTimeout(() => void link.reset(), options.deliveryMs);
    try {
      options.onRefused(await sending);
    } catch (error) {
      if (isRefusal(error)) options.onRefused(records);
      else keep(records);
    } finally {
      clearTimeout(giveUp);
    }
  }

  return {
    get troubled() {
      return stragglers.size > 0 || unreachable;
    },
    keep,
    recover,
    async send(partition, records) {
      const sending = link.send(partition, records);
      const timer = new AbortController();
      const patience = sleep(afterMs, late, { signal: timer.signal }).catch(() => late);
      try {
        const first = await Promise.race([sending, patience]);
        if (typeof first !== 'symbol') return first;
      } catch (error) {
        if (isRefusal(error)) throw error;
        keep(records);
        recover();
        return [];
      } finally {
        timer.abort();
      }
      if (!told) onNotice('no broker has answered for a while; what comes goes to the spill');
      told = true;
      const straggler = takeOver(sending, records).finally(() => {
        stragglers.delete(straggler);
        if (stragglers.size === 0) recover();
      });
      stragglers.add(straggler);
      return [];
    },
    async close() {
      closing.abort();
      await Promise.all([...stragglers]);
      await recovering;
      const { bytes } = spill;
      spill.close();
      if (bytes > 0) onNotice(`${inMegabytes(bytes)} wait in the spill for a next run`);
    },
  };
}
