import { setTimeout as sleep } from 'node:timers/promises';
import type { Admin, Kafka } from 'kafkajs';
import { isBusy } from '../../exporters/kafka/faults.ts';
import type { KafkaAddress, Position } from './address.ts';
import type { GroupOffsets } from './group-offsets.ts';

/** Offsets of one partition, the end not among them. */
export interface Range {
  readonly from: bigint;
  readonly to: bigint;
}

/** For what passes: a group that was never asked for has no coordinator for a moment. */
const OPEN_MS = 15_000;
const AGAIN_MS = 300;

/** What an address means in offsets, now, by partition. Rejects with kafkajs's errors. */
export async function findRanges(
  kafka: Kafka,
  address: KafkaAddress,
  group: GroupOffsets | undefined,
): Promise<ReadonlyMap<number, Range>> {
  const admin = kafka.admin();
  const giveUpAt = Date.now() + OPEN_MS;
  try {
    await admin.connect();
    for (;;) {
      try {
        return await lookUpRanges(admin, address, group);
      } catch (error) {
        if (!isBusy(error) || Date.now() > giveUpAt) throw error;
        await sleep(AGAIN_MS);
      }
    }
  } finally {
    await admin.disconnect().catch(() => undefined);
  }
}

async function lookUpRanges(
  admin: Admin,
  { topic, from, to }: KafkaAddress,
  group: GroupOffsets | undefined,
): Promise<ReadonlyMap<number, Range>> {
  const ends = await admin.fetchTopicOffsets(topic);
  const lookUp = async (position: Position): Promise<ReadonlyMap<number, bigint>> => {
    if (position.at !== 'time') {
      return new Map(
        ends.map(({ partition, low, high }) => [
          partition,
          position.at === 'offset'
            ? min(max(position.offset, BigInt(low)), BigInt(high))
            : BigInt(position.at === 'earliest' ? low : high),
        ]),
      );
    }
    const found = await admin.fetchTopicOffsetsByTimestamp(topic, position.ms);
    return new Map(found.map(({ partition, offset }) => [partition, BigInt(offset)]));
  };
  const begin = await lookUp(from ?? { at: 'earliest' });
  const end = await lookUp(to);
  const stopped = from === undefined ? await group?.fetch() : undefined;
  return new Map(
    ends.map(({ partition }) => [
      partition,
      {
        from: stopped?.get(partition) ?? begin.get(partition) ?? 0n,
        to: end.get(partition) ?? 0n,
      },
    ]),
  );
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
