import { setTimeout as sleep } from 'node:timers/promises';
import kafkajs from 'kafkajs';
import type { ISocketFactory, Kafka, Producer, SASLOptions } from 'kafkajs';
import { tlsOptions } from './broker-socket.ts';
import {
  clientId,
  connectMs,
  requestMs,
  retryMs,
  type ClientOptions,
  type KafkaClient,
} from './client.ts';
import { isPassing } from './faults.ts';
import { calmQueue } from './kafkajs-queue.ts';
import { registerCodec } from './kafkajs-codecs.ts';
import { createSockets } from './kafkajs-sockets.ts';
import type { KafkaCompression, KafkaConnection, KafkaSasl } from './options.ts';

const { CompressionTypes } = kafkajs;

const types = {
  none: CompressionTypes.None,
  gzip: CompressionTypes.GZIP,
  snappy: CompressionTypes.Snappy,
  lz4: CompressionTypes.LZ4,
  zstd: CompressionTypes.ZSTD,
} as const satisfies Record<KafkaCompression, unknown>;

/** The connection in kafkajs's words. It logs as errors what it then tries again, so its log is off; what counts is thrown. */
export function openKafkajs(
  { brokers, tls, sasl }: KafkaConnection,
  socketFactory: ISocketFactory,
): Kafka {
  calmQueue();
  return new kafkajs.Kafka({
    clientId,
    brokers: [...brokers],
    connectionTimeout: connectMs,
    authenticationTimeout: connectMs,
    requestTimeout: requestMs,
    enforceRequestTimeout: true,
    logLevel: kafkajs.logLevel.NOTHING,
    socketFactory,
    retry: { retries: 1, initialRetryTime: retryMs.first },
    ...(tls === undefined
      ? {}
      : {
          ssl: { ...tlsOptions(tls) },
        }),
    ...(sasl === undefined ? {} : { sasl: toSasl(sasl) }),
  });
}

function toSasl({ mechanism, user, password }: KafkaSasl): SASLOptions {
  const login = { username: user, password };
  switch (mechanism) {
    case 'plain':
      return { mechanism, ...login };
    case 'scram-sha-256':
      return { mechanism, ...login };
    case 'scram-sha-512':
      return { mechanism, ...login };
  }
}

/** kafkajs 2.2.4 behind the exporter's interface. */
export async function createKafkajsClient(options: ClientOptions): Promise<KafkaClient> {
  const { topic, headers } = options;
  await registerCodec(options.compression);
  const sockets = createSockets();
  const kafka = openKafkajs(options.connection, sockets.open);
  const compression = types[options.compression];
  let producer: Producer | undefined;

  return {
    async connect() {
      const admin = kafka.admin();
      try {
        await admin.connect();
        const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
        producer = kafka.producer({
          idempotent: true,
          maxInFlightRequests: 5,
          allowAutoTopicCreation: false,
          metadataMaxAge: 60_000,
          // Its own tries end early when a connection cannot be made, whatever stands here: see send.
          retry: {
            retries: 5,
            initialRetryTime: retryMs.first,
            maxRetryTime: retryMs.most,
          },
        });
        await producer.connect();
        return topics[0]?.partitions.length ?? 0;
      } finally {
        await admin.disconnect().catch(() => undefined);
      }
    },
    async send(partition, records) {
      if (producer === undefined) throw new Error('not connected');
      const messages = records.map((record) => ({
        key: record.key,
        value: record.value,
        headers: record.headers ?? headers,
        partition,
      }));
      // The same batch with the same sequence number: nothing else is sent to this partition before it is settled.
      for (;;) {
        try {
          const [written] = await producer.send({ topic, messages, acks: -1, compression });
          if (written?.errorCode === 0) return;
          throw new Error(`partition ${partition} was not answered for`);
        } catch (error) {
          if (sockets.closed || !isPassing(error)) throw error;
          await sleep(retryMs.most);
        }
      }
    },
    async close() {
      sockets.close();
      await producer?.disconnect().catch(() => undefined);
    },
  };
}
