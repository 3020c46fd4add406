import type { Command } from 'commander';
import { type Keep, parseKeep } from '../pipeline/keep-rules.ts';

/** What commander found of the options that concern every output: text, unchecked. */
export interface IntakeFlags {
  readonly keep?: string;
  readonly traceId?: string;
}

/** What happens to paths before any output gets them. */
export interface IntakeOptions {
  /** undefined: all. */
  readonly keep: Keep | undefined;
  readonly traceId: 'random' | 'content';
}

const traceIds = ['random', 'content'] as const;

export const addIntakeOptions = (command: Command): Command =>
  command
    .option(
      '--keep <rules>',
      'hand out only paths that are worth it: dropped,errors,slow>5ms,1/1000',
    )
    .option(
      '--trace-id <kind>',
      `${traceIds.join(' or ')}: the same on every host (default: random)`,
    );

/** What is wrong is added to `problems`. */
export function parseIntakeOptions(flags: IntakeFlags, problems: string[]): IntakeOptions {
  const keep = flags.keep === undefined ? undefined : parseKeep(flags.keep);
  const isWrong = keep !== undefined && typeof keep !== 'function';
  if (isWrong) problems.push(...keep.map((mistake) => `--keep: ${mistake}`));
  const traceId = traceIds.find((kind) => kind === (flags.traceId ?? 'random'));
  if (traceId === undefined)
    problems.push(`--trace-id: want ${traceIds.join(' or ')}, not '${flags.traceId ?? ''}'`);
  return { keep: isWrong ? undefined : keep, traceId: traceId ?? 'random' };
}
