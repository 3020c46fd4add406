import assert from 'node:assert/strict';
import { test, type TestContext } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseKafkaAddress } from '../../../src/sources/kafka/address.ts';
import { createKafkaSource } from '../../../src/sources/kafka/kafka-source.ts';
import { kafkaMissing, startKafka, type Cluster } from './cluster.ts';
import { fill, PATHS } from './filled-topic.ts';

interface Reader {
  readonly ids: string[];
  readonly done: Promise<void>;
}

/** Reads as a member of the group; each batch is in hand until `pace` resolves, with whether to stop then. */
function read(
  t: TestContext,
  kafka: Cluster,
  topic: string,
  pace: (ids: readonly string[]) => Promise<boolean>,
  more = '',
): Reader {
  const source = createKafkaSource({
    address: parseKafkaAddress(`kafka://${kafka.addresses.join(',')}/${topic}?group=g${more}`),
    connection: { tls: undefined, sasl: undefined },
    onNotice: (notice) => {
      t.diagnostic(notice);
    },
  });
  const ids: string[] = [];
  const all = async (): Promise<void> => {
    await source.open();
    for await (const batch of source.paths()) {
      ids.push(...batch.map(({ traceId }) => traceId));
      if (await pace(ids)) break;
    }
    await source.close();
  };
  return { ids, done: all() };
}

/** So long for each batch; stops after `most` paths. */
const every =
  (ms: number, most = Infinity) =>
  async (ids: readonly string[]): Promise<boolean> => {
    await sleep(ms);
    return ids.length >= most;
  };

async function until(holds: () => boolean): Promise<void> {
  while (!holds()) await sleep(20);
}

test(
  'readers of a group that come and go: together they read every record',
  { skip: kafkaMissing ?? false, timeout: 120_000 },
  async (t) => {
    // Small pieces, so that much is left when the second one comes.
    const kafka = await startKafka(t);

    const all = await fill(kafka, 'join');
    const first = read(t, kafka, 'join', every(400));
    await until(() => first.ids.length > 0);
    const second = read(t, kafka, 'join', every(100));
    await Promise.all([first.done, second.done]);
    const both = [...first.ids, ...second.ids];
    const twice = both.length - new Set(both).size;
    t.diagnostic(`join: ${first.ids.length} and ${second.ids.length} of ${PATHS}, ${twice} twice`);
    assert.deepEqual([...new Set(both)].sort(), all);
    assert.ok(first.ids.length > 0 && second.ids.length > 0, 'one of them had nothing to do');
    // What a reader had in hand when its partition was given to another: a batch of each at most.
    assert.ok(twice < PATHS / 2, String(twice));
  },
);

test(
  'a reader of a group that leaves: the other one reads what is left',
  { skip: kafkaMissing ?? false, timeout: 120_000 },
  async (t) => {
    const kafka = await startKafka(t);
    const more = await fill(kafka, 'leave');
    const leaver = read(t, kafka, 'leave', every(50, 1_000));
    const stayer = read(t, kafka, 'leave', every(50));
    await Promise.all([leaver.done, stayer.done]);
    const seen = new Set([...leaver.ids, ...stayer.ids]);
    t.diagnostic(`leave: ${leaver.ids.length} and ${stayer.ids.length} of ${PATHS}`);
    assert.deepEqual([...seen].sort(), more);
  },
);

test(
  'a reader that leaves when the other one is at the end of its own: that one has waited for the rest',
  { skip: kafkaMissing ?? false, timeout: 120_000 },
  async (t) => {
    const kafka = await startKafka(t);
    const all = await fill(kafka, 'late');
    let stayed = 0;
    /** Both have their share, and then the other one comes to the end of its own while this one has a batch in hand. */
    const hold = async (): Promise<boolean> => {
      await sleep(100);
      if (stayed === 0) return false;
      for (let before = -1; before !== stayed;) {
        before = stayed;
        await sleep(2_000);
      }
      return true;
    };
    const leaver = read(t, kafka, 'late', hold);
    const stayer = read(t, kafka, 'late', async () => {
      stayed = stayer.ids.length;
      // Else it has read all of it before the other one is there.
      if (leaver.ids.length === 0) await sleep(200);
      return false;
    });
    await leaver.done;
    const [left, before] = [leaver.ids.length, stayer.ids.length];
    await stayer.done;
    t.diagnostic(`late: ${left} and ${before}, then ${stayer.ids.length} of ${PATHS}`);
    assert.deepEqual([...new Set([...leaver.ids, ...stayer.ids])].sort(), all);
    assert.ok(left + before < PATHS, 'nothing was left to take over');
  },
);

test(
  'from: a group that nobody reads in begins there again; whoever joins one goes on with it',
  { skip: kafkaMissing ?? false, timeout: 120_000 },
  async (t) => {
    const kafka = await startKafka(t);
    const all = await fill(kafka, 'again');
    const once = read(t, kafka, 'again', every(0));
    await once.done;
    assert.deepEqual(once.ids.toSorted(), all);
    const none = read(t, kafka, 'again', every(0));
    await none.done;
    assert.deepEqual(none.ids, []);
    const first = read(t, kafka, 'again', every(100), '&from=earliest');
    await until(() => first.ids.length > 0);
    const second = read(t, kafka, 'again', every(10), '&from=latest');
    await Promise.all([first.done, second.done]);
    t.diagnostic(`again: ${first.ids.length} and ${second.ids.length} of ${PATHS}`);
    assert.deepEqual([...new Set([...first.ids, ...second.ids])].sort(), all);
  },
);
