/** What is missing of a path, from its records alone. */

import { linkEvent } from '../event/layout.ts';
import type { PathLoss } from '../event/packet-path.ts';
import type { RawPath } from './batch.ts';
import { u53 } from './decode.ts';
import { missingDetails, type LifeDraft } from './path-records.ts';

/**
 * Every record of a life but exits took the next number, so a gap says how many are missing, and between which calls; details
 * are announced by their call. Gaps at the start of a life
 * whose earlier part was handed out before are no losses, and those of a path that outgrew its memory are told once, as that.
 */
export function findLosses(
  raw: RawPath,
  lives: readonly LifeDraft[],
  isInPath: (life: number) => boolean,
): PathLoss[] {
  const losses: PathLoss[] = [];
  const gaps: PathLoss[] = [];
  let missing = 0;
  for (const life of lives) {
    const isContinued = raw.continued && (life.seqs[0] ?? 0) > 0;
    const { index } = life;
    const isElsewhere = [life.link, life.merge].some(
      (link) => link >= 0 && !isInPath(linkParent(raw.words, link)),
    );
    if (!isContinued && life.link < 0 && life.linked) losses.push({ cause: 'link', life: index });
    if (isContinued || isElsewhere) losses.push({ cause: 'continued', life: index });

    let previous = isContinued ? (life.seqs[0] ?? 0) - 1 : -1;
    for (const seq of life.seqs) {
      const count = seq - previous - 1;
      if (count > 0) {
        const after = life.calls.findIndex((call) => call.seq >= seq);
        const before = after < 0 ? life.calls.length - 1 : after - 1;
        gaps.push({ cause: 'events', life: index, afterSeq: previous, count, before, after });
        missing += count;
      }
      previous = seq;
    }
    for (const call of life.calls) {
      const count = call.announced === 0 ? 0 : missingDetails(call, raw.words);
      if (count === 0) continue;
      const before = call.index;
      const after = before + 1 < life.calls.length ? before + 1 : -1;
      gaps.push({ cause: 'events', life: index, afterSeq: call.seq, count, before, after });
      missing += count;
    }
  }
  if (raw.lost > 0) losses.push({ cause: 'memory', count: raw.lost });
  return missing > raw.lost ? [...losses, ...gaps] : losses;
}

/** The life that a link record names as parent. */
export const linkParent = (words: Uint32Array, link: number): number => {
  const at = link + (linkEvent.parent >> 2);
  return u53((words[at + 1] ?? 0) & 0x1fffff, words[at] ?? 0);
};
