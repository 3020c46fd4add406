/**
 * What the exporter needs of a Kafka client; kafkajs-client.ts and platformatic-client.ts are its two forms.
 *
 * One `send` is one batch for one partition, and there is never a second one under way for that partition. That makes it whole:
 * all of it is written or none. Batches over several partitions are not safe with either client when a leader moves while a
 * part of them is answered: kafkajs skips what a broker that has already answered now leads, and @platformatic/kafka asks the
 * new leader of the first partition for all.
 */
import type { KafkaCompression, KafkaConnection } from './options.ts';

export interface KafkaRecord {
  readonly key: Buffer;
  readonly value: Buffer;
  /** Instead of those of the client: a record that was spilled by an earlier run, or is another host's. */
  readonly headers?: Headers;
}

export type Headers = Readonly<Record<string, string>>;

export interface KafkaClient {
  /** Connects and gives the topic's number of partitions. Rejects if that does not work now; it does not go on trying. */
  connect(): Promise<number>;
  /**
   * Resolves when all in-sync replicas have the batch. Tries again, with the same sequence number, until that is so; rejects
   * when the broker refuses for good, or after `close`.
   */
  send(partition: number, records: readonly KafkaRecord[]): Promise<void>;
  /** Ends all connections and what is under way; never rejects. */
  close(): Promise<void>;
}

export interface ClientOptions {
  readonly connection: KafkaConnection;
  readonly topic: string;
  readonly compression: KafkaCompression;
  /** Of every record that has none of its own. */
  readonly headers: Headers;
}

export const clientId = 'skbspan';
export const connectMs = 5_000;
/** A broker that is silent for this long is asked again. */
export const requestMs = 5_000;
export const retryMs = { first: 100, most: 1_000 } as const;
