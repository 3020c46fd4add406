// Real Kafka brokers (KRaft, combined mode) on loopback, each a process of its own, and what is asked of them in tests.
import { execFile, execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  writeFileSync,
  openSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import kafkajs from 'kafkajs';
import { calmQueue } from '../../../src/exporters/kafka/kafkajs-queue.ts';
import { freePorts } from '../free-ports.ts';

export const newestKafka = '4.1.0';
export const olderKafka = '3.9.1';

export const jarsOf = (version: string): string =>
  fileURLToPath(new URL(`../../../.cache/kafka-${version}`, import.meta.url));

/** Why tests with Kafka cannot run; undefined if they can. */
export const kafkaMissing = [newestKafka, olderKafka].every((version) =>
  existsSync(jarsOf(version)),
)
  ? undefined
  : 'Kafka is not in .cache: run scripts/peers/get-kafka.sh';

export interface Broker {
  readonly id: number;
  readonly address: string;
  /** Of its process; undefined: it was not started yet. */
  readonly pid: number | undefined;
  /** Ends it as a crash does. */
  kill(): Promise<void>;
  start(): Promise<void>;
  /** SIGSTOP and SIGCONT: connections stay, nothing answers. */
  freeze(): void;
  thaw(): void;
}

export interface Cluster {
  readonly brokers: readonly Broker[];
  readonly addresses: readonly string[];
  createTopic(
    topic: string,
    partitions: number,
    config?: Readonly<Record<string, string>>,
  ): Promise<void>;
  /** Of each partition, the broker that leads it. */
  leaders(topic: string): Promise<number[]>;
  /** Records of a topic so far. */
  count(topic: string): Promise<number>;
  /** Every record of a topic, as it stands there now. */
  records(topic: string): Promise<TopicRecord[]>;
}

export interface TopicRecord {
  readonly partition: number;
  readonly offset: number;
  readonly key: string;
  readonly value: Buffer;
  readonly headers: Readonly<Record<string, string>>;
}

export interface ClusterOptions {
  readonly brokers?: number;
  readonly version?: string;
  /** Lines of server.properties over the usual ones. */
  readonly properties?: Readonly<Record<string, string>>;
  /** Of the listeners for clients, then of those for controllers; default: free ones. */
  readonly ports?: readonly number[];
  /** Of the tool that formats the storage. */
  readonly formatArguments?: readonly string[];
}

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode === null && child.signalCode === null) await once(child, 'close');
}

const readyMs = 60_000;
/** Whoever the brokers live for: a test, or a suite. */
export interface Owner {
  after(end: () => Promise<void>): unknown;
}

const CLUSTER_ID = 'c2tic3Bhbi10ZXN0cy0wMQ';

/** Of a broker's log, what went wrong; all its end if nothing says so. */
function troubleIn(log: string): string {
  const lines = log.split('\n').filter((line) => /ERROR|FATAL|Exception|Caused by/.test(line));
  return lines.length > 0 ? lines.slice(0, 20).join('\n') : log.slice(-4_000);
}

