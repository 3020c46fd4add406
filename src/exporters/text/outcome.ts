import type { Life, LifeEnd, PacketPath, PathLoss } from '../../event/packet-path.ts';
import { clean, codeLocation } from './format.ts';

const endWords: Readonly<Record<LifeEnd['how'], string>> = {
  dropped: '✗ dropped',
  consumed: 'consumed',
  released: 'released',
  memory: 'freed',
  reused: 'end not seen, its address was used again',
};

/** `✗ dropped NETFILTER_DROP at nf_hook_slow+0x5a`, `consumed at icmp_rcv+0x1a3`. */
export function endText({ how, reason, location, program }: LifeEnd): string {
  const why = how === 'dropped' ? ` ${clean(reason ?? 'for no reason given')}` : '';
  const where =
    location === undefined || location.address === 0n ? '' : ` at ${codeLocation(location)}`;
  const who = program === undefined ? '' : ` by ${clean(program)}`;
  return `${endWords[how]}${why}${who}${where}`;
}

const isDropped = (life: Life): boolean => life.end?.how === 'dropped';

/** The packet itself: a frame goes on as the skb that was built from it, and that as a frame that XDP sends on. */
function lastForm({ lives }: PacketPath): Life | undefined {
  let at = 0;
  for (const [index, { parent }] of lives.entries())
    if (parent?.operation === 'xdp' && parent.life === at) at = index;
  return lives[at];
}

/** What became of the packet as a whole: a drop of any of its lives counts first. */
export function outcome(path: PacketPath): { readonly text: string; readonly dropped: boolean } {
  const drops = path.lives.filter(isDropped);
  const [first] = drops;
  if (first?.end !== undefined) {
    const who =
      first === path.lives[0] ? '' : ` (${first.parent?.operation ?? 'life'} #${first.id})`;
    const more = drops.length === 1 ? '' : `, ${drops.length} drops in all`;
    return { text: `${endText(first.end)}${who}${more}`, dropped: true };
  }
  const end = lastForm(path)?.end;
  return { text: end === undefined ? 'still alive' : endText(end), dropped: false };
}

const endingWords: Readonly<Record<PacketPath['ending'], string>> = {
  ended: '',
  idle: 'shown early: nothing was heard of it for the idle time',
  evicted: 'shown early: memory for paths in flight was used up',
  stopped: 'tracing stopped while it was on its way',
};

/** Why the path was handed out before its end; empty if it was not. */
export const endingText = (path: PacketPath): string => endingWords[path.ending];

/** What is missing from a path, in words. `ids` are the life ids by index. */
export function lossText(loss: PathLoss, ids: readonly number[]): string {
  const who = (life: number): string => `#${ids[life] ?? '?'}`;
  switch (loss.cause) {
    case 'events': {
      const where = loss.afterSeq < 0 ? 'from its start' : `after its event ${loss.afterSeq}`;
      return `${loss.count} events of ${who(loss.life)} are missing ${where}`;
    }
    case 'link':
      return `what ${who(loss.life)} was made from is not known`;
    case 'memory':
      return `${loss.count} events were thrown away: the path was too long`;
    case 'continued':
      return `an earlier part of ${who(loss.life)} was shown before`;
  }
}
