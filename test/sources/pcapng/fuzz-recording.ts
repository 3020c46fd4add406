import { SkbspanError } from '../../../src/errors.ts';
import type { PacketPath } from '../../../src/event/packet-path.ts';
import { createRecordingReader } from '../../../src/sources/pcapng/recording.ts';
import { record } from './record.ts';

export interface FuzzResult {
  /** Inputs that were refused as damaged. */
  readonly refused: number;
  /** Paths that came out of all inputs. */
  readonly paths: number;
  /** Of this process's CPU time: what else a machine does is not counted in. */
  readonly slowestMs: number;
  /** Errors of other kinds, and paths that cannot be: each a bug. */
  readonly wrong: readonly string[];
}

function cpuMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
}

/** Numbers from 0 up to 1 that are the same for the same seed (xorshift32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 0x1_0000_0000;
  };
}

const texts = ['=', ' ', '%', '/', '-1', '99999999999999999999', 'ns', '0x', 'rec=', 'life ', '\0'];

/** A few calls are enough for all forms of records, and many times quicker. */
const shortened = (path: PacketPath): PacketPath => ({
  ...path,
  lives: path.lives.map((life) => ({ ...life, calls: life.calls.slice(0, 3) })),
});

/** Reads `inputs` damaged forms of recordings of `paths`. */
export function fuzzRecording(
  paths: readonly PacketPath[],
  inputs: number,
  seed: number,
): FuzzResult {
  const random = randomFrom(seed);
  const below = (limit: number): number => Math.floor(random() * limit);
  const seeds = paths.map((path) => Buffer.from(record([shortened(path)])));
  const wrong: string[] = [];
  let refused = 0;
  let found = 0;
  let slowestMs = 0;

  function damage(bytes: Buffer): Buffer {
    const at = below(bytes.length);
    switch (below(6)) {
      case 0:
        bytes[at] = below(256);
        return bytes;
      case 1:
        bytes.writeUInt32LE(
          random() < 0.5 ? below(64) : below(0xffffffff),
          Math.min(at, bytes.length - 4),
        );
        return bytes;
      case 2:
        return bytes.subarray(0, at);
      case 3:
        bytes.copy(bytes, below(bytes.length), at, at + below(200));
        return bytes;
      case 4:
        bytes.write(texts[below(texts.length)] ?? '', at, 'latin1');
        return bytes;
      default:
        // A digit for a digit: lengths stay right, so the words are read.
        for (let next = at; next < bytes.length; next++) {
          const byte = bytes[next] ?? 0;
          if (byte >= 0x30 && byte <= 0x39) {
            bytes[next] = 0x30 + below(10);
            break;
          }
        }
        return bytes;
    }
  }

  for (let input = 0; input < inputs && wrong.length < 10; input++) {
    let bytes: Buffer = Buffer.from(seeds[below(seeds.length)] ?? Buffer.alloc(0));
    for (let count = 1 + below(4); count > 0 && bytes.length > 4; count--) bytes = damage(bytes);
    const began = cpuMs();
    const reader = createRecordingReader('fuzz');
    try {
      const cut = below(bytes.length);
      const read = [...reader.push(bytes.subarray(0, cut)), ...reader.push(bytes.subarray(cut))];
      reader.end();
      reader.statistics();
      found += read.length;
      for (const path of read) {
        if (path.lives.length === 0) wrong.push(`${input}: a path without lives`);
        if (path.traceId.length !== 32) wrong.push(`${input}: trace ${path.traceId}`);
        if (path.lives.some(({ calls }) => calls.includes(undefined as never))) {
          wrong.push(`${input}: a hole among the calls`);
        }
      }
    } catch (error) {
      if (error instanceof SkbspanError && error.code === 'SKBSPAN_INPUT') refused++;
      else
        wrong.push(
          `${input}: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`,
        );
    }
    slowestMs = Math.max(slowestMs, cpuMs() - began);
  }
  return { refused, paths: found, slowestMs, wrong };
}
