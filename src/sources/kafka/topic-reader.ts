/**
 * Reads a part of a topic, from one position to another, as a member of a consumer group: several readers of one group share
 * the partitions, and each goes on where the group stopped. kafkajs reads; what it hands over waits until it is asked for the
 * next, so that nothing piles up.
 *
 * At least once. Whoever takes a batch has dealt with it when it asks for the next one, and only then is it committed. So what
 * the group has behind it has been dealt with by one of its readers. What a reader had in hand when it left, when its partition
 * was given to another, or when its commit was refused because of that, is read again. A commit that fails for another reason is
 * tried again by reading on from before it, without handing out twice what comes.
 *
 * The end. A reader that has come to the end of its own partitions is not done: another one may leave before its end, and then
 * the rest is for those who are still there. So it waits until the whole group is at the end.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { SkbspanError } from '../../errors.ts';
import { explainFault } from '../../exporters/kafka/faults.ts';
import { registerCodec } from '../../exporters/kafka/kafkajs-codecs.ts';
import { openKafkajs } from '../../exporters/kafka/kafkajs-client.ts';
import { createSockets } from '../../exporters/kafka/kafkajs-sockets.ts';
import type { KafkaConnection } from '../../exporters/kafka/options.ts';
import type { KafkaAddress } from './address.ts';
import { createGroupOffsets } from './group-offsets.ts';
import { createHandover } from './handover.ts';
import { nowAndThen } from './now-and-then.ts';
import { createProgress } from './progress.ts';
import { findRanges, type Range } from './range.ts';

export interface TopicReader {
  /** Finds out what there is to read; throws SkbspanError with advice. */
  open(): Promise<void>;
  /** The records, in the order of their partition; ends at the position that was the end when it was opened. */
  records(): AsyncIterable<readonly KafkaMessage[]>;
  close(): Promise<void>;
}

const LOOK_MS = 500;
const HEARTBEAT_MS = 2_000;
/** A member that does not get away within this ... */
const LEAVE_MS = 5_000;
/** ... is missed by the others after that. */
const SESSION_MS = 10_000;

/** `onNotice` gets what a person should know; it must not throw. */
export function createTopicReader(
  address: KafkaAddress,
  connection: KafkaConnection,
  onNotice: (message: string) => void,
): TopicReader {
  const { topic, group } = address;
  const sockets = createSockets();
  const kafka = openKafkajs(connection, sockets.open);
  const explain = (error: unknown): SkbspanError => explainFault(error, connection, topic);
  const handover = createHandover<readonly KafkaMessage[]>();
  const offsets = group === undefined ? undefined : createGroupOffsets(kafka, group, topic);
  let progress = createProgress(new Map());
  let assigned: readonly number[] | undefined;
  let inHand = 0;
  let told = false;
  let consumer: Consumer | undefined;

  /** False: nobody takes it any more. */
  async function handOut(payload: EachBatchPayload, { from, to }: Range): Promise<boolean> {
    const fresh = payload.batch.messages.filter(
      ({ offset }) => BigInt(offset) >= from && BigInt(offset) < to,
    );
    if (fresh.length === 0) return true;
    // That another member comes or goes is seen when this batch is done with.
    const beat = setInterval(() => void payload.heartbeat().catch(() => undefined), HEARTBEAT_MS);
    inHand++;
    try {
      return await handover.put(fresh);
    } finally {
      inHand--;
      clearInterval(beat);
    }
  }

  async function takeBatch(payload: EachBatchPayload): Promise<void> {
    const { partition } = payload.batch;
    const range = progress.left(partition);
    if (range === undefined || payload.isStale() || !payload.isRunning()) return;
    if (!(await handOut(payload, range))) return;
    const last = payload.batch.lastOffset();
    const next = BigInt(last) + 1n;
    progress.note(partition, next);
    if (group !== undefined) {
      const offset = (next < range.to ? next : range.to).toString();
      // Its errors go to kafkajs as they are: it joins the group again when that is what they say.
      await payload.commitOffsetsIfNecessary({
        topics: [{ topic, partitions: [{ partition, offset }] }],
      });
    }
    payload.resolveOffset(last);
    if (next >= range.to) payload.pause();
  }

  /** Ends the reading when there is nothing left to read, for nobody of the group. */
  async function look(): Promise<void> {
    if (inHand > 0) return;
    for (const [partition, next] of (await offsets?.fetch()) ?? []) progress.note(partition, next);
    if (progress.isAllDone()) handover.end();
    else if (assigned?.every((each) => progress.isDone(each)) === true && !told) {
      told = true;
      onNotice(`waits for the other readers of group ${group ?? ''}, to take over what they leave`);
    }
  }

  return {
    async open() {
      for (const codec of ['zstd', 'snappy', 'lz4'] as const) {
        // Only needed if the topic has it; kafkajs then says so.
        await registerCodec(codec).catch(() => undefined);
      }
      try {
        let ranges = await findRanges(kafka, address, offsets);
        if (address.from !== undefined && (await offsets?.setTo(ranges)) === false) {
          onNotice(`group ${group ?? ''} has readers: it goes on where it is, 'from' is not used`);
          ranges = await findRanges(kafka, { ...address, from: undefined }, offsets);
        }
        progress = createProgress(ranges);
      } catch (error) {
        throw explain(error);
      }
    },
    async *records() {
      if (progress.isAllDone()) return;
      const reader = kafka.consumer({
        groupId: group ?? `skbspan-${randomUUID()}`,
        sessionTimeout: SESSION_MS,
        heartbeatInterval: HEARTBEAT_MS,
        maxWaitTimeInMs: 200,
        retry: { retries: 60, maxRetryTime: 1_000 },
      });
      consumer = reader;
      reader.on('consumer.group_join', ({ payload }) => {
        assigned = payload.memberAssignment[topic] ?? [];
        if (group !== undefined) return;
        for (const partition of assigned) {
          const offset = progress.left(partition)?.from.toString();
          if (offset !== undefined) reader.seek({ topic, partition, offset });
        }
      });
      reader.on('consumer.crash', ({ payload }) => {
        if (!payload.restart) handover.fail(explain(payload.error));
      });
      const stopLooking = nowAndThen(LOOK_MS, look);
      try {
        await reader.connect();
        await reader.subscribe({ topics: [topic], fromBeginning: true });
        // It joins the group, which takes as long as other readers need for what they have in hand.
        reader
          .run({ autoCommit: false, eachBatchAutoResolve: false, eachBatch: takeBatch })
          .catch((error: unknown) => {
            handover.fail(explain(error));
          });
        yield* handover.taken();
      } catch (error) {
        throw explain(error);
      } finally {
        stopLooking();
      }
    },
    async close() {
      handover.end();
      // Leaves the group, so that others need not wait for it to be missed.
      const left = Promise.all([consumer?.disconnect().catch(() => undefined), offsets?.close()]);
      const timer = new AbortController();
      await Promise.race([left, sleep(LEAVE_MS, undefined, { signal: timer.signal })]);
      timer.abort();
      sockets.close();
    },
  };
}
