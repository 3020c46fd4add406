import assert from 'node:assert/strict';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test, type TestContext } from 'node:test';
import { parseKafkaOptions, type KafkaFlags } from '../../src/cli/kafka-options.ts';
import { parseTraceOptions } from '../../src/cli/trace-options.ts';
import { SkbspanError } from '../../src/errors.ts';

const defaults = {
  connection: { brokers: ['b:9092'], tls: undefined, sasl: undefined },
  topic: undefined,
  client: 'kafkajs',
  format: 'json',
  key: 'flow',
  compression: 'none',
};

function parse(flags: KafkaFlags, env: Record<string, string> = {}): [unknown, string[]] {
  const problems: string[] = [];
  return [parseKafkaOptions(flags, env, problems), problems];
}

function fileWith(t: TestContext, text: string): string {
  const folder = mkdtempSync(join(tmpdir(), 'skbspan-kafka-options-'));
  t.after(() => {
    rmSync(folder, { recursive: true });
  });
  const file = join(folder, 'file');
  writeFileSync(file, text);
  return file;
}

test('each option is read', () => {
  const table: readonly (readonly [KafkaFlags, object])[] = [
    [{}, {}],
    [
      { kafka: 'a:1,[::1]:2, c' },
      { connection: { ...defaults.connection, brokers: ['a:1', '[::1]:2', 'c:9092'] } },
    ],
    [{ kafkaTopic: 'x' }, { topic: 'x' }],
    [{ kafkaClient: 'platformatic' }, { client: 'platformatic' }],
    [{ kafkaFormat: 'otlp_proto' }, { format: 'otlp_proto' }],
    [{ kafkaKey: 'trace' }, { key: 'trace' }],
    [{ kafkaCompression: 'zstd' }, { compression: 'zstd' }],
    [{ kafkaMaxBytes: '2000' }, { maxRecordBytes: 2000 }],
    [{ kafkaSpill: '/s' }, { spill: { folder: '/s', maxBytes: 1024 ** 3 } }],
    [{ kafkaSpill: '/s', kafkaSpillMb: '1' }, { spill: { folder: '/s', maxBytes: 1024 ** 2 } }],
    [
      { kafkaTls: true },
      {
        connection: {
          ...defaults.connection,
          tls: { ca: undefined, certificate: undefined, key: undefined },
        },
      },
    ],
  ];
  for (const [flags, want] of table) {
    assert.deepEqual(
      parse({ kafka: 'b:9092', ...flags }),
      [{ ...defaults, ...want }, []],
      JSON.stringify(flags),
    );
  }
  assert.deepEqual(parse({}), [undefined, []]);
});

test('secrets come from files or the environment', (t) => {
  const flags = { kafka: 'b:9092', kafkaSasl: 'scram-sha-256', kafkaUser: 'u' };
  const sasl = (password: string): object => ({
    ...defaults,
    connection: {
      ...defaults.connection,
      sasl: { mechanism: 'scram-sha-256', user: 'u', password },
    },
  });
  assert.deepEqual(parse(flags, { SKBSPAN_KAFKA_PASSWORD: 'p' }), [sasl('p'), []]);
  const kafkaPasswordFile = fileWith(t, 'from file\n');
  assert.deepEqual(parse({ ...flags, kafkaPasswordFile }), [sasl('from file'), []]);
  const pem = fileWith(t, 'PEM');
  const [options] = parse({ kafka: 'b:9092', kafkaTls: pem, kafkaTlsCert: pem, kafkaTlsKey: pem });
  assert.deepEqual(options, {
    ...defaults,
    connection: { ...defaults.connection, tls: { ca: 'PEM', certificate: 'PEM', key: 'PEM' } },
  });
});

test('each mistake is refused and named', (t) => {
  const empty = fileWith(t, '\n');
  const table: readonly (readonly [KafkaFlags, RegExp])[] = [
    [{ kafka: '' }, /--kafka: want host:port/],
    [{ kafka: 'b:0' }, /--kafka: want host:port.*not 'b:0'/],
    [{ kafka: 'http://b:9092' }, /--kafka: want host:port/],
    [{ kafkaTopic: '' }, /--kafka-topic: the value is empty/],
    [{ kafkaClient: 'librdkafka' }, /--kafka-client: want kafkajs, platformatic/],
    [{ kafkaFormat: 'avro' }, /--kafka-format: want json, hops, otlp_proto/],
    [{ kafkaKey: 'host' }, /--kafka-key: want flow, trace/],
    [{ kafkaCompression: 'brotli' }, /--kafka-compression: want none, gzip/],
    [{ kafkaMaxBytes: '1e6' }, /--kafka-max-bytes: want a whole number/],
    [{ kafkaSpillMb: '5' }, /--kafka-spill-mb needs --kafka-spill/],
    [{ kafkaTlsCert: empty }, /--kafka-tls-cert and --kafka-tls-key go together/],
    [{ kafkaTls: '/no/such' }, /--kafka-tls: cannot read '\/no\/such' \(ENOENT\)/],
    [{ kafkaSasl: 'gssapi', kafkaUser: 'u' }, /--kafka-sasl: want plain/],
    [{ kafkaSasl: 'plain' }, /--kafka-sasl needs --kafka-user/],
    [
      { kafkaSasl: 'plain', kafkaUser: 'u' },
      /--kafka-sasl needs a password.*SKBSPAN_KAFKA_PASSWORD/,
    ],
    [{ kafkaSasl: 'plain', kafkaUser: 'u', kafkaPasswordFile: empty }, /first line is empty/],
    [{ kafkaUser: 'u' }, /--kafka-user needs --kafka-sasl/],
  ];
  for (const [flags, want] of table) {
    const [, problems] = parse({ kafka: 'b:9092', ...flags });
    assert.match(problems.join('\n'), want, JSON.stringify(flags));
  }
  assert.deepEqual(parse({ kafkaTopic: 'x', kafkaTlsCert: 'y' }), [
    undefined,
    ['--kafka-topic needs --kafka', '--kafka-tls-cert needs --kafka'],
  ]);
});

test('they are part of the one message of `trace`', () => {
  assert.throws(
    () => parseTraceOptions({ ringMb: '3', kafka: 'b', kafkaKey: 'x' }),
    (error: unknown) =>
      error instanceof SkbspanError &&
      /--ring-mb/.test(error.message) &&
      /--kafka-key/.test(error.message),
  );
  assert.deepEqual(parseTraceOptions({ kafka: 'b' }).kafka, defaults);
});
