import type { KafkaRecord } from './client.ts';
import { partitionOf } from './partition.ts';

/** What a record belongs to: a path counts as lost once, however many of its records are. */
export interface Owner {
  lost: boolean;
}

export interface OwnedRecord extends KafkaRecord {
  readonly owner: Owner;
}

/** Records of one partition that are sent together. */
export interface Batch {
  readonly partition: number;
  readonly records: OwnedRecord[];
  bytes: number;
}

/** A record's length, its delta fields and its headers take about so much. */
const RECORD_OVERHEAD = 120;

const sizeOf = ({ key, value }: KafkaRecord): number => key.length + value.length + RECORD_OVERHEAD;

export interface Batches {
  /** Adds a record; gives the batch that became full by it and must be sent first. */
  add(record: OwnedRecord): Batch | undefined;
  /** All batches begun; empty afterwards. */
  take(): Batch[];
}

/** Gathers records by partition into batches of at most `maxBytes`; a record that is larger than that goes alone. */
export function createBatches(partitions: number, maxBytes: number): Batches {
  const open = new Map<number, Batch>();

  return {
    add(record) {
      const partition = partitionOf(record.key, partitions);
      const size = sizeOf(record);
      const batch = open.get(partition);
      if (batch !== undefined && batch.bytes + size <= maxBytes) {
        batch.records.push(record);
        batch.bytes += size;
        return undefined;
      }
      open.set(partition, { partition, records: [record], bytes: size });
      return batch;
    },
    take() {
      const all = [...open.values()];
      open.clear();
      return all;
    },
  };
}
