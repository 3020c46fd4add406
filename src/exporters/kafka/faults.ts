import { SkbspanError } from '../../errors.ts';
import type { KafkaConnection } from './options.ts';

/** Kafka's own name of an error (`TOPIC_AUTHORIZATION_FAILED`), wherever the client has put it; undefined: not said by a broker. */
export function protocolError(error: unknown): string | undefined {
  return findIn(error, (each) => {
    const { type, apiId } = each as { readonly type?: unknown; readonly apiId?: unknown };
    const name = typeof apiId === 'string' ? apiId : type;
    return typeof name === 'string' && /^[A-Z][A-Z_]+$/.test(name) && name !== 'UNKNOWN'
      ? name
      : undefined;
  });
}

/** The first thing that `look` finds in an error, its causes and the errors it is made of. */
function findIn<T>(
  error: unknown,
  look: (each: object) => T | undefined,
  depth = 0,
): T | undefined {
  if (typeof error !== 'object' || error === null || depth > 8) return undefined;
  const found = look(error);
  if (found !== undefined) return found;
  const { errors, cause } = error as { readonly errors?: unknown; readonly cause?: unknown };
  for (const inner of Array.isArray(errors) ? errors.toReversed() : []) {
    const below = findIn(inner, look, depth + 1);
    if (below !== undefined) return below;
  }
  return findIn(cause, look, depth + 1);
}

/** The innermost thing said: the clients wrap what the system says in several layers. */
function words(error: unknown): string {
  const messages: string[] = [];
  findIn(error, (each) => {
    if (each instanceof Error && each.message !== '') messages.push(each.message);
    return undefined;
  });
  const [outer = String(error)] = messages;
  return (messages.at(-1) ?? outer).replace(/\.$/, '');
}

const advice: Readonly<Record<string, (topic: string) => readonly [string, string]>> = {
  UNKNOWN_TOPIC_OR_PARTITION: (topic) => [
    `there is no topic '${topic}'`,
    `Create it: kafka-topics.sh --bootstrap-server BROKER --create --topic ${topic} --partitions 12. skbspan does not, since nobody would have chosen its partitions and retention.`,
  ],
  INVALID_TOPIC_EXCEPTION: (topic) => [
    `'${topic}' cannot be a topic's name`,
    'Use letters, digits, dot, - and _, at most 249 of them.',
  ],
  TOPIC_AUTHORIZATION_FAILED: (topic) => [
    `not allowed to use the topic '${topic}'`,
    `Let the user write to it: kafka-acls.sh --add --allow-principal User:NAME --producer --topic ${topic}. Readers need --consumer.`,
  ],
  GROUP_AUTHORIZATION_FAILED: () => [
    'not allowed to use this consumer group',
    'Let the user read as the group: kafka-acls.sh --add --allow-principal User:NAME --consumer --group GROUP --topic TOPIC.',
  ],
  CLUSTER_AUTHORIZATION_FAILED: () => [
    'not allowed to write idempotently',
    'Let the user do that: kafka-acls.sh --add --allow-principal User:NAME --operation IdempotentWrite --cluster.',
  ],
  SASL_AUTHENTICATION_FAILED: () => [
    'user or password refused',
    'Check --kafka-user and the password in SKBSPAN_KAFKA_PASSWORD or --kafka-password-file.',
  ],
  UNSUPPORTED_SASL_MECHANISM: () => [
    'the broker does not know this SASL mechanism',
    'Choose another by --kafka-sasl: plain, scram-sha-256 or scram-sha-512.',
  ],
  UNSUPPORTED_VERSION: () => [
    'the broker is too old or too new for this client',
    'skbspan is tested with Kafka 3.9 and 4.1. Try the other client: --kafka-client.',
  ],
  MESSAGE_TOO_LARGE: (topic) => [
    'the broker refuses records of this size',
    `Let the topic take more, kafka-configs.sh --alter --topic ${topic} --add-config max.message.bytes=4000000, or give its limit by --kafka-max-bytes.`,
  ],
  UNSUPPORTED_COMPRESSION_TYPE: () => [
    'the broker does not know this compression',
    'Choose another by --kafka-compression.',
  ],
  NOT_ENOUGH_REPLICAS: (topic) => [
    `too few replicas of '${topic}' are in sync`,
    'Start the missing brokers, or lower min.insync.replicas.',
  ],
};

