import { Producer, type BaseOptions } from '@platformatic/kafka';
import { tlsOptions } from './broker-socket.ts';
import {
  clientId,
  connectMs,
  requestMs,
  retryMs,
  type ClientOptions,
  type Headers,
  type KafkaClient,
} from './client.ts';
import type { KafkaConnection } from './options.ts';

const mechanisms = {
  plain: 'PLAIN',
  'scram-sha-256': 'SCRAM-SHA-256',
  'scram-sha-512': 'SCRAM-SHA-512',
} as const;

/** The connection in the client's words. */
export function platformaticOptions({ brokers, tls, sasl }: KafkaConnection): BaseOptions {
  return {
    clientId,
    bootstrapBrokers: [...brokers],
    connectTimeout: connectMs,
    requestTimeout: requestMs,
    timeout: requestMs,
    autocreateTopics: false,
    retryDelay: (_client, _operation, attempt) =>
      Math.min(retryMs.first * 2 ** Math.min(attempt, 10), retryMs.most),
    // It asks for new metadata only when a connection breaks, not when a broker says that it leads no longer.
    metadataMaxAge: 2 * retryMs.most,
    ...(tls === undefined
      ? {}
      : {
          // Else no name is sent, and checked is the address.
          tlsServerName: true,
          tls: { ...tlsOptions(tls) },
        }),
    ...(sasl === undefined
      ? {}
      : {
          sasl: {
            mechanism: mechanisms[sasl.mechanism],
            username: sasl.user,
            password: sasl.password,
          },
        }),
  };
}

const toMap = (headers: Headers): Map<Buffer, Buffer> =>
  new Map(Object.entries(headers).map(([name, value]) => [Buffer.from(name), Buffer.from(value)]));

/** @platformatic/kafka 2 behind the exporter's interface. */
export function createPlatformaticClient(options: ClientOptions): KafkaClient {
  const { topic } = options;
  const headers = toMap(options.headers);
  const producer = new Producer({
    ...platformaticOptions(options.connection),
    idempotent: true,
    compression: options.compression,
    retries: Number.MAX_SAFE_INTEGER,
  });

  return {
    async connect() {
      const { topics } = await producer.metadata({
        topics: [topic],
        retries: 1,
        forceUpdate: true,
      });
      await producer.initIdempotentProducer({});
      return topics.get(topic)?.partitionsCount ?? 0;
    },
    async send(partition, records) {
      const messages = records.map((record) => ({
        key: record.key,
        value: record.value,
        headers: record.headers === undefined ? headers : toMap(record.headers),
        topic,
        partition,
      }));
      const { offsets } = await producer.send({ messages });
      if (offsets?.[0]?.partition !== partition)
        throw new Error(`partition ${partition} was not answered for`);
    },
    async close() {
      await producer.close(true).catch(() => undefined);
    },
  };
}
