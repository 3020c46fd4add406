/** What the user may say about Kafka output. */
export interface KafkaOptions {
  readonly connection: KafkaConnection;
  /** undefined: the format's usual one. */
  readonly topic: string | undefined;
  readonly client: KafkaClientName;
  readonly format: KafkaFormat;
  readonly key: KafkaKey;
  readonly compression: KafkaCompression;
  /** Biggest value in bytes; brokers refuse batches of more than 1 MiB by default. */
  readonly maxRecordBytes?: number;
  /** How long a batch may be tried before its paths count as not delivered. */
  readonly deliveryMs?: number;
  readonly spill?: SpillOptions;
  /** Name and boot of this host in every record; default: as the kernel says. */
  readonly host?: string;
  readonly bootId?: string;
  /** skbspan's version, for the scope of spans. */
  readonly version?: string;
}

/** How to reach the brokers; the reader of topics needs the same. */
export interface KafkaConnection {
  /** `host:port` each. */
  readonly brokers: readonly string[];
  /** undefined: plaintext. */
  readonly tls: KafkaTls | undefined;
  readonly sasl: KafkaSasl | undefined;
}

/** PEM texts; `ca` undefined: the authorities that Node trusts. */
export interface KafkaTls {
  readonly ca: string | undefined;
  readonly certificate: string | undefined;
  readonly key: string | undefined;
}

export interface KafkaSasl {
  readonly mechanism: SaslMechanism;
  readonly user: string;
  readonly password: string;
}

/** Where records go that no broker takes, to be sent later. */
export interface SpillOptions {
  readonly folder: string;
  readonly maxBytes: number;
  /** A batch that waits this long for its brokers makes the next ones go there; default 2 s. */
  readonly afterMs?: number;
}

export const kafkaClients = ['kafkajs', 'platformatic'] as const;
export type KafkaClientName = (typeof kafkaClients)[number];

export const kafkaFormats = ['json', 'hops', 'otlp_proto'] as const;
/** A record per path | a record per call, flat | a record of spans, as the OpenTelemetry Collector's Kafka receiver reads it. */
export type KafkaFormat = (typeof kafkaFormats)[number];

export const kafkaKeys = ['flow', 'trace'] as const;
export type KafkaKey = (typeof kafkaKeys)[number];

export const kafkaCompressions = ['none', 'gzip', 'snappy', 'lz4', 'zstd'] as const;
export type KafkaCompression = (typeof kafkaCompressions)[number];

export const saslMechanisms = ['plain', 'scram-sha-256', 'scram-sha-512'] as const;
export type SaslMechanism = (typeof saslMechanisms)[number];

/** Topic of a format if none is given; the Collector's receiver expects spans at `otlp_spans`. */
export const defaultTopics: Readonly<Record<KafkaFormat, string>> = {
  json: 'skbspan.paths',
  hops: 'skbspan.hops',
  otlp_proto: 'otlp_spans',
};
