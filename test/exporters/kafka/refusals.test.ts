import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createKafkaExporter } from '../../../src/exporters/kafka/exporter.ts';
import { registerCodec } from '../../../src/exporters/kafka/kafkajs-codecs.ts';
import { kafkaClients, type KafkaOptions } from '../../../src/exporters/kafka/options.ts';
import { noStatistics } from '../../peers/kafka/delivery-run.ts';
import { startOldBroker } from '../../peers/kafka/old-broker.ts';

async function start(options: Partial<KafkaOptions> & Pick<KafkaOptions, 'client'>): Promise<void> {
  const exporter = createKafkaExporter(
    {
      connection: { brokers: ['127.0.0.1:1'], tls: undefined, sasl: undefined },
      topic: undefined,
      format: 'json',
      key: 'flow',
      compression: 'none',
      ...options,
    },
    (notice) => assert.fail(notice),
  );
  try {
    await exporter.start();
  } finally {
    await exporter.shutdown(1_000, noStatistics);
  }
}

for (const client of kafkaClients) {
  for (const release of ['0.9', '0.10'] as const) {
    test(`${client}: a broker of ${release} is too old, and that is said`, async (t) => {
      const brokers = [await startOldBroker(t, release)];
      const connection = { brokers, tls: undefined, sasl: undefined };
      const began = Date.now();
      await assert.rejects(start({ client, connection }), {
        code: 'SKBSPAN_EXPORT',
        message: release === '0.10' ? /too old/ : /hung up/,
        advice:
          release === '0.10'
            ? /needs Kafka 0\.11 or later/
            : /Kafka before 0\.10, which is too old/,
      });
      assert.ok(Date.now() - began < 10_000);
    });
  }
}

for (const compression of ['snappy', 'lz4'] as const) {
  test(`kafkajs: where nobody brings ${compression}, the package that does is named`, async () => {
    const asked: string[] = [];
    const load = (name: string): Promise<unknown> => {
      asked.push(name);
      return Promise.reject(new Error('not installed'));
    };
    await assert.rejects(registerCodec(compression, load), {
      code: 'SKBSPAN_USAGE',
      message: `kafkajs has no ${compression} by itself.`,
      advice: new RegExp(`npm install kafkajs-${compression}`),
    });
    assert.deepEqual(asked, ['@platformatic/kafka', `kafkajs-${compression}`]);
  });
}
