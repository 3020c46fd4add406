import type { PacketPath } from '../../event/packet-path.ts';
import { pathSchema } from '../json/records.ts';
import type { KafkaRecord } from './client.ts';
import { hopSchema, hopValues } from './hop-records.ts';
import { readIdentity, type Identity } from './identity.ts';
import type { KafkaOptions } from './options.ts';
import { pathValue } from './path-records.ts';
import { recordKey } from './record-key.ts';

/** Brokers refuse a batch of more than 1 MiB and 12 bytes by default; the rest is for headers and keys. */
export const defaultMaxBytes = 1_000_000;

export interface Encoder {
  /** On every record: schema, host and boot. */
  readonly headers: Readonly<Record<string, string>>;
  /** The records of a path; undefined if one of them is bigger than a record may be. */
  encode(path: PacketPath): readonly KafkaRecord[] | undefined;
}

const schemas = { json: pathSchema, hops: hopSchema, otlp_proto: 'otlp_proto' } as const;

/** Makes records of paths, in the format that was asked for. */
export async function createEncoder(options: KafkaOptions): Promise<Encoder> {
  const { format, key, maxRecordBytes: maxBytes = defaultMaxBytes } = options;
  const read = readIdentity();
  const identity: Identity = {
    host: options.host ?? read.host,
    bootId: options.bootId ?? read.bootId,
  };
  const toValues = await chooseValues(options, identity, maxBytes);
  return {
    headers: { schema: schemas[format], host: identity.host, boot_id: identity.bootId },
    encode(path) {
      const keyBytes = Buffer.from(recordKey(path, key));
      const records: KafkaRecord[] = [];
      for (const value of toValues(path)) {
        if (value === undefined || value.length > maxBytes) return undefined;
        records.push({ key: keyBytes, value });
      }
      return records;
    },
  };
}

async function chooseValues(
  { format, version }: KafkaOptions,
  identity: Identity,
  maxBytes: number,
): Promise<(path: PacketPath) => readonly (Buffer | undefined)[]> {
  switch (format) {
    case 'json':
      return (path) => [pathValue(path, identity)];
    case 'hops':
      return (path) => hopValues(path, identity);
    case 'otlp_proto': {
      const { createSpanValues } = await import('./span-records.ts');
      return createSpanValues({ maxBytes, version });
    }
  }
}
