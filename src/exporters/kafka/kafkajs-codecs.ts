import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import type { compressionsAlgorithms } from '@platformatic/kafka';
import kafkajs from 'kafkajs';
import { UsageError } from '../../errors.ts';
import type { KafkaCompression } from './options.ts';

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

const { CompressionCodecs, CompressionTypes } = kafkajs;

type MakeCodec = () => Codec;
type Load = (name: string) => Promise<unknown>;

/** Codecs that kafkajs's users install; skbspan's other client has both, on the versions of Node that it runs on. */
const packages = { snappy: 'kafkajs-snappy', lz4: 'kafkajs-lz4' } as const;

async function fromOtherClient(name: 'snappy' | 'lz4', load: Load): Promise<MakeCodec> {
  const { compressionsAlgorithms: all } = (await load('@platformatic/kafka')) as {
    readonly compressionsAlgorithms: typeof compressionsAlgorithms;
  };
  const { compressSync, decompressSync } = all[name];
  return () => ({
    compress: ({ buffer }) => Promise.resolve(compressSync(buffer)),
    decompress: (buffer) => Promise.resolve(decompressSync(buffer)),
  });
}

async function fromPackage(name: 'snappy' | 'lz4', load: Load): Promise<MakeCodec> {
  const { default: made } = (await load(packages[name])) as {
    readonly default: MakeCodec | (new () => { readonly codec: MakeCodec });
  };
  // kafkajs-snappy is the codec itself, kafkajs-lz4 a class that has it.
  return name === 'snappy'
    ? (made as MakeCodec)
    : new (made as new () => { readonly codec: MakeCodec })().codec;
}

/** Gives kafkajs the codec, of which it has only gzip. Throws UsageError that names the package that is missing. */
export async function registerCodec(
  compression: KafkaCompression,
  load: Load = (name) => import(name),
): Promise<void> {
  const codecs = CompressionCodecs as Record<number, MakeCodec | undefined>;
  if (compression === 'zstd') {
    const compress = promisify(zstdCompress);
    const decompress = promisify(zstdDecompress);
    codecs[CompressionTypes.ZSTD] = () => ({
      compress: ({ buffer }) => compress(buffer),
      decompress: (buffer) => decompress(buffer),
    });
  } else if (compression === 'snappy' || compression === 'lz4') {
    const type = compression === 'snappy' ? CompressionTypes.Snappy : CompressionTypes.LZ4;
    try {
      codecs[type] = await fromOtherClient(compression, load).catch(() =>
        fromPackage(compression, load),
      );
    } catch (cause) {
      throw new UsageError(`kafkajs has no ${compression} by itself.`, {
        advice: `Install it, npm install ${packages[compression]}, or take a newer Node.js (22.22, 24.6), or another --kafka-compression.`,
        cause,
      });
    }
  }
}
