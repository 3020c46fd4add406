import type {
  FilterRule,
  Life,
  LifeEnd,
  PacketPath,
  PathLoss,
  SocketSight,
} from '../../event/packet-path.ts';
import { clean, codeLocation, endpoint, place, taskName } from './format.ts';

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

/** As `nft` wants it said: `inet filter input handle 7`. */
export const ruleText = ({ family, table, chain, handle }: FilterRule): string =>
  clean([family, table, chain, handle === 0 ? 'policy' : `handle ${handle}`].join(' '));

/** `udp socket 10.0.0.2:9 (inode 34567, uid 33, container 4f3c0de54f3c)`. */
function socketText(socket: SocketSight): string {
  const { family, type, protocol, localAddress, localPort, inode, uid, containerId } = socket;
  const what =
    protocol === '' ? `${family} ${type}` : type === 'raw' ? `raw ${protocol}` : protocol;
  const where =
    localPort === 0
      ? ''
      : ` ${endpoint(family === 'ipv6' ? 'ipv6' : 'ipv4', localAddress === '' ? '*' : localAddress, localPort)}`;
  const whose = [
    inode === 0 ? '' : `inode ${inode}`,
    uid === undefined ? '' : `uid ${uid}`,
    containerId === '' ? '' : `container ${containerId.slice(0, 12)}`,
  ].filter((fact) => fact !== '');
  return `${clean(what)} socket${where}${whose.length === 0 ? '' : ` (${clean(whose.join(', '))})`}`;
}

const isDropped = (life: Life): boolean => life.end?.how === 'dropped';

/** The packet itself: a frame goes on as the skb that was built from it, and that as a frame that XDP sends on. */
function lastForm({ lives }: PacketPath): Life | undefined {
  let at = 0;
  for (const [index, { parent }] of lives.entries())
    if (parent?.operation === 'xdp' && parent.life === at) at = index;
  return lives[at];
}

/** What became of the packet as a whole, and how many of its lives were dropped beside. */
export function outcome(path: PacketPath): { readonly text: string; readonly dropped: boolean } {
  const drops = path.lives.filter(isDropped);
  const { kind, life, socket, task, device } = path.outcome;
  const beside =
    drops.length === 0
      ? ''
      : `, ${drops.length} ${drops.length === 1 ? 'copy' : 'copies'} of it dropped`;
  if (kind === 'delivered') {
    const sight = path.lives[life]?.sockets[socket];
    const to = sight === undefined ? 'a socket' : socketText(sight);
    const by = task === undefined ? '' : `, read by ${taskName(task)}`;
    return { text: `delivered to ${to}${by}${beside}`, dropped: false };
  }
  if (kind === 'transmitted') {
    const on = device === undefined ? '' : ` on ${place(device)}`;
    return { text: `transmitted${on}${beside}`, dropped: false };
  }
  const [first] = drops;
  if (first?.end !== undefined) {
    const who =
      first === path.lives[0] ? '' : ` (${first.parent?.operation ?? 'life'} #${first.id})`;
    const more = drops.length === 1 ? '' : `, ${drops.length} drops in all`;
    const rule = first.end.rule === undefined ? '' : ` by ${ruleText(first.end.rule)}`;
    return { text: `${endText(first.end)}${rule}${who}${more}`, dropped: true };
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
