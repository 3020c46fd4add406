import { promisify } from 'node:util';
import { zstdCompress, zstdDecompress } from 'node:zlib';
import kafkajs from 'kafkajs';
import { UsageError } from '../../errors.ts';
import type { KafkaCompression } from './options.ts';

interface Codec {
  compress(encoder: { readonly buffer: Buffer }): Promise<Buffer>;
  decompress(buffer: Buffer): Promise<Buffer>;
}

const { CompressionCodecs, CompressionTypes } = kafkajs;

/** Not among skbspan's dependencies: the other client brings both. */
const packages = { snappy: 'kafkajs-snappy', lz4: 'kafkajs-lz4' } as const;

/** Gives kafkajs the codec, of which it has only gzip. Throws UsageError that names the package that is missing. */
export async function registerCodec(compression: KafkaCompression): Promise<void> {
  const codecs = CompressionCodecs as Record<number, (() => Codec) | undefined>;
  if (compression === 'zstd') {
    const compress = promisify(zstdCompress);
    const decompress = promisify(zstdDecompress);
    codecs[CompressionTypes.ZSTD] = () => ({
      compress: ({ buffer }) => compress(buffer),
      decompress: (buffer) => decompress(buffer),
    });
  } else if (compression === 'snappy' || compression === 'lz4') {
    const name = packages[compression];
    try {
      const { default: made } = (await import(name)) as {
        readonly default: (() => Codec) | (new () => { readonly codec: () => Codec });
      };
      const type = compression === 'snappy' ? CompressionTypes.Snappy : CompressionTypes.LZ4;
      // kafkajs-snappy is the codec itself, kafkajs-lz4 a class that has it.
      codecs[type] =
        compression === 'snappy'
          ? (made as () => Codec)
          : new (made as new () => { readonly codec: () => Codec })().codec;
    } catch (cause) {
      throw new UsageError(`kafkajs has no ${compression} by itself.`, {
        advice: `Install it, npm install ${name}, or take --kafka-client platformatic, which has it, or another --kafka-compression.`,
        cause,
      });
    }
  }
}
