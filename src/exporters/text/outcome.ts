import type { Life, LifeEnd, PacketPath, PathLoss } from '../../event/packet-path.ts';
import { clean, codeLocation, functionName } from './format.ts';

const endWords: Readonly<Record<LifeEnd['how'], string>> = {
  dropped: '✗ dropped',
  consumed: 'consumed',
  released: 'released',
  memory: 'freed',
  reused: 'end not seen, its address was used again',
  morphed: 'replaced by another packet',
};

/** `✗ dropped NETFILTER_DROP at nf_hook_slow+0x5a`, `consumed at icmp_rcv+0x1a3`. */
export function endText({ how, reason, location }: LifeEnd): string {
  const why = how === 'dropped' ? ` ${clean(reason ?? 'for no reason given')}` : '';
  const where =
    location === undefined || location.address === 0n ? '' : ` at ${codeLocation(location)}`;
  return `${endWords[how]}${why}${where}`;
}

const isDropped = (life: Life): boolean => life.end?.how === 'dropped';

/** The life that the packet goes on as: reassembly gives its content to another sk_buff. */
function whole({ lives }: PacketPath): Life | undefined {
  let found = 0;
  for (const [index, { parent }] of lives.entries())
    if (parent?.operation === 'morph' && parent.life === found) found = index;
  return lives[found];
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
  const end = whole(path)?.end;
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

/** Which calls stand around what is missing: `between ip_rcv and tcp_v4_rcv`. */
function gapText({ life, before, after }: PathLoss & { cause: 'events' }, lives: Lives): string {
  const calls = lives[life]?.calls ?? [];
  const [first, next] = [calls[before], calls[after]].map((call) =>
    call === undefined ? undefined : functionName(call.func, call.module),
  );
  if (first !== undefined && next !== undefined) return `between ${first} and ${next}`;
  if (first !== undefined) return `after ${first}`;
  return next === undefined ? 'of it alone' : `before ${next}`;
}

type Lives = PacketPath['lives'];

/** What is missing from a path, in words. */
export function lossText(loss: PathLoss, lives: Lives): string {
  const who = (life: number): string => `#${lives[life]?.id ?? '?'}`;
  switch (loss.cause) {
    case 'events':
      return `${loss.count} events of ${who(loss.life)} are missing ${gapText(loss, lives)}: which calls ran there is not known`;
    case 'link':
      return `what ${who(loss.life)} was made from is not known`;
    case 'memory':
      return `${loss.count} events were thrown away: the path was too long`;
    case 'continued':
      return `an earlier part of ${who(loss.life)} was shown before`;
  }
}
