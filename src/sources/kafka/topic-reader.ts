/**
 * Reads a part of a topic, from one position to another, as a member of a consumer group: several readers of one group share
 * the partitions, and each goes on where the group stopped. kafkajs reads; what it hands over waits until it is asked for the
 * next, so that nothing piles up.
 */
import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import type { Consumer, EachBatchPayload, KafkaMessage } from 'kafkajs';
import type { SkbspanError } from '../../errors.ts';
import { explainFault, isBusy } from '../../exporters/kafka/faults.ts';
import { registerCodec } from '../../exporters/kafka/kafkajs-codecs.ts';
import { openKafkajs } from '../../exporters/kafka/kafkajs-client.ts';
import { createSockets } from '../../exporters/kafka/kafkajs-sockets.ts';
import type { KafkaConnection } from '../../exporters/kafka/options.ts';
import type { KafkaAddress } from './address.ts';
import { findRange, type Range } from './range.ts';
import { createHandover } from './handover.ts';

export interface TopicReader {
  /** Finds out what there is to read; throws SkbspanError with advice. */
  open(): Promise<void>;
  /** The records, in the order of their partition; ends at the position that was the end when it was opened. */
  records(): AsyncIterable<readonly KafkaMessage[]>;
  close(): Promise<void>;
}

/** For what passes: a group that was never asked for has no coordinator for a moment. */
const OPEN_MS = 15_000;
const AGAIN_MS = 300;
const CLOCK_MS = 500;
const HEARTBEAT_MS = 2_000;

export function createTopicReader(address: KafkaAddress, connection: KafkaConnection): TopicReader {
  const { topic } = address;
  const sockets = createSockets();
  const kafka = openKafkajs(connection, sockets.open);
  const explain = (error: unknown): SkbspanError => explainFault(error, connection, topic);
  const handover = createHandover<readonly KafkaMessage[]>();
  /** By partition: what is read next, and where reading ends. */
  let ranges: ReadonlyMap<number, Range> = new Map();
  const positions = new Map<number, bigint>();
  let assigned: readonly number[] = [];
  let consumer: Consumer | undefined;

  const isDone = (partition: number): boolean => {
    const range = ranges.get(partition);
    return range === undefined || (positions.get(partition) ?? range.from) >= range.to;
  };

  async function takeBatch(payload: EachBatchPayload): Promise<void> {
    const { batch } = payload;
    const { partition } = batch;
    const range = ranges.get(partition);
    if (range === undefined || payload.isStale() || !payload.isRunning()) return;
    const messages = batch.messages.filter(
      ({ offset }) => BigInt(offset) >= range.from && BigInt(offset) < range.to,
    );
    const beat = setInterval(() => void payload.heartbeat().catch(() => undefined), HEARTBEAT_MS);
    try {
      // What nobody has dealt with is not committed: the group reads it again.
      if (messages.length > 0 && !(await handover.put(messages))) return;
    } finally {
      clearInterval(beat);
    }
    const next = BigInt(batch.lastOffset()) + 1n;
    positions.set(partition, next);
    if (address.group !== undefined) {
      const offset = (next < range.to ? next : range.to).toString();
      await consumer?.commitOffsets([{ topic, partition, offset }]);
    }
  }

  /** What other members of the group have read of the partitions that are ours now. */
  async function catchUp(): Promise<void> {
    if (address.group === undefined) return;
    const admin = kafka.admin();
    try {
      await admin.connect();
      const found = await admin.fetchOffsets({ groupId: address.group, topics: [topic] });
      for (const { partition, offset } of found[0]?.partitions ?? []) {
        const committed = BigInt(offset);
        if (committed > (positions.get(partition) ?? 0n)) positions.set(partition, committed);
      }
    } finally {
      await admin.disconnect().catch(() => undefined);
    }
  }

  return {
    async open() {
      for (const codec of ['zstd', 'snappy', 'lz4'] as const) {
        // Only needed if the topic has it; kafkajs then says so.
        await registerCodec(codec).catch(() => undefined);
      }
      const admin = kafka.admin();
      const giveUpAt = Date.now() + OPEN_MS;
      try {
        await admin.connect();
        while (ranges.size === 0) {
          try {
            ranges = await findRange(admin, address);
          } catch (error) {
            if (!isBusy(error) || Date.now() > giveUpAt) throw error;
            await sleep(AGAIN_MS);
          }
        }
      } catch (error) {
        throw explain(error);
      } finally {
        await admin.disconnect().catch(() => undefined);
      }
    },
    async *records() {
      const groupId = address.group ?? `skbspan-${randomUUID()}`;
      const reader = kafka.consumer({
        groupId,
        sessionTimeout: 10_000,
        heartbeatInterval: 2_000,
        maxWaitTimeInMs: 200,
        retry: { retries: 60, maxRetryTime: 1_000 },
      });
      consumer = reader;
      reader.on('consumer.group_join', ({ payload }) => {
        assigned = payload.memberAssignment[topic] ?? [];
        for (const partition of assigned) {
          const range = ranges.get(partition);
          if (range?.seek !== true) continue;
          const at = positions.get(partition) ?? range.from;
          reader.seek({ topic, partition, offset: at.toString() });
        }
      });
      reader.on('consumer.crash', ({ payload }) => {
        if (!payload.restart) handover.fail(explain(payload.error));
      });
      let joined = false;
      reader.on('consumer.group_join', () => {
        joined = false;
        // If it does not work now, it will at the next change of the group.
        void catchUp()
          .catch(() => undefined)
          .then(() => (joined = true));
      });
      const clock = setInterval(() => {
        if (joined && assigned.every(isDone)) handover.end();
      }, CLOCK_MS);
      try {
        await reader.connect();
        await reader.subscribe({ topics: [topic], fromBeginning: true });
        await reader.run({ autoCommit: false, eachBatchAutoResolve: true, eachBatch: takeBatch });
        yield* handover.taken();
      } catch (error) {
        throw explain(error);
      } finally {
        clearInterval(clock);
      }
    },
    async close() {
      handover.end();
      // Leaves the group, so that others need not wait for it to be missed.
      await consumer?.disconnect().catch(() => undefined);
      sockets.close();
    },
  };
}
