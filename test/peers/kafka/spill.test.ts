import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { kafkaClients } from '../../../src/exporters/kafka/options.ts';
import { kafkaMissing, startKafka, type Cluster } from './cluster.ts';
import { audit, run, type Run } from './delivery-run.ts';

const skip = kafkaMissing ?? false;

/** A file system of its own, so that it can be full. */
function smallDisk(t: TestContext, megabytes: number): string {
  const path = mkdtempSync(join(tmpdir(), 'skbspan-disk-'));
  execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${megabytes}m`, 'tmpfs', path]);
  t.after(() => {
    execFileSync('umount', [path]);
    rmSync(path, { recursive: true });
  });
  return path;
}

const spilled = (folder: string): string[] =>
  readdirSync(folder).filter((name) => name.endsWith('.spill'));

describe('one broker, and a spill', { skip, timeout: 280_000 }, () => {
  let kafka: Cluster;
  const ends: (() => Promise<void>)[] = [];
  before(async () => {
    const owner = { after: (end: () => Promise<void>): unknown => ends.push(end) };
    kafka = await startKafka(owner);
  });
  after(() => Promise.all(ends.map((end) => end())));

  for (const client of kafkaClients) {
    const outage = async (ms: number): Promise<void> => {
      await sleep(500);
      await kafka.brokers[0]?.kill();
      await sleep(ms);
      await kafka.brokers[0]?.start();
    };
    const tell = (t: TestContext, name: string, books: object, each: Run): void => {
      t.diagnostic(
        `${name}: ${JSON.stringify({ sent: each.sent.size, ...books, losses: [...each.losses], notices: each.notices })}`,
      );
    };

    test(`${client}: an outage longer than the queue loses nothing`, async (t) => {
      const topic = `outage-${client}`;
      await kafka.createTopic(topic, 3);
      const folder = smallDisk(t, 64);
      const spill = { folder, maxBytes: 50e6, afterMs: 500 };
      const each = await run(
        { client, topic, kafka, rate: 500, queuePaths: 2_000, spill },
        async () => {
          await outage(4_000);
          await sleep(6_000);
        },
      );
      const books = await audit(each, kafka, topic);
      tell(t, client, books, each);
      assert.deepEqual(books, { received: each.sent.size, twice: 0, missing: 0 });
      assert.equal(each.lost, 0);
      assert.deepEqual(spilled(folder), []);
    });

    test(`${client}: a full disk; what fits arrives, the rest is counted`, async (t) => {
      const topic = `full-${client}`;
      await kafka.createTopic(topic, 3);
      const folder = smallDisk(t, 2);
      const spill = { folder, maxBytes: 50e6, afterMs: 500 };
      const each = await run({ client, topic, kafka, rate: 500, spill }, async () => {
        await outage(4_000);
      });
      const books = await audit(each, kafka, topic);
      tell(t, client, books, each);
      assert.equal(books.twice, 0);
      assert.deepEqual([...each.losses.keys()], ['spill_full']);
      assert.ok(each.lost > 100, 'the disk was too large for this test');
      assert.equal(books.received + each.lost, each.sent.size);
    });

    test(`${client}: Ctrl-C while the broker is down; the next run sends what is spilled`, async (t) => {
      const topic = `later-${client}`;
      await kafka.createTopic(topic, 3);
      const folder = smallDisk(t, 64);
      const spill = { folder, maxBytes: 50e6, afterMs: 500 };
      const each = await run(
        { client, topic, kafka, rate: 300, spill, settle: false },
        async () => {
          await sleep(1_500);
          await kafka.brokers[0]?.kill();
          await sleep(2_000);
        },
      );
      assert.equal(each.lost, 0);
      assert.ok(spilled(folder).length > 0);
      await kafka.brokers[0]?.start();
      const next = await run({ client, topic, kafka, rate: 0, spill }, () => sleep(3_000));
      assert.equal(next.sent.size, 0);
      const books = await audit(each, kafka, topic);
      tell(t, client, books, each);
      assert.equal(books.missing, 0);
      // What had been written when its answer was lost may come twice: one batch per partition at most.
      assert.ok(books.twice <= 100, String(books.twice));
      assert.deepEqual(spilled(folder), []);
    });
  }
});
