import { SkbspanError } from '../../errors.ts';
import type { Exporter } from '../../event/exporter.ts';
import type { LossCause } from '../../event/statistics.ts';
import type { KafkaClient, ClientOptions } from './client.ts';
import { createDelivery, type Delivery } from './delivery.ts';
import { createEncoder, defaultMaxBytes } from './encoder.ts';
import { explainFault } from './faults.ts';
import { createLink } from './link.ts';
import { defaultTopics, type KafkaClientName, type KafkaOptions } from './options.ts';

const DELIVERY_MS = 60_000;
/** What is under way is given up so long before the pipeline stops waiting, so that the count is right. */
const MARGIN_MS = 300;

async function makeClient(name: KafkaClientName, options: ClientOptions): Promise<KafkaClient> {
  if (name === 'kafkajs') {
    const { createKafkajsClient } = await import('./kafkajs-client.ts');
    return createKafkajsClient(options);
  }
  const { createPlatformaticClient } = await import('./platformatic-client.ts');
  return createPlatformaticClient(options);
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
          makeClient(options.client, { connection, topic, compression, headers: encoder.headers }),
        (error) => explainFault(error, connection, topic),
      );
      await link.ready();
      delivery = createDelivery({
        encoder,
        link,
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
    closing(ms) {
      delivery?.closeWithin(Math.max(0, ms - MARGIN_MS));
    },
    losses: (): ReadonlyMap<LossCause, number> => delivery?.losses() ?? new Map(),
    async shutdown() {
      if (closed) return;
      closed = true;
      await delivery?.close();
    },
  };
}
