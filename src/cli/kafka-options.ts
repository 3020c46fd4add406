import { readFileSync } from 'node:fs';
import type { Command } from 'commander';
import {
  kafkaClients,
  kafkaCompressions,
  kafkaFormats,
  kafkaKeys,
  saslMechanisms,
  type KafkaConnection,
  type KafkaOptions,
  type KafkaSasl,
  type KafkaTls,
} from '../exporters/kafka/options.ts';

/** What commander found: text, unchecked. */
export interface KafkaFlags extends KafkaConnectionFlags {
  readonly kafka?: string;
  readonly kafkaTopic?: string;
  readonly kafkaFormat?: string;
  readonly kafkaKey?: string;
  readonly kafkaCompression?: string;
  readonly kafkaMaxBytes?: string;
  readonly kafkaSpill?: string;
  readonly kafkaSpillMb?: string;
}

/** How the brokers are reached: for writing and for reading. */
export interface KafkaConnectionFlags {
  readonly kafkaClient?: string;
  /** true: asked for without a file. */
  readonly kafkaTls?: string | true;
  readonly kafkaTlsCert?: string;
  readonly kafkaTlsKey?: string;
  readonly kafkaSasl?: string;
  readonly kafkaUser?: string;
  readonly kafkaPasswordFile?: string;
}

type Environment = Readonly<Record<string, string | undefined>>;

export const passwordVariable = 'SKBSPAN_KAFKA_PASSWORD';
const spillMbDefault = 1024;
const bytesMax = 100_000_000;

/** Adds the options that say how brokers are reached. */
export const addKafkaConnectionOptions = (command: Command): Command =>
  command
    .option('--kafka-client <name>', `${kafkaClients.join(' or ')} (default: ${kafkaClients[0]})`)
    .option('--kafka-tls [ca-file]', 'use TLS; the file holds the authorities to trust, as PEM')
    .option('--kafka-tls-cert <file>', "skbspan's own certificate, as PEM, for mutual TLS")
    .option('--kafka-tls-key <file>', 'the key of that certificate, as PEM')
    .option('--kafka-sasl <mechanism>', `log in by ${saslMechanisms.join(', ')}`)
    .option('--kafka-user <name>', 'who logs in')
    .option(
      '--kafka-password-file <file>',
      `its first line is the password (or the variable ${passwordVariable})`,
    );

/** Adds the options of Kafka as an output. */
export const addKafkaOptions = (command: Command): Command =>
  addKafkaConnectionOptions(
    command
      .option('--kafka <brokers>', 'write each path to Kafka: host:port, several with commas')
      .option('--kafka-topic <name>', 'topic (default: skbspan.paths, skbspan.hops or otlp_spans)')
      .option(
        '--kafka-format <name>',
        `${kafkaFormats.join(', ')}: a record per path, per call, or of spans (default: json)`,
      )
      .option(
        '--kafka-key <name>',
        `what decides the partition: ${kafkaKeys.join(', ')} (default: flow)`,
      )
      .option('--kafka-compression <name>', `${kafkaCompressions.join(', ')} (default: none)`)
      .option('--kafka-max-bytes <n>', 'biggest record in bytes (default: 1000000)')
      .option('--kafka-spill <folder>', 'keep here what no broker takes, and send it later')
      .option('--kafka-spill-mb <n>', `how much of it (default: ${spillMbDefault})`),
  );

/** One of `names`, or a problem. */
function choice<Name extends string>(
  option: string,
  text: string | undefined,
  names: readonly Name[],
  problems: string[],
): Name | undefined {
  if (text === undefined) return undefined;
  const found = names.find((name) => name === text);
  if (found === undefined) problems.push(`${option}: want ${names.join(', ')}, not '${text}'`);
  return found;
}

function whole(
  option: string,
  text: string | undefined,
  most: number,
  problems: string[],
): number | undefined {
  if (text === undefined) return undefined;
  const value = /^\d+$/.test(text) ? Number(text) : 0;
  if (value >= 1 && value <= most) return value;
  problems.push(`${option}: want a whole number from 1 to ${most}, not '${text}'`);
  return undefined;
}

function readText(
  option: string,
  file: string | undefined,
  problems: string[],
): string | undefined {
  if (file === undefined) return undefined;
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code = 'unreadable' } = error as NodeJS.ErrnoException;
    problems.push(`${option}: cannot read '${file}' (${code})`);
    return undefined;
  }
}

const isBroker = (text: string): boolean => {
  const port = /^(?:[\w.-]+|\[[\da-f:.]+\]):(\d{1,5})$/i.exec(text)?.[1];
  return port !== undefined && Number(port) >= 1 && Number(port) <= 65_535;
};