const refusals: ReadonlySet<string> = new Set([
  'INVALID_TOPIC_EXCEPTION',
  'TOPIC_AUTHORIZATION_FAILED',
  'CLUSTER_AUTHORIZATION_FAILED',
  'SASL_AUTHENTICATION_FAILED',
  'UNSUPPORTED_SASL_MECHANISM',
  'UNSUPPORTED_VERSION',
  'UNSUPPORTED_COMPRESSION_TYPE',
  'INVALID_RECORD',
]);

/** A broker said no, and would say so again. */
export function isRefusal(error: unknown): boolean {
  const name = protocolError(error);
  return name !== undefined && refusals.has(name);
}

/** It may work in a while: nobody was reached, or the brokers are busy with each other. */
export function isPassing(error: unknown): boolean {
  const name = protocolError(error);
  return name === undefined || !(refusals.has(name) || lasting.has(name));
}

/** A broker answered that it, or the one that it names, will answer in a moment. */
export function isBusy(error: unknown): boolean {
  const name = protocolError(error);
  return name !== undefined && busy.has(name);
}

const busy: ReadonlySet<string> = new Set([
  'GROUP_LOAD_IN_PROGRESS',
  'GROUP_COORDINATOR_NOT_AVAILABLE',
  'NOT_COORDINATOR_FOR_GROUP',
  'LEADER_NOT_AVAILABLE',
  'NOT_LEADER_FOR_PARTITION',
]);

/** Not a refusal of what is sent, but trying the same again does not help. */
const lasting: ReadonlySet<string> = new Set([
  'MESSAGE_TOO_LARGE',
  'RECORD_LIST_TOO_LARGE',
  'OUT_OF_ORDER_SEQUENCE_NUMBER',
  'UNKNOWN_PRODUCER_ID',
  'INVALID_PRODUCER_EPOCH',
]);

/** An error of a client as a sentence with advice. */
export function explainFault(
  error: unknown,
  { brokers, tls }: KafkaConnection,
  topic: string,
): SkbspanError {
  if (error instanceof SkbspanError) return error;
  const problem = (what: string, how: string): SkbspanError =>
    new SkbspanError('SKBSPAN_EXPORT', `Kafka ${brokers.join(',')}: ${what}.`, {
      advice: how,
      cause: error,
    });

  const name = protocolError(error);
  const known = name === undefined ? undefined : advice[name];
  if (known !== undefined) return problem(...known(topic));
  const said = words(error);
  if (/^Unknown topic/.test(said)) {
    return problem(...(advice['UNKNOWN_TOPIC_OR_PARTITION']?.(topic) ?? [said, '']));
  }
  if (/authenticat|SASL|SCRAM|credentials/i.test(said)) {
    const [what, how] = advice['SASL_AUTHENTICATION_FAILED']?.(topic) ?? [said, ''];
    return problem(`${what} (${said})`, how);
  }
  if (tls === undefined && /closed|reset|ended|requires TLS/i.test(said)) {
    return problem(
      `the broker hung up (${said})`,
      'A listener that wants TLS does so: try --kafka-tls. One that wants a password: --kafka-sasl.',
    );
  }
  if (/certificate|self.signed|SSL|TLS|EPROTO|wrong version|CERT_/i.test(said)) {
    return problem(
      `TLS failed (${said})`,
      'A private authority is given by --kafka-tls FILE; a listener without TLS wants no --kafka-tls.',
    );
  }
  if (/ENOTFOUND|EAI_AGAIN/.test(said)) {
    return problem(`no such host (${said})`, 'Is the name right, and does DNS know it?');
  }
  return problem(
    `${name ?? 'cannot be reached'} (${said})`,
    'Is a broker listening there, and does its advertised.listeners name an address that this host can reach?',
  );
}
