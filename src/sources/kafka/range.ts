import type { Admin } from 'kafkajs';
import type { KafkaAddress, Position } from './address.ts';

/** Offsets of one partition, the end not among them. */
export interface Range {
  readonly from: bigint;
  readonly to: bigint;
  /** Reading begins at `from`, not where the group stopped. */
  readonly seek: boolean;
}

/** What an address means in offsets, now. */
export async function findRange(
  admin: Admin,
  { topic, from, to, group }: KafkaAddress,
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
  const committed =
    group === undefined || from !== undefined
      ? undefined
      : await admin.fetchOffsets({ groupId: group, topics: [topic] });
  return new Map(
    ends.map(({ partition }) => {
      const done = committed?.[0]?.partitions.find((each) => each.partition === partition)?.offset;
      const start = done === undefined || done === '-1' ? begin.get(partition) : BigInt(done);
      return [
        partition,
        {
          from: start ?? 0n,
          to: end.get(partition) ?? 0n,
          seek: group === undefined || from !== undefined,
        },
      ];
    }),
  );
}

const min = (a: bigint, b: bigint): bigint => (a < b ? a : b);
const max = (a: bigint, b: bigint): bigint => (a > b ? a : b);