/** Brokers as `host:port`, a port left out is 9092. */
export function parseBrokers(option: string, text: string, problems: string[]): readonly string[] {
  const brokers = text.split(',').map((each) => {
    const broker = each.trim();
    return /^[\w.-]+$/.test(broker) ? `${broker}:9092` : broker;
  });
  const wrong = brokers.filter((broker) => !isBroker(broker));
  if (wrong.length > 0) {
    problems.push(`${option}: want host:port, several with commas, not '${wrong.join(',')}'`);
  }
  return brokers;
}

function parseTls(flags: KafkaConnectionFlags, problems: string[]): KafkaTls | undefined {
  const { kafkaTls, kafkaTlsCert, kafkaTlsKey } = flags;
  if ((kafkaTlsCert === undefined) !== (kafkaTlsKey === undefined)) {
    problems.push('--kafka-tls-cert and --kafka-tls-key go together; one is missing');
  }
  if (kafkaTls === undefined && kafkaTlsCert === undefined && kafkaTlsKey === undefined)
    return undefined;
  return {
    ca: readText('--kafka-tls', kafkaTls === true ? undefined : kafkaTls, problems),
    certificate: readText('--kafka-tls-cert', kafkaTlsCert, problems),
    key: readText('--kafka-tls-key', kafkaTlsKey, problems),
  };
}

function parseSasl(
  flags: KafkaConnectionFlags,
  env: Environment,
  problems: string[],
): KafkaSasl | undefined {
  const mechanism = choice('--kafka-sasl', flags.kafkaSasl, saslMechanisms, problems);
  const { kafkaUser: user, kafkaPasswordFile: file } = flags;
  if (flags.kafkaSasl === undefined) {
    for (const [option, value] of [
      ['--kafka-user', user],
      ['--kafka-password-file', file],
    ] as const) {
      if (value !== undefined) problems.push(`${option} needs --kafka-sasl`);
    }
    return undefined;
  }
  const [line] = readText('--kafka-password-file', file, problems)?.split(/\r?\n/) ?? [];
  const password = file === undefined ? env[passwordVariable] : line;
  if (user === undefined || user === '') problems.push('--kafka-sasl needs --kafka-user');
  if (file === undefined && (password === undefined || password === '')) {
    problems.push(
      `--kafka-sasl needs a password: --kafka-password-file, or the variable ${passwordVariable}`,
    );
  } else if (password === '') problems.push('--kafka-password-file: its first line is empty');
  if (mechanism === undefined || user === undefined || password === undefined) return undefined;
  return { mechanism, user, password };
}

/** How to reach `brokers`; mistakes go into `problems`. */
export function parseKafkaConnection(
  brokers: readonly string[],
  flags: KafkaConnectionFlags,
  env: Environment,
  problems: string[],
): KafkaConnection {
  return { brokers, tls: parseTls(flags, problems), sasl: parseSasl(flags, env, problems) };
}

/** Checks all Kafka options at once; mistakes go into `problems`. undefined: no Kafka asked for, or wrong. */
export function parseKafkaOptions(
  flags: KafkaFlags,
  env: Environment,
  problems: string[],
): KafkaOptions | undefined {
  if (flags.kafka === undefined) {
    const stray = Object.keys(flags).filter((name) => name.startsWith('kafka'));
    for (const name of stray) {
      const option = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
      problems.push(`--${option} needs --kafka`);
    }
    return undefined;
  }
  const brokers = parseBrokers('--kafka', flags.kafka, problems);
  const connection = parseKafkaConnection(brokers, flags, env, problems);
  const client = choice('--kafka-client', flags.kafkaClient, kafkaClients, problems);
  const format = choice('--kafka-format', flags.kafkaFormat, kafkaFormats, problems);
  const key = choice('--kafka-key', flags.kafkaKey, kafkaKeys, problems);
  const compression = choice(
    '--kafka-compression',
    flags.kafkaCompression,
    kafkaCompressions,
    problems,
  );
  const maxRecordBytes = whole('--kafka-max-bytes', flags.kafkaMaxBytes, bytesMax, problems);
  const spillMb = whole('--kafka-spill-mb', flags.kafkaSpillMb, 1024 * 1024, problems);
  if (flags.kafkaSpillMb !== undefined && flags.kafkaSpill === undefined)
    problems.push('--kafka-spill-mb needs --kafka-spill');
  for (const [option, value] of [
    ['--kafka-topic', flags.kafkaTopic],
    ['--kafka-spill', flags.kafkaSpill],
  ] as const) {
    if (value === '') problems.push(`${option}: the value is empty`);
  }
  return {
    connection,
    topic: flags.kafkaTopic,
    client: client ?? kafkaClients[0],
    format: format ?? 'json',
    key: key ?? 'flow',
    compression: compression ?? 'none',
    ...(maxRecordBytes === undefined ? {} : { maxRecordBytes }),
    ...(flags.kafkaSpill === undefined
      ? {}
      : {
          spill: {
            folder: flags.kafkaSpill,
            maxBytes: (spillMb ?? spillMbDefault) * 1024 * 1024,
          },
        }),
  };
}
