import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Lab } from './lab.ts';
import { parseLines } from './scenario.ts';

const RUNS = 3;

const skipped = (lab: Lab): boolean => {
  const { summary } = parseLines(readFileSync(join(lab.folder, 'paths.jsonl'), 'utf8'));
  return (summary.losses['recursion'] ?? 0) > 0;
};

/**
 * Runs what traces until nothing was skipped, at most three times: an interrupt in the midst of a probe may bring other probes, which the
 * kernel does not run. skbspan says so, and such a run shows nothing. Records how many it took as `runs`.
 */
export async function undisturbed(lab: Lab, run: () => Promise<void>): Promise<void> {
  for (let runs = 1; runs === 1 || (skipped(lab) && runs <= RUNS); runs += 1) {
    await run();
    lab.record('runs', runs);
  }
}