/** Starts brokers for the time of a test; resolves when all of them take records. */
export async function startKafka(t: Owner, options: ClusterOptions = {}): Promise<Cluster> {
  const { brokers: count = 1, version = newestKafka, properties = {} } = options;
  const jars = jarsOf(version);
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-kafka-'));
  const ports = options.ports ?? (await freePorts(count * 2));
  const replicas = String(Math.min(count, 3));
  const voters = Array.from(
    { length: count },
    (_, id) => `${id + 1}@127.0.0.1:${ports[count + id]}`,
  );
  const running: ChildProcess[] = [];
  t.after(async () => {
    for (const child of running) child.kill('SIGKILL');
    await Promise.all(running.map(ended));
    rmSync(folder, { recursive: true, force: true });
  });

  const broker = (id: number): Broker => {
    const port = ports[id - 1] ?? 0;
    const home = join(folder, String(id));
    mkdirSync(home);
    const file = join(home, 'server.properties');
    const lines: Readonly<Record<string, string>> = {
      'process.roles': 'broker,controller',
      'node.id': String(id),
      'controller.quorum.voters': voters.join(','),
      listeners: `PLAINTEXT://127.0.0.1:${port},CONTROLLER://127.0.0.1:${ports[count + id - 1]}`,
      'advertised.listeners': `PLAINTEXT://127.0.0.1:${port}`,
      'controller.listener.names': 'CONTROLLER',
      'inter.broker.listener.name': 'PLAINTEXT',
      'log.dirs': join(home, 'log'),
      'offsets.topic.replication.factor': replicas,
      'offsets.topic.num.partitions': '3',
      'transaction.state.log.replication.factor': replicas,
      'transaction.state.log.min.isr': '1',
      'share.coordinator.state.topic.replication.factor': replicas,
      'share.coordinator.state.topic.min.isr': '1',
      'default.replication.factor': replicas,
      'min.insync.replicas': count >= 3 ? '2' : '1',
      'group.initial.rebalance.delay.ms': '0',
      // A dead broker is noticed in 2 s instead of 9.
      'broker.session.timeout.ms': '2000',
      'broker.heartbeat.interval.ms': '500',
      ...properties,
    };
    writeFileSync(
      file,
      Object.entries(lines)
        .map(([name, value]) => `${name}=${value}\n`)
        .join(''),
    );
    const java = [
      '-Xmx256m',
      '-XX:+UseSerialGC',
      '-XX:TieredStopAtLevel=1',
      '-Dorg.slf4j.simpleLogger.defaultLogLevel=info',
      '-cp',
      join(jars, '*'),
    ];
    execFileSync(
      'java',
      [
        ...java,
        'kafka.tools.StorageTool',
        'format',
        '-t',
        CLUSTER_ID,
        '-c',
        file,
        ...(options.formatArguments ?? []),
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    );
    let child: ChildProcess | undefined;
    let log = '';

    return {
      id,
      address: `127.0.0.1:${port}`,
      get pid() {
        return child?.pid;
      },
      async start() {
        const logFile = join(home, `${Date.now()}.log`);
        log = logFile;
        const output = openSync(logFile, 'w');
        const started = spawn('java', [...java, 'kafka.Kafka', file], {
          stdio: ['ignore', output, output],
        });
        child = started;
        running.push(started);
        const giveUpAt = Date.now() + readyMs;
        while (!readFileSync(log, 'utf8').includes('Kafka Server started')) {
          if (started.exitCode !== null || Date.now() > giveUpAt)
            throw new Error(`Kafka did not start:\n${troubleIn(readFileSync(log, 'utf8'))}`);
          await sleep(50);
        }
      },
      async kill() {
        child?.kill('SIGKILL');
        if (child !== undefined) await ended(child);
      },
      freeze: () => child?.kill('SIGSTOP'),
      thaw: () => child?.kill('SIGCONT'),
    };
  };

  const brokers = Array.from({ length: count }, (_, index) => broker(index + 1));
  await Promise.all(brokers.map((each) => each.start()));
  const addresses = brokers.map(({ address }) => address);
  return { brokers, addresses, ...asAdmin(addresses) };
}

/** What kafkajs's admin client does; its log is off. */
function asAdmin(
  addresses: readonly string[],
): Pick<Cluster, 'createTopic' | 'leaders' | 'count' | 'records'> {
  calmQueue();
  const kafka = new kafkajs.Kafka({
    brokers: [...addresses],
    logLevel: kafkajs.logLevel.NOTHING,
    retry: { retries: 20, initialRetryTime: 200, maxRetryTime: 1_000 },
  });
  return {
    async createTopic(topic, partitions, config = {}) {
      const admin = kafka.admin();
      await admin.connect();
      await admin.createTopics({
        waitForLeaders: false,
        topics: [
          {
            topic,
            numPartitions: partitions,
            replicationFactor: Math.min(addresses.length, 3),
            configEntries: Object.entries(config).map(([name, value]) => ({ name, value })),
          },
        ],
      });
      // kafkajs's own waiting fails on brokers that have not heard of the topic yet.
      for (let ready = false; !ready;) {
        await sleep(50);
        ready = await admin.fetchTopicMetadata({ topics: [topic] }).then(
          ({ topics }) =>
            topics[0]?.partitions.every(
              ({ isr }) => isr.length >= Math.min(addresses.length, 3),
            ) === true,
          () => false,
        );
      }
      await admin.disconnect();
    },
    async leaders(topic) {
      const admin = kafka.admin();
      await admin.connect();
      const { topics } = await admin.fetchTopicMetadata({ topics: [topic] });
      await admin.disconnect();
      return (topics[0]?.partitions ?? [])
        .toSorted((a, b) => a.partitionId - b.partitionId)
        .map(({ leader }) => leader);
    },
    async count(topic) {
      const admin = kafka.admin();
      await admin.connect();
      const offsets = await admin.fetchTopicOffsets(topic);
      await admin.disconnect();
      return offsets.reduce((sum, { high, low }) => sum + Number(high) - Number(low), 0);
    },
    records: (topic) => readByKcat(addresses, topic),
  };
}

const KCAT_TIMEOUT_MS = 60_000;

/**
 * Debian's kcat, that is librdkafka: it knows nothing of the clients that wrote. Each record is a line of its numbers and lengths,
 * then key, value and headers as they are. This process goes on meanwhile: the way to the broker may lead through its own proxy.
 */
export async function readByKcat(
  addresses: readonly string[],
  topic: string,
  more: readonly string[] = [],
): Promise<TopicRecord[]> {
  const { stdout: output } = await promisify(execFile)(
    'kcat',
    [
      '-b',
      addresses.join(','),
      '-C',
      '-t',
      topic,
      '-o',
      'beginning',
      '-e',
      '-q',
      '-f',
      '%p %o %K %S %h\\n%k%s\\n',
      ...more,
    ],
    { encoding: 'buffer', maxBuffer: 4 * 1024 ** 3, timeout: KCAT_TIMEOUT_MS },
  );
  const records: TopicRecord[] = [];
  for (let at = 0; at < output.length;) {
    const end = output.indexOf(10, at);
    const [partition = '', offset = '', keyLength = '', valueLength = '', ...headers] = output
      .toString('utf8', at, end)
      .split(' ');
    const keyEnd = end + 1 + Math.max(0, Number(keyLength));
    const valueEnd = keyEnd + Number(valueLength);
    records.push({
      partition: Number(partition),
      offset: Number(offset),
      key: output.toString('utf8', end + 1, keyEnd),
      value: output.subarray(keyEnd, valueEnd),
      headers: Object.fromEntries(
        headers
          .join(' ')
          .split(',')
          .map((header) => header.split('=') as [string, string]),
      ),
    });
    at = valueEnd + 1;
  }
  return records;
}
