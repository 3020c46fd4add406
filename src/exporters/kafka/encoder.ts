import type { Origin, PacketPath } from '../../event/packet-path.ts';
import { pathSchema } from '../json/records.ts';
import type { OwnedRecord } from './batches.ts';
import type { Headers } from './client.ts';
import { hopSchema, hopValues } from './hop-records.ts';
import type { KafkaOptions } from './options.ts';
import { pathValue } from './path-records.ts';
import { recordKey } from './record-key.ts';
import { readOrigin } from './this-origin.ts';

/** Brokers refuse a batch of more than 1 MiB and 12 bytes by default; the rest is for headers and keys. */
export const defaultMaxBytes = 1_000_000;

export interface Encoder {
  /** On every record that has none of its own: schema, host and boot. */
  readonly headers: Headers;
  /**
   * The records of a path, which is their owner, named after its own host if it has come from another; undefined if one of them
   * is bigger than a record may be.
   */
  encode(path: PacketPath): readonly OwnedRecord[] | undefined;
}

const schemas = { json: pathSchema, hops: hopSchema, otlp_proto: 'otlp_proto' } as const;

/** Makes records of paths, in the format that was asked for. */
export async function createEncoder(options: KafkaOptions): Promise<Encoder> {
  const { format, key, maxRecordBytes: maxBytes = defaultMaxBytes } = options;
  const read = readOrigin();
  const here: Origin = {
    host: options.host ?? read.host,
    bootId: options.bootId ?? read.bootId,
  };
  const toValues = await chooseValues(options, maxBytes);
  const headersOf = ({ host, bootId }: Origin): Headers => ({
    schema: schemas[format],
    host,
    boot_id: bootId,
  });
  return {
    headers: headersOf(here),
    encode(path) {
      const keyBytes = Buffer.from(recordKey(path, key));
      const { origin } = path;
      const headers = origin && headersOf(origin);
      const owner = { lost: false };
      const records: OwnedRecord[] = [];
      for (const value of toValues(path, origin ?? here)) {
        if (value === undefined || value.length > maxBytes) return undefined;
        const record = { key: keyBytes, value, owner };
        records.push(headers === undefined ? record : { ...record, headers });
      }
      return records;
    },
  };
}

async function chooseValues(
  { format, version }: KafkaOptions,
  maxBytes: number,
): Promise<(path: PacketPath, origin: Origin) => readonly (Buffer | undefined)[]> {
  switch (format) {
    case 'json':
      return (path, origin) => [pathValue(path, origin)];
    case 'hops':
      return hopValues;
    case 'otlp_proto': {
      const { createSpanValues } = await import('./span-records.ts');
      return createSpanValues({ maxBytes, version });
    }
  }
}
