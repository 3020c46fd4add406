import { setTimeout as sleep } from 'node:timers/promises';
import type { Kafka } from 'kafkajs';
import { isBusy } from '../../exporters/kafka/faults.ts';
import type { Range } from './range.ts';

/** How far a consumer group has come in a topic, all its members together. */
export interface GroupOffsets {
  /** By partition, the first record that the group has not dealt with; a partition that nobody has begun is missing. */
  fetch(): Promise<ReadonlyMap<number, bigint>>;
  /** Sets the group to the beginning of each range. Gives false if it has members: then they know better where it is. */
  setTo(ranges: ReadonlyMap<number, Range>): Promise<boolean>;
  close(): Promise<void>;
}

const AGAIN_MS = 300;
const SET_MS = 15_000;

const isTaken = (error: unknown): boolean =>
  error instanceof Error && error.message.includes('must have no running instances');

/** Asks the brokers anew each time; rejects with kafkajs's errors. */
export function createGroupOffsets(kafka: Kafka, group: string, topic: string): GroupOffsets {
  const admin = kafka.admin();
  let connected: Promise<void> | undefined;

  async function connect(): Promise<void> {
    connected ??= admin.connect();
    try {
      await connected;
    } catch (error) {
      connected = undefined;
      throw error;
    }
  }

  return {
    async fetch() {
      await connect();
      const [found] = await admin.fetchOffsets({ groupId: group, topics: [topic] });
      return new Map(
        (found?.partitions ?? [])
          .map(({ partition, offset }): [number, bigint] => [partition, BigInt(offset)])
          .filter(([, offset]) => offset >= 0n),
      );
    },
    async setTo(ranges) {
      const partitions = [...ranges].map(([partition, { from }]) => ({
        partition,
        offset: from.toString(),
      }));
      const giveUpAt = Date.now() + SET_MS;
      for (;;) {
        try {
          await connect();
          await admin.setOffsets({ groupId: group, topic, partitions });
          return true;
        } catch (error) {
          if (isTaken(error)) return false;
          if (!isBusy(error) || Date.now() > giveUpAt) throw error;
          await sleep(AGAIN_MS);
        }
      }
    },
    async close() {
      await connected?.catch(() => undefined);
      await admin.disconnect().catch(() => undefined);
    },
  };
}
