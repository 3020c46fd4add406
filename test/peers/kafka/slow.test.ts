import assert from 'node:assert/strict';
import { test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaClients } from '../../../src/exporters/kafka/options.ts';
import { freePorts } from '../free-ports.ts';
import { kafkaMissing, startKafka } from './cluster.ts';
import { audit, run } from './delivery-run.ts';
import { startProxy, type Pace } from './proxy.ts';

const FAST: Pace = { bytesPerSecond: 1e9, delayMs: 0 };

test(
  'a slow broker: what is not taken in time is counted, to the record; in flight at Ctrl-C, nothing is lost uncounted',
  { skip: kafkaMissing ?? false, timeout: 200_000 },
  async (t) => {
    const [proxyPort = 0, port = 0, controller = 0] = await freePorts(3);
    const pace: Pace = { ...FAST };
    const kafka = await startKafka(t, {
      ports: [port, controller],
      // Whoever asks for the broker is sent to the proxy.
      properties: { 'advertised.listeners': `PLAINTEXT://127.0.0.1:${proxyPort}` },
    });
    await startProxy(t, proxyPort, port, pace);
    for (const client of kafkaClients) {
      const tell = (name: string, books: object, each: Awaited<ReturnType<typeof run>>): void => {
        t.diagnostic(
          `${client}, ${name}: ${JSON.stringify({ sent: each.sent.size, ...books, losses: [...each.losses] })}`,
        );
      };

      // A third of what is needed for some seconds: the queue takes the rest.
      Object.assign(pace, FAST);
      await kafka.createTopic(`slow-${client}`, 3);
      const slow = await run({ client, topic: `slow-${client}`, kafka, rate: 400 }, async () => {
        await sleep(500);
        Object.assign(pace, { bytesPerSecond: 700_000, delayMs: 50 });
        await sleep(8_000);
        Object.assign(pace, FAST);
      });
      const books = await audit(slow, kafka, `slow-${client}`);
      tell('for a while', books, slow);
      assert.deepEqual(books, { received: slow.sent.size, twice: 0, missing: 0 });
      assert.equal(slow.lost, 0);

      // Slow for good, and a small queue: it overflows, and Ctrl-C comes while a batch is under way.
      await kafka.createTopic(`slower-${client}`, 3);
      const slower = await run(
        {
          client,
          topic: `slower-${client}`,
          kafka,
          rate: 800,
          queuePaths: 1_000,
          settle: false,
        },
        async () => {
          Object.assign(pace, { bytesPerSecond: 700_000, delayMs: 50 });
          await sleep(8_000);
        },
      );
      Object.assign(pace, FAST);
      // What had been passed on when it ended is written a little later.
      await sleep(2_000);
      const after = await audit(slower, kafka, `slower-${client}`);
      tell('for good', after, slower);
      assert.equal(after.twice, 0);
      assert.ok((slower.losses.get('export_queue') ?? 0) > 100, 'the queue did not overflow');
      assert.ok((slower.losses.get('export_failed') ?? 0) > 0, 'nothing was in flight');
      const overflow = slower.losses.get('export_queue') ?? 0;
      // A queue's losses are exact; of what was in flight, the written ones whose answer was missing count as lost as well.
      assert.ok(after.missing >= overflow);
      assert.ok(after.missing <= slower.lost, `${after.missing} missing, ${slower.lost} counted`);
    }
  },
);
