import type { PacketPath } from '../../event/packet-path.ts';
import type { PathSource } from '../../event/source.ts';
import type { KafkaConnection } from '../../exporters/kafka/options.ts';
import type { KafkaAddress } from './address.ts';
import { readPath } from './read-path.ts';
import { NotOurs } from './record-fields.ts';
import type { TopicReader } from './topic-reader.ts';

export interface KafkaSourceOptions {
  readonly address: KafkaAddress;
  /** Its brokers are those of the address. */
  readonly connection: Omit<KafkaConnection, 'brokers'>;
  /** What was skipped, and why; must not throw. */
  readonly onNotice: (message: string) => void;
}

/**
 * Packet paths from a topic of JSON records. A record that is not ours, or of a newer schema, is skipped, counted as
 * `foreign_records`, and each reason is told once.
 */
export function createKafkaSource({
  address,
  connection,
  onNotice,
}: KafkaSourceOptions): PathSource {
  const drops = new Map<string, number>();
  const reasons = new Set<string>();
  let reader: TopicReader | undefined;
  let paths = 0;
  let lives = 0;
  let foreign = 0;

  function read(value: Buffer | null, schema: string): PacketPath | undefined {
    try {
      if (schema !== '' && !schema.startsWith('skbspan.path/'))
        throw new NotOurs(`its schema is ${schema}`);
      return readPath(value?.toString() ?? '');
    } catch (error) {
      if (!(error instanceof NotOurs)) throw error;
      foreign++;
      if (!reasons.has(error.message)) onNotice(`a record is skipped: ${error.message}`);
      reasons.add(error.message);
      return undefined;
    }
  }

  function count(path: PacketPath): void {
    paths++;
    for (const { end } of path.lives) {
      lives++;
      if (end?.reason !== undefined) drops.set(end.reason, (drops.get(end.reason) ?? 0) + 1);
    }
  }

  return {
    name: `kafka://${address.brokers.join(',')}/${address.topic}`,
    commits: address.group !== undefined,
    async open() {
      const { createTopicReader } = await import('./topic-reader.ts');
      reader = createTopicReader(address, { ...connection, brokers: address.brokers }, onNotice);
      await reader.open();
    },
    async *paths() {
      if (reader === undefined) return;
      for await (const messages of reader.records()) {
        const batch: PacketPath[] = [];
        for (const { value, headers } of messages) {
          const path = read(value, headers?.['schema']?.toString() ?? '');
          if (path === undefined) continue;
          count(path);
          batch.push(path);
        }
        if (batch.length > 0) yield batch;
      }
    },
    statistics: () => ({
      events: 0,
      lives,
      paths,
      drops,
      losses: new Map([['foreign_records', foreign]]),
    }),
    async close() {
      await reader?.close();
    },
  };
}
