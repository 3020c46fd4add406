import type { Writable } from 'node:stream';
import type { Exporter } from '../../event/exporter.ts';
import type { PacketPath } from '../../event/packet-path.ts';
import type { Statistics } from '../../event/statistics.ts';
import { checkPacket } from './blocks.ts';
import { outputError } from '../text/line-output.ts';
import type { Rotation } from './file-output.ts';
import type { AddressName, FilePacket, RunNotes } from './file-section.ts';
import { runComment } from './hop-comments.ts';
import { nameOfSender, pathFrames } from './path-frames.ts';
import { createTimeOrder } from './time-order.ts';
import type { PcapngMode } from './words.ts';
import { createPcapngWriter } from './writer.ts';

export interface PcapngExporterOptions {
  /** Path of a file, which is made or overwritten; or a stream, which belongs to the caller and is not ended. */
  readonly output: string | Writable;
  readonly mode: PcapngMode;
  /** Of skbspan. */
  readonly version: string;
  readonly rotation?: Rotation | undefined;
}

/**
 * How long a packet is held back so that the file is in the order of time. A file can wait for what the tracker hands out
 * after its idle time of 3 s; someone who looks at a pipe can't.
 */
const WINDOW_NS = { file: 3.5e9, pipe: 1e9 } as const;
const HELD_BYTES = 32 * 1024 * 1024;

interface HeldFrame {
  readonly packet: FilePacket;
  readonly sender: AddressName | undefined;
}

/**
 * Writes packet paths as pcapng; docs/wireshark.md tells what is in it. `start` throws SKBSPAN_OUTPUT if the output cannot
 * be opened; when writing fails, so does every export from then on. `shutdown` throws SKBSPAN_OUTPUT if the end could
 * not be written.
 */
export function createPcapngExporter(options: PcapngExporterOptions): Exporter {
  const { mode, output } = options;
  const writer = createPcapngWriter(options);
  const windowNs = typeof output === 'string' ? WINDOW_NS.file : WINDOW_NS.pipe;
  const order = createTimeOrder<HeldFrame>({ windowNs, maxBytes: HELD_BYTES });
  let epochNs: bigint | undefined;
  let failure: Error | undefined;
  let stopped: Promise<void> | undefined;
  /** Packets that could not be written while nobody asked; told with the next export, or in the file's end. */
  let refused = 0;
  let quiet: NodeJS.Timeout | undefined;
  let letOut = Promise.resolve();

  const fail = (cause: unknown): Error =>
    (failure = cause instanceof Error ? cause : outputError('the pcapng output', cause));

  /** Nothing newer has come for as long as a packet is held back: who looks at a pipe wants to see the last ones, too. */
  function awaitQuiet(): void {
    if (mode === 'hop' || stopped !== undefined) return;
    quiet = setTimeout(() => {
      letOut = writeHeld().catch((cause: unknown) => {
        fail(cause);
      });
    }, windowNs / 1e6);
    quiet.unref();
  }

  /** Before anything else is written. */
  async function endQuiet(): Promise<void> {
    clearTimeout(quiet);
    await letOut;
  }

  async function writeHeld(): Promise<void> {
    const frames: HeldFrame[] = [];
    order.drain((frame) => frames.push(frame));
    refused += await putAll(frames);
    await writer.flush();
  }

  function hold(path: PacketPath): void {
    epochNs ??= path.startTimeNs;
    const startNs = Number(path.startTimeNs - epochNs);
    const sender = nameOfSender(path);
    for (const { offsetNs, packet } of pathFrames(path)) {
      let bytes = 500;
      for (const part of packet.data) bytes += part.length;
      for (const comment of packet.comments) bytes += comment.length;
      // The bytes are part of a whole batch, which is not to be kept for them.
      const data = packet.data.map((part) => Uint8Array.from(part));
      order.add(startNs + offsetNs, bytes, { packet: { ...packet, data }, sender });
    }
  }

  /** All or nothing of a path. */
  async function record(path: PacketPath): Promise<number> {
    await writer.settle();
    try {
      writer.hops(path);
      return 0;
    } catch (error) {
      if (error instanceof RangeError) return 1;
      throw error;
    }
  }

  async function putAll(frames: readonly HeldFrame[]): Promise<number> {
    let lost = 0;
    for (const { packet, sender } of frames) {
      if (!isWritable(packet)) {
        lost++;
        continue;
      }
      await writer.settle();
      if (sender !== undefined) writer.name(sender);
      writer.packet(packet);
    }
    return lost;
  }

  /** How many could not be written: something in them is longer than a block can be. */
  async function write(paths: readonly PacketPath[]): Promise<number> {
    let lost = 0;
    if (mode === 'hop') {
      for (const path of paths) lost += await record(path);
    } else {
      for (const path of paths) hold(path);
      const frames: HeldFrame[] = [];
      order.release((frame) => frames.push(frame));
      lost = await putAll(frames);
    }
    await writer.flush();
    return lost;
  }

  async function stop(statistics: Statistics): Promise<void> {
    await endQuiet();
    if (failure !== undefined) {
      await writer.close({ comments: [], lost: undefined }).catch(() => undefined);
      return;
    }
    await writeHeld();
    await writer.close(runNotes(statistics, order.late, refused));
  }

  return {
    name: 'pcapng',
    local: true,
    async start() {
      await writer.open();
    },
    async export(paths) {
      await endQuiet();
      try {
        if (failure !== undefined) throw failure;
        const lost = refused + (await write(paths));
        refused = 0;
        awaitQuiet();
        return { status: 'success', lost, cause: 'export_refused' };
      } catch (cause) {
        const error = fail(cause);
        return { status: 'failure', error, lost: paths.length, cause: 'export_failed' };
      }
    },
    shutdown(_deadlineMs, statistics) {
      return (stopped ??= stop(statistics));
    },
  };
}

function isWritable(packet: FilePacket): boolean {
  try {
    checkPacket(packet);
    return true;
  } catch {
    return false;
  }
}

function runNotes(statistics: Statistics, late: number, refused: number): RunNotes {
  let lost = 0;
  for (const count of statistics.losses.values()) lost += count;
  const comments = [runComment(statistics)];
  if (late > 0) comments.push(`${late} packets stand after newer ones`);
  if (refused > 0) comments.push(`${refused} packets were too long to be written`);
  return { comments, lost: BigInt(lost) };
}
