import { SkbspanError } from '../../errors.ts';
import type { Exporter } from '../../event/exporter.ts';
import type { LossCause } from '../../event/statistics.ts';
import { checkBrokerAge } from './broker-age.ts';
import type { KafkaClient, ClientOptions } from './client.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { createEncoder, defaultMaxBytes } from './encoder.ts';
import { explainFault, isRefusal, protocolError } from './faults.ts';
import { createLink, type Link } from './link.ts';
import {
  defaultTopics,
  type KafkaClientName,
  type KafkaOptions,
  type SpillOptions,
} from './options.ts';
import { openSpill, type Spill } from './spill.ts';
import type { SegmentHeader } from './spill-segment.ts';

const DELIVERY_MS = 60_000;
const SPILL_AFTER_MS = 2_000;
/** What is under way is given up so long before the pipeline stops waiting, so that the count is right. */
const MARGIN_MS = 300;

async function makeClient(name: KafkaClientName, options: ClientOptions): Promise<KafkaClient> {
  const create =
    name === 'kafkajs'
      ? (await import('./kafkajs-client.ts')).createKafkajsClient
      : (await import('./platformatic-client.ts')).createPlatformaticClient;
  // A codec that is missing is told first: that needs no broker.
  const client = await create(options);
  return {
    ...client,
    async connect() {
      await checkBrokerAge(options.connection);
      return client.connect();
    },
  };
}

function open(
  options: SpillOptions | undefined,
  header: SegmentHeader,
): { folder: Spill; afterMs: number } | undefined {
  if (options === undefined) return undefined;
  const { folder, maxBytes, afterMs = SPILL_AFTER_MS } = options;
  return { folder: openSpill(folder, maxBytes, header), afterMs };
}

/** With a spill, brokers that cannot be reached are no reason not to start; a refusal is. */
async function firstContact(
  link: Link,
  canWait: boolean,
  onNotice: (message: string) => void,
): Promise<void> {
  try {
    await link.ready();
  } catch (error) {
    if (!canWait || isRefusal(error) || protocolError(error) !== undefined) throw error;
    onNotice(error instanceof Error ? error.message : String(error));
  }
}

/**
 * Writes packet paths to a Kafka topic. `start` throws SKBSPAN_EXPORT with advice when the brokers, the topic or the rights are
 * not as they must be. The clients are loaded by `start`. `onNotice` gets what a person should know while it runs.
 */
export function createKafkaExporter(
  options: KafkaOptions,
  onNotice: (message: string) => void,
): Exporter {
  const topic = options.topic ?? defaultTopics[options.format];
  let delivery: Delivery | undefined;
  let closed = false;

  return {
    name: 'kafka',
    async start() {
      const encoder = await createEncoder(options);
      const { connection, compression } = options;
      const link = createLink(
        () =>
          makeClient(options.client, {
            connection,
            topic,
            compression,
            headers: encoder.headers,
          }),
        (error) => explainFault(error, connection, topic),
      );
      const spill = open(options.spill, { skbspan_spill: 2, topic, headers: encoder.headers });
      try {
        await firstContact(link, spill !== undefined, onNotice);
      } catch (error) {
        spill?.folder.close();
        throw error;
      }
      delivery = createDelivery({
        encoder,
        link,
        spill,
        deliveryMs: options.deliveryMs ?? DELIVERY_MS,
        maxBatchBytes: options.maxRecordBytes ?? defaultMaxBytes,
        onNotice,
      });
    },
    async export(paths) {
      if (delivery === undefined || closed) {
        const error = new SkbspanError('SKBSPAN_INTERNAL', 'the Kafka exporter is not running');
        return { status: 'failure', error, lost: paths.length, cause: 'export_failed' };
      }
      return delivery.deliver(paths);
    },
    settled: async () => delivery?.settled(),
    closing(ms) {
      delivery?.closeWithin(Math.max(0, ms - MARGIN_MS));
    },
    losses: (): ReadonlyMap<LossCause, number> => delivery?.losses() ?? new Map(),
    async shutdown(deadlineMs) {
      if (closed) return;
      closed = true;
      await delivery?.close(Math.max(0, deadlineMs - MARGIN_MS));
    },
  };
}
