import assert from 'node:assert/strict';
import { after, before, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaClients, type KafkaClientName } from '../../../src/exporters/kafka/options.ts';
import { kafkaMissing, startKafka, type Cluster } from './cluster.ts';
import { audit, run, type Run, type RunOptions } from './delivery-run.ts';

const skip = kafkaMissing ?? false;

/** Runs both clients at once against one cluster while `during` goes on. */
async function withBoth(
  kafka: Cluster,
  name: string,
  options: Omit<RunOptions, 'client' | 'topic' | 'kafka'>,
  during: () => Promise<void>,
): Promise<Map<KafkaClientName, { readonly run: Run; readonly topic: string }>> {
  const once = new Map<string, Promise<void>>();
  const shared = (): Promise<void> => {
    const going = once.get(name) ?? during();
    once.set(name, going);
    return going;
  };
  const runs = await Promise.all(
    kafkaClients.map(async (client) => {
      const topic = `${name}-${client}`;
      await kafka.createTopic(topic, 6);
      return [
        client,
        { run: await run({ ...options, client, topic, kafka }, shared), topic },
      ] as const;
    }),
  );
  return new Map(runs);
}

/** All that was sent has arrived, once, and nothing is said to be lost. */
async function assertWhole(
  t: TestContext,
  kafka: Cluster,
  runs: Map<KafkaClientName, { readonly run: Run; readonly topic: string }>,
): Promise<void> {
  const failures: string[] = [];
  for (const [client, { run: each, topic }] of runs) {
    const { twice, missing } = await audit(each, kafka, topic);
    const { lost, notices } = each;
    const books = `${client}: ${JSON.stringify({ sent: each.sent.size, twice, missing, lost, notices })}`;
    t.diagnostic(books);
    if (twice + missing + lost > 0) failures.push(books);
  }
  assert.deepEqual(failures, []);
}

describe('three brokers', { skip, timeout: 280_000 }, () => {
  let kafka: Cluster;
  const ends: (() => Promise<void>)[] = [];
  before(async () => {
    const owner = { after: (end: () => Promise<void>): unknown => ends.push(end) };
    kafka = await startKafka(owner, { brokers: 3 });
  });
  after(() => Promise.all(ends.map((end) => end())));

  test('a leader is killed and comes back: all arrives, once', async (t) => {
    const runs = await withBoth(kafka, 'leader', { rate: 300 }, async () => {
      await sleep(1_500);
      await kafka.brokers[0]?.kill();
      await sleep(6_000);
      await kafka.brokers[0]?.start();
    });
    await assertWhole(t, kafka, runs);
  });

  test('a leader is frozen for a while: all arrives, once', async (t) => {
    const runs = await withBoth(kafka, 'frozen', { rate: 300 }, async () => {
      await sleep(1_500);
      kafka.brokers[1]?.freeze();
      await sleep(5_000);
      kafka.brokers[1]?.thaw();
    });
    await assertWhole(t, kafka, runs);
  });

  test('all brokers are down for 30 s: what waits arrives, once', async (t) => {
    const runs = await withBoth(kafka, 'down', { rate: 100 }, async () => {
      await sleep(1_500);
      await Promise.all(kafka.brokers.map((broker) => broker.kill()));
      await sleep(30_000);
      await Promise.all(kafka.brokers.map((broker) => broker.start()));
    });
    await assertWhole(t, kafka, runs);
  });
});
