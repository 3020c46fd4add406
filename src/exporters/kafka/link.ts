import { setTimeout as sleep } from 'node:timers/promises';
import type { SkbspanError } from '../../errors.ts';
import { giveBack } from '../json/slabs.ts';
import { connectMs, type KafkaClient, type KafkaRecord } from './client.ts';
import { protocolError } from './faults.ts';

/** The way to the brokers: one client, which is replaced when what it has under way is given up. */
export interface Link {
  /** Connects if need be; the topic's number of partitions. Rejects with advice if the brokers cannot be had now. */
  ready(): Promise<number>;
  /**
   * One batch for one partition, after those that came before it. Resolves when it is written, with the records that are too
   * large for the brokers and so are not. Rejects when they refuse all of it, or after `reset`; then it may be written all the
   * same.
   */
  send<R extends KafkaRecord>(partition: number, records: readonly R[]): Promise<readonly R[]>;
  /** Gives up what is under way; `ready` connects anew. */
  reset(): Promise<void>;
}

interface Connected {
  readonly client: KafkaClient;
  readonly partitions: number;
}

const TOO_LARGE = 'MESSAGE_TOO_LARGE';

/** `explain` makes the client's errors such that a person understands. */
export function createLink(
  makeClient: () => Promise<KafkaClient>,
  explain: (error: unknown) => SkbspanError,
): Link {
  let current: Promise<Connected> | undefined;
  let opened: KafkaClient | undefined;
  const last = new Map<number, Promise<unknown>>();

  async function connect(): Promise<Connected> {
    const client = await makeClient();
    opened = client;
    const timer = new AbortController();
    try {
      const late = sleep(3 * connectMs, undefined, { signal: timer.signal }).then(() => {
        throw new Error('no answer');
      });
      late.catch(() => undefined);
      return { client, partitions: await Promise.race([client.connect(), late]) };
    } catch (error) {
      await client.close();
      throw explain(error);
    } finally {
      timer.abort();
    }
  }

  /** The broker's limit is on the batch: one that is too large may go in parts. */
  async function write<R extends KafkaRecord>(
    partition: number,
    records: readonly R[],
  ): Promise<readonly R[]> {
    if (current === undefined) throw new Error('not connected');
    const { client } = await current;
    try {
      await client.send(partition, records);
      return [];
    } catch (error) {
      if (protocolError(error) !== TOO_LARGE) throw explain(error);
      if (records.length === 1) return records;
      const middle = records.length >> 1;
      const first = await write(partition, records.slice(0, middle));
      return [...first, ...(await write(partition, records.slice(middle)))];
    }
  }

  return {
    async ready() {
      current ??= connect();
      const mine = current;
      try {
        return (await mine).partitions;
      } catch (error) {
        // It may have been replaced meanwhile.
        if (current === mine) current = undefined;
        throw error;
      }
    },
    async send(partition, records) {
      const before = last.get(partition);
      const mine = (async () => {
        await before?.catch(() => undefined);
        return write(partition, records);
      })();
      last.set(partition, mine);
      try {
        const refused = await mine;
        // Both clients have copied them, and try no more.
        for (const { value } of records) giveBack(value);
        return refused;
      } finally {
        if (last.get(partition) === mine) last.delete(partition);
      }
    },
    async reset() {
      const client = opened;
      opened = undefined;
      current = undefined;
      await client?.close();
    },
  };
}
