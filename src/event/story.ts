/**
 * What a packet path's calls, headers and ends mean: derived by whoever makes a PacketPath, the path builder or a reader of
 * recordings. So a recording holds facts only, and an old one gains by what a newer version understands.
 */
import { findCrossings } from './crossings.ts';
import { findChanges } from './header-changes.ts';
import { findOutcome } from './outcome.ts';
import type { Life, PacketPath } from './packet-path.ts';
import { findWaits } from './waits.ts';

/** What of a life was seen. */
export type BareLife = Omit<Life, 'waits' | 'crossings' | 'changes'>;
export type BarePath = Omit<PacketPath, 'lives' | 'outcome'> & {
  readonly lives: readonly BareLife[];
};

export function withStory(path: BarePath): PacketPath {
  const lives = path.lives.map((life): Life => {
    const { parent } = life;
    const maker = parent === undefined ? undefined : path.lives[parent.life]?.calls[parent.call];
    return {
      ...life,
      waits: findWaits(life),
      crossings: findCrossings(life.calls, maker),
      changes: findChanges(life, path.lives),
    };
  });
  return { ...path, lives, outcome: findOutcome({ lives }) };
}
