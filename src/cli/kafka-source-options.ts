import { UsageError } from '../errors.ts';
import { parseKafkaAddress } from '../sources/kafka/address.ts';
import type { KafkaSourceOptions } from '../sources/kafka/kafka-source.ts';
import { parseKafkaConnection, type KafkaConnectionFlags } from './kafka-options.ts';

/** Is it the address of a topic, and not the name of a file? */
export const isKafkaAddress = (from: string): boolean => from.startsWith('kafka://');

/** `--from kafka://...` and how its brokers are reached; mistakes go into `problems`. undefined: the address is wrong. */
export function parseKafkaSource(
  from: string,
  flags: KafkaConnectionFlags,
  env: Readonly<Record<string, string | undefined>>,
  problems: string[],
): Omit<KafkaSourceOptions, 'onNotice'> | undefined {
  try {
    const address = parseKafkaAddress(from);
    return { address, connection: parseKafkaConnection(address.brokers, flags, env, problems) };
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    problems.push(`--from: ${error.message}`);
    return undefined;
  }
}
