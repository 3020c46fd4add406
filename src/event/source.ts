import type { PacketPath } from './packet-path.ts';
import type { Statistics } from './statistics.ts';

/**
 * Where finished paths come from when they are not traced now: a recording, a topic. `open`, then `paths` once, then
 * `statistics`; `close` is safe at any time and twice. Whoever reads may take its time: nothing is lost by waiting.
 */
export interface PathSource {
  /** What a person calls it: a file's name, a topic. */
  readonly name: string;
  /** What was handed out before the next is asked for counts as dealt with, for good: ask only when it has been written. */
  readonly commits?: boolean;
  /** Throws SkbspanError with advice if it cannot be read at all; called before any output is opened. */
  open(): Promise<void>;
  /** Batches, in the order in which they were recorded. Throws SkbspanError when what comes next makes no sense. */
  paths(): AsyncIterable<readonly PacketPath[]>;
  /** What the run that was recorded counted, and what this source could not hand out; whole after the last batch. */
  statistics(): Statistics;
  close(): Promise<void>;
}
